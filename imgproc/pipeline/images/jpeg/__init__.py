"""Reads JPEG: odd segments, missing ends, and decoding at eighths of the size."""
