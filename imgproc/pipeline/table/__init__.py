"""A catalogue file in, rows out (`read`), and rows in, the output files out (`write`). Plain values; no framework."""
