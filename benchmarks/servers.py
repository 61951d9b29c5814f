"""An image host in a process of its own, so that its CPU time is not taken for ours; as lean as a real one is."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

END_OF_HEAD = b"\r\n\r\n"


class _Host(asyncio.Protocol):
    """Answers every request with the same picture, over connections that are kept alive."""

    def __init__(self, body: bytes, delay: float) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}".encode()
        self._answer = head + END_OF_HEAD + body
        self._delay = delay
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Once the head of a request is whole, wait as a slow host would, then send the picture."""
        self._asked += data
        while END_OF_HEAD in self._asked:
            self._asked = self._asked.partition(END_OF_HEAD)[2]
            asyncio.get_running_loop().call_later(self._delay, self._send)

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)


async def _serve(body: bytes, delay: float, told: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Host(body, delay), "127.0.0.1", 0, backlog=128)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run(body: bytes, delay: float, told: Connection) -> None:
    asyncio.run(_serve(body, delay, told))


@contextmanager
def image_host(body: bytes, *, delay: float = 0) -> Iterator[str]:
    """The base URL of a host that answers `delay` seconds after it was asked."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(body, delay, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
