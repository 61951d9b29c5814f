"""Encodes a source's own pixels again without loss, one file for each format that `quality=smart` may keep."""
