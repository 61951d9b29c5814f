"""Image hosts on loopback as merchants have them: limited, busy, away, silent or slow; each one thread with a log."""
