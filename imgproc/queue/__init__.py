"""The connection to Redis, what enqueues jobs, and our RQ classes."""
