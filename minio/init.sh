#!/bin/sh
# Make the buckets, say who may do what with them, and make the user that imgproc works as. Safe to run again; a secret
# that changed in .env is changed in the store too.
set -eu

cd "$(dirname "$0")"

# Keys go in by standard input: arguments can be read in the process list.
printf '%s\n' "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" | mc --quiet alias set store "$S3_ENDPOINT_URL"

mc mb --ignore-existing store/originals store/outputs
mc anonymous set private store/originals
mc anonymous set-json outputs-public-read.json store/outputs

# Listing lets a missing object be told from a refusal, and a request's objects be found when it is deleted.
mc admin policy create store imgproc-worker worker-policy.json
printf '%s\n' "$S3_ACCESS_KEY_ID" "$S3_SECRET_ACCESS_KEY" | mc admin user add store
attached=$(mc admin policy entities store --user "$S3_ACCESS_KEY_ID" --json)
case $attached in
  *'"imgproc-worker"'*) ;;
  *) mc admin policy attach store imgproc-worker --user "$S3_ACCESS_KEY_ID" ;;
esac
