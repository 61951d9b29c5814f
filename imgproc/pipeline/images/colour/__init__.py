"""Converts what the samples of a picture mean to sRGB."""
