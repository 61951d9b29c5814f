"""Bytes of a picture in, a rendition out: `compress` names the steps. Plain values; no framework."""
