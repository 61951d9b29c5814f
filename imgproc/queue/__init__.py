"""The queue: the connection to Redis, the calls of jobs, enqueueing them, and our subclasses of RQ's classes.

Outside of this folder only `imgproc.worker` (RQ's worker and pool) and `imgproc.embedded` (a probe) import RQ or Redis.
"""
