"""All access to S3: the store, its clients, and the keys of objects."""
