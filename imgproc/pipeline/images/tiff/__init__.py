"""Reads TIFF, sample by sample where Pillow misreads it."""
