"""Measurements of the product, each a module of its own: `python -m benchmarks.<name>`."""
