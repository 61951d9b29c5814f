"""Turns the bytes of an image into a rendition; `compress` lists the steps. Plain values, no framework."""
