"""A host: an HTTP/1.1 server in one thread, whose rules say how it troubles its visitors."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from imgproc.embedded.ports import LOOPBACK, free_port
from tests.support.hosts.replies import Asked, Content, End, Reply, Rule, head_of
from tests.support.hosts.visits import VisitLine, VisitLog

# Below the ephemeral ports, so that no outgoing connection takes the port of a host that is away.
PORTS = range(12_000, 20_000)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
BACKLOG = 512
HANDSHAKE = 16_384  # the longest head


class TroubledHost:
    """A running host. `content` makes the replies; `rules` may be replaced at any time, and change them in order.

    `most_connections` is how many it holds open, idle ones too. It resets the others at once; with `refuses_more` it
    does not even listen while it is full. `latency` (seconds) is what each request takes that no rule refuses. `idle`
    (seconds) is how long a connection may wait for its next request.
    """

    def __init__(
        self,
        content: Content,
        *,
        rules: Sequence[Rule] = (),
        latency: float = 0.0,
        most_connections: int | None = None,
        refuses_more: bool = False,
        idle: float = 60.0,
        address: str = LOOPBACK,
    ) -> None:
        self.content, self.rules, self.latency = content, list(rules), latency
        self.most_connections, self.refuses_more = most_connections, refuses_more
        self.idle, self.address = idle, address
        self.log = VisitLog()
        self.lock = threading.Lock()  # for those who change it in turns
        self.port = free_port(PORTS)
        self.url = f"http://{address}:{self.port}"
        self._under_way = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._is_away, self._has_ended = True, False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"host {self.port}", daemon=True)
        self._thread.start()
        self.come_back()

    def url_of(self, number: int) -> str:
        """The URL under another loopback address: to a visitor, another host. Only for a host on 0.0.0.0."""
        return f"http://127.{1 + number // 65_536}.{number // 256 % 256}.{1 + number % 250}:{self.port}"

    def go_away(self) -> None:
        """Close every connection and refuse new ones until `come_back`."""
        self._in_loop(self._leave)

    def come_back(self) -> None:
        """Listen again."""
        self._in_loop(self._listen)

    def away_for(self, seconds: float) -> None:
        """Be away for so long, and return at once."""
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._listen)

    def forget(self) -> VisitLog:
        """Start a new log; the old one."""
        old, self.log = self.log, VisitLog()
        return old

    def stop(self) -> None:
        """Hang up and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _in_loop(self, act: Callable[[], None]) -> None:
        async def run() -> None:
            act()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _listen(self) -> None:
        self._is_away = False
        if self._listener is None and not self._has_ended:  # `away_for` may come back after the end
            self._listener = socket.create_server((self.address, self.port), backlog=BACKLOG)
            self._listener.setblocking(False)
            # Not `sock_accept`: a task that is cancelled just after it has accepted a connection never closes it.
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            # A process that is being started has a copy until its exec, and would keep the port with it.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _leave(self) -> None:
        self._is_away = True
        self._stop_listening()
        for task in self._connections:
            task.cancel()

    async def _end(self) -> None:
        self._has_ended = True
        self._leave()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # their sockets close in the next round

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # the visitor has hung up already
            connection, _ = listener.accept()
            connection.setblocking(False)
            self.log.connections += 1
            if self._is_full():
                self.log.resets += 1
                _reset(connection)
            else:
                self._welcome(connection)

    def _welcome(self, connection: socket.socket) -> None:
        task = self._loop.create_task(self._converse(connection))
        self._connections.add(task)
        task.add_done_callback(self._hung_up)
        # A task that is cancelled before it begins closes nothing.
        task.add_done_callback(partial(_close, connection))
        if self.refuses_more and self._is_full():
            self._stop_listening()

    def _is_full(self) -> bool:
        return self.most_connections is not None and len(self._connections) >= self.most_connections

    def _hung_up(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        if not self._is_away:
            self._listen()

    async def _converse(self, connection: socket.socket) -> None:
        """Answer the requests of a connection one after the other."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader, writer = await asyncio.open_connection(sock=connection, limit=HANDSHAKE)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, asyncio.LimitOverrunError):
                while await self._answer(reader, writer):
                    pass
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.idle)
        method, path, headers = _parse(head)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self._under_way += 1
        line = VisitLine(path, headers.get("host", ""), time.monotonic(), self._under_way)
        self.log.lines.append(line)
        try:
            reply = self._reply(Asked(method, path, headers, body, line.began, self._under_way))
            return await self._send(reply, line, reader, writer)
        finally:
            self._under_way -= 1
            line.ended = min(line.ended, time.monotonic())

    def _reply(self, asked: Asked) -> Reply:
        reply = self.content(asked)
        reply = replace(reply, delay=reply.delay + self.latency)
        for rule in self.rules:
            status = reply.status
            reply = rule(asked, reply)
            if reply.status != status:
                break
        return reply

    async def _send(
        self, reply: Reply, line: VisitLine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if reply.end is End.SILENT:
            await reader.read()  # until the visitor hangs up
            return False
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if whole := reply.end in {End.SEND, End.CLOSE}:  # before the visitor has it, who may read the log then
            line.status, line.ended = reply.status, time.monotonic()
        writer.write(head_of(reply))
        if reply.end is End.DRIP:
            for start in range(0, len(reply.body), reply.piece):
                writer.write(reply.body[start : start + reply.piece])
                await writer.drain()
                await asyncio.sleep(reply.pause)
        else:
            writer.write(reply.body if whole else reply.body[: len(reply.body) // 2])
            await writer.drain()
        if reply.end is End.HANG:
            await reader.read()
        if reply.end is End.RESET:
            _reset(writer.get_extra_info("socket"), close=False)
        if reply.end is End.DRIP:
            line.status = reply.status
        if reply.end is End.CLOSE:
            writer.close()
            await writer.wait_closed()
        return reply.end in {End.SEND, End.DRIP}


def _parse(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = f"{first}  ".split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return method, path, {name.lower(): value.strip() for name, _, value in pairs}


def _close(connection: socket.socket, _: object) -> None:
    connection.close()


def _reset(connection: socket.socket, *, close: bool = True) -> None:
    """Let the close of a connection be a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if close:
        connection.close()


@contextmanager
def troubled_host(content: Content, **options: Any) -> Iterator[TroubledHost]:
    """A host that stops with the block; the options are those of `TroubledHost`."""
    host = TroubledHost(content, **options)
    try:
        yield host
    finally:
        host.stop()
