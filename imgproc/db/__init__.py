"""The tables, the engine, what is read, and `transitions/`: every change of state, one statement each."""
