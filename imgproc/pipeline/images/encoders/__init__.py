"""Encodes a picture in one of the formats that we write, with the settings that it deserves."""
