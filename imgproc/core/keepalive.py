"""TCP keepalive options of our connections: how soon they end after the peer has vanished (tcp(7))."""

from __future__ import annotations

# Seconds of silence before the first probe, seconds between probes, and unanswered probes until the connection ends.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 3, 2, 3
UNACKNOWLEDGED = 9  # seconds that sent data may stay unacknowledged
