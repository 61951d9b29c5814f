"""Encodes a picture in one of the formats that we write, with settings that suit it."""
