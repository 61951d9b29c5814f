"""Accepts connections, closes slow ones, and makes room for new ones by closing those of the largest holder."""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from waitress.server import BaseWSGIServer

from imgproc.core.hosts import subscriber
from imgproc.server.channel import Channel, Patience
from imgproc.server.tasks import TooBusy

log = logging.getLogger(__name__)

ACCEPTS = 64  # connections accepted in one turn, so that a flood leaves time for the existing ones
FRESH_SECONDS = 1.0  # a new connection is not closed for this long


@dataclass(frozen=True)
class Limits:
    """What all clients of this process may hold together, and how slow one client may be."""

    connections: int  # beyond this number, those that wait are closed
    most_connections: int  # at this number no more are accepted; further ones wait in the backlog
    body_bytes: int  # of requests without a response yet
    patience: Patience


class Server(BaseWSGIServer):
    """One listening socket. `channels` holds the connections of all listening sockets of this process."""

    channel_class = Channel

    def __init__(self, app: Any, *, limits: Limits, channels: dict[int, Channel], **options: Any) -> None:
        self.limits = limits
        super().__init__(app, bind_socket=False, **options)
        self.active_channels = channels

    def getsockname(self) -> tuple[str, str]:
        """The host and port that the app sees as its own."""
        if self.family == socket.AF_UNIX:
            return "localhost", ""
        flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        host, port = socket.getnameinfo(self.socket.getsockname(), flags)
        return host, port

    def fix_addr(self, addr: Any) -> tuple[str, int | None]:
        """The address and port of a client; a client on a Unix socket has none."""
        return ("localhost", None) if self.family == socket.AF_UNIX else addr[:2]

    def set_socket_options(self, conn: socket.socket) -> None:
        """Send without delay, and let the kernel buffer little: it would keep megabytes for a slow client."""
        if self.family != socket.AF_UNIX:
            super().set_socket_options(conn)

    def handle_accept(self) -> None:
        """Accept waiting connections."""
        for _ in range(min(ACCEPTS, self.limits.most_connections - len(self.active_channels))):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return

    def readable(self) -> bool:
        """Whether the loop may call `handle_accept`. Also closes connections above the limit."""
        excess = len(self.active_channels) - self.limits.connections
        if excess > 0:
            self._close_some(excess)
        has_room = len(self.active_channels) < self.limits.most_connections
        return bool(super().readable()) and has_room

    def _close_some(self, count: int) -> None:
        """Close the longest waiting connections of the addresses that have the most."""
        youngest = time.monotonic() - FRESH_SECONDS
        waiting = [each for each in self.active_channels.values() if not each.is_busy and each.since <= youngest]
        victims = _greediest_first(waiting, lambda _: 1)[:count]
        for victim in victims:
            victim.kill()
        if victims:
            log.warning("%d connections closed to make room, one of them from %s", len(victims), victims[0].addr[0])

    def maintenance(self, _now: float) -> None:
        """Check every connection, once a second, for all listening sockets together."""
        now = time.monotonic()
        for channel in list(self.active_channels.values()):
            channel.check(now, self.limits.patience)
        self._bound_bodies()

    def _bound_bodies(self) -> None:
        """Refuse uploads still being received if all bodies together are too large."""
        held = sum(channel.held_bytes for channel in self.active_channels.values())
        if held <= self.limits.body_bytes:
            return
        receiving = [each for each in self.active_channels.values() if each.held_bytes and not each.is_busy]
        for victim in _greediest_first(receiving, lambda each: each.held_bytes):
            if held <= self.limits.body_bytes:
                return
            held -= victim.held_bytes
            log.warning("upload from %s refused: all request bodies together are too large", victim.addr[0])
            victim.refuse(TooBusy("Too many uploads are being received; try again in a few seconds."))

    def stop_accepting(self) -> None:
        """Accept no more connections; other processes take them."""
        self.accepting = False
        self.del_channel()


def _greediest_first(channels: Iterable[Channel], size: Callable[[Channel], int]) -> list[Channel]:
    """The channels by how much their address holds, most first, and then by how long they have waited."""
    owners = {channel: subscriber(channel.addr[0]) for channel in channels}
    holds: Counter[str] = Counter()
    for channel, owner in owners.items():
        holds[owner] += size(channel)
    return sorted(owners, key=lambda channel: (-holds[owners[channel]], channel.since))
