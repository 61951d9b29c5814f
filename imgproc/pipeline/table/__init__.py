"""Reads a catalogue file into rows (`read`), and writes rows to output files (`write`). Plain values, no framework."""
