"""The only code that speaks S3: the store, its clients, and the names of objects."""
