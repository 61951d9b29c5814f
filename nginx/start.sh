#!/bin/sh
# Fill in nginx.conf and start nginx on it. An empty variable counts as unset.
set -eu

run=${RUN_DIR:-/tmp}
listen=${LISTEN:-8080}
upstream=${UPSTREAM:-web:8000}
connections=${ADDRESS_CONNECTIONS:-100}
# The form around a file takes some bytes of its own: one MiB, as web allows too.
body=$((${MAX_UPLOAD_BYTES:-104857600} + 1048576))
# A second trusted proxy stands in front of this one, so every connection comes from its address.
limit=$((${TRUSTED_PROXIES:-1} <= 1))
outputs=${OUTPUTS_URL:-}
max_age=${OUTPUTS_MAX_AGE:-86400}
tls=$(cd "$(dirname "$0")" && pwd)/tls
resolvers=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | tr '\n' ' ')

sed -e "s|@RUN@|$run|g" -e "s|@LISTEN@|$listen|g" -e "s|@UPSTREAM@|$upstream|g" -e "s|@LIMIT@|$limit|g" \
  -e "s|@ADDRESS_CONNECTIONS@|$connections|g" -e "s|@MAX_BODY_BYTES@|$body|g" \
  -e "s|@OUTPUTS_MAX_AGE@|$max_age|g" -e "s|@RESOLVERS@|${resolvers:-127.0.0.1}|g" \
  "$(dirname "$0")/nginx.conf" > "$run/nginx.conf"

# With a certificate, TLS; with the address of the outputs bucket, its objects under /outputs/.
: > "$run/options.conf"
if [ -f "$tls/fullchain.pem" ]; then
  cat >> "$run/options.conf" << END
listen ${TLS_LISTEN:-8443} ssl;
ssl_certificate $tls/fullchain.pem;
ssl_certificate_key $tls/privkey.pem;
END
fi
if [ -n "$outputs" ]; then
  sed -e "s|@ORIGIN@|$(echo "$outputs" | cut -d / -f 1-3)|g" -e "s|@BUCKET@|$(echo "$outputs" | cut -d / -f 4-)|g" \
    "$(dirname "$0")/outputs.conf" >> "$run/options.conf"
fi
exec nginx -c "$run/nginx.conf" -g 'daemon off;' "$@"
