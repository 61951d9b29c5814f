"""Accepts connections, closes the slow ones, and makes room for new ones at the cost of whoever holds the most."""

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

ACCEPTS = 64  # at a time, so that a flood of connections leaves time for those that are there
FRESH_SECONDS = 1.0  # a new connection gets so long to show what it wants


@dataclass(frozen=True)
class Limits:
    """What all clients of this process may hold together, and how slow each may be."""

    connections: int
    most_connections: int  # while the others are busy or fresh; more wait until they are accepted
    body_bytes: int  # of requests that have not been answered
    patience: Patience


class Server(BaseWSGIServer):
    """One listening socket. `channels` are the connections of all listening sockets of this process."""

    channel_class = Channel

    def __init__(self, app: Any, *, limits: Limits, channels: dict[int, Channel], **options: Any) -> None:
        self.limits = limits
        super().__init__(app, bind_socket=False, **options)
        self.active_channels = channels

    def getsockname(self) -> tuple[str, str]:
        """Host and port that the app is told."""
        if self.family == socket.AF_UNIX:
            return "localhost", ""
        flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        host, port = socket.getnameinfo(self.socket.getsockname(), flags)
        return host, port

    def fix_addr(self, addr: Any) -> tuple[str, int | None]:
        """Address and port of a client; one on a Unix socket has none."""
        return ("localhost", None) if self.family == socket.AF_UNIX else addr[:2]

    def set_socket_options(self, conn: socket.socket) -> None:
        """Send at once, and leave little of an answer to the kernel, which would keep megabytes for a slow reader."""
        if self.family != socket.AF_UNIX:
            super().set_socket_options(conn)

    def handle_accept(self) -> None:
        """Accept what waits."""
        for _ in range(min(ACCEPTS, self.limits.most_connections - len(self.active_channels))):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return

    def readable(self) -> bool:
        """Shall the loop call `handle_accept`? Asked at each turn before the loop polls, when connections may go."""
        excess = len(self.active_channels) - self.limits.connections
        if excess > 0:
            self._close_some(excess)
        has_room = len(self.active_channels) < self.limits.most_connections
        return bool(super().readable()) and has_room

    def _close_some(self, count: int) -> None:
        """Close those that have waited longest, of the addresses that have the most."""
        youngest = time.monotonic() - FRESH_SECONDS
        waiting = [each for each in self.active_channels.values() if not each.is_busy and each.since <= youngest]
        victims = _greediest_first(waiting, lambda _: 1)[:count]
        for victim in victims:
            victim.kill()
        if victims:
            log.warning("%d connections closed to make room, one of them of %s", len(victims), victims[0].addr[0])

    def maintenance(self, _now: float) -> None:
        """Look after every connection: once a second, for all listening sockets together."""
        now = time.monotonic()
        for channel in list(self.active_channels.values()):
            channel.check(now, self.limits.patience)
        self._bound_bodies()

    def _bound_bodies(self) -> None:
        """Refuse uploads that have not come yet where all together hold too much."""
        held = sum(channel.held_bytes for channel in self.active_channels.values())
        if held <= self.limits.body_bytes:
            return
        receiving = [each for each in self.active_channels.values() if each.held_bytes and not each.is_busy]
        for victim in _greediest_first(receiving, lambda each: each.held_bytes):
            if held <= self.limits.body_bytes:
                return
            held -= victim.held_bytes
            log.warning("upload of %s refused: unanswered bodies hold too many bytes", victim.addr[0])
            victim.refuse(TooBusy("Too many uploads are under way; try again in a few seconds."))

    def stop_accepting(self) -> None:
        """Leave new connections to other processes."""
        self.accepting = False
        self.del_channel()


def _greediest_first(channels: Iterable[Channel], size: Callable[[Channel], int]) -> list[Channel]:
    """The channels of the address that holds the most first, and of these the one that has waited longest."""
    owners = {channel: subscriber(channel.addr[0]) for channel in channels}
    holds: Counter[str] = Counter()
    for channel, owner in owners.items():
        holds[owner] += size(channel)
    return sorted(owners, key=lambda channel: (-holds[owners[channel]], channel.since))
