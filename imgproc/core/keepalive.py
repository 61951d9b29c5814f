"""How soon a connection of ours notices that its peer has vanished, whatever it speaks (tcp(7))."""

from __future__ import annotations

# Seconds until a silent peer is asked whether it lives, between two such probes, and probes until it is given up.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 3, 2, 3
UNACKNOWLEDGED = 9  # seconds that what was sent may stay unacknowledged
