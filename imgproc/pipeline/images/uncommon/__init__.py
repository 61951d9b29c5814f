"""Reads Photoshop documents, TGA, icons and PNM in the worker."""
