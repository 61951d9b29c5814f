"""Shared by tests and benchmarks: servers, pictures, files and processes."""
