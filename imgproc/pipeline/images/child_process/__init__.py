"""Compresses pictures of risky formats in a process of its own: HEIC, JPEG 2000 and SVG."""
