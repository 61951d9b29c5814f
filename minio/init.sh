#!/bin/sh
# Make the buckets, say who may do what with them, and make the user that imgproc works as. Safe to run again; a secret
# that changed in .env is changed in the store too.
set -eu

cd "$(dirname "$0")"

# Keys go in by standard input: arguments can be read in the process list.
printf '%s\n' "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" | mc --quiet alias set store "$S3_ENDPOINT_URL"

# The policies name the buckets `originals` and `outputs`, each at most once a line; .env may name others. Images of object
# stores may lack sed.
for policy in outputs-public-read.json worker-policy.json; do
  while IFS= read -r line; do
    case $line in *:::originals*) line=${line%%:::originals*}:::$S3_ORIGINALS_BUCKET${line#*:::originals} ;; esac
    case $line in *:::outputs*) line=${line%%:::outputs*}:::$S3_OUTPUTS_BUCKET${line#*:::outputs} ;; esac
    printf '%s\n' "$line"
  done < "$policy" > "/tmp/$policy"
done

mc mb --ignore-existing "store/$S3_ORIGINALS_BUCKET" "store/$S3_OUTPUTS_BUCKET"
mc anonymous set private "store/$S3_ORIGINALS_BUCKET"
mc anonymous set-json /tmp/outputs-public-read.json "store/$S3_OUTPUTS_BUCKET"

# Listing lets a missing object be told from a refusal, and a request's objects be found when it is deleted.
mc admin policy create store imgproc-worker /tmp/worker-policy.json
printf '%s\n' "$S3_ACCESS_KEY_ID" "$S3_SECRET_ACCESS_KEY" | mc admin user add store
attached=$(mc admin policy entities store --user "$S3_ACCESS_KEY_ID" --json)
case $attached in
  *'"imgproc-worker"'*) ;;
  *) mc admin policy attach store imgproc-worker --user "$S3_ACCESS_KEY_ID" ;;
esac
