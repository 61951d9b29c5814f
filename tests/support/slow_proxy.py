"""A TCP proxy with a set delay: each piece of data passes some seconds late."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE = 1 << 16  # bytes


class SlowProxy:
    """Passes connections on to `target`. `delay` (seconds) may change at any time; `pieces` counts what was delayed."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.delay, self.pieces = 0.0, 0
        self._target = target
        self._listener = socket.create_server((target[0], 0))
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        """Accept connections until the proxy is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with suppress(OSError):
                    server = socket.create_connection(self._target)
                    for source, sink in ((client, server), (server, client)):
                        threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                if self.delay:
                    time.sleep(self.delay)
                    self.pieces += 1
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def slow_proxy(address: str, port: int) -> Iterator[SlowProxy]:
    """A proxy in front of `port` while the block runs, at the same address."""
    proxy = SlowProxy((address, port))
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
