"""Protects a worker: bounds of parts, pixels, memory and time, and what their errors say."""
