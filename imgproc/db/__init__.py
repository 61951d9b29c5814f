"""The database: engine, tables, reads, and `transitions/`, where every change of state is one statement."""
