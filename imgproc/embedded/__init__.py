"""Redis and S3 as local processes from pip alone, and the supervisor that keeps them alive."""
