"""The only way out: the guarded session, the addresses it may reach, deadlines, and the words for its failures."""
