"""Reads GIF and BMP as Chromium shows them."""
