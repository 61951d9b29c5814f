"""Reads what Pillow leaves out of AVIF: the boxes, colours and sizes of its pictures."""
