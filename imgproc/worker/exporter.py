"""Serves `/metrics` of this machine where there is no web process: what its workers and its sweeper have counted."""

from __future__ import annotations

import os
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from imgproc.core.metric_files import registry_of
from imgproc.core.process import accept_stop_signals, die_with_parent

CLIENT_SECONDS = 5.0  # that a client may take
RESTART_SECONDS = 10.0  # between two starts

log = structlog.get_logger(__name__)


class Exporter:
    """A process that serves the metrics, for a parent that has one thread. It is replaced when it dies."""

    def __init__(self, *, port: int, folder: Path) -> None:
        self._port = port
        self._folder = folder
        self._process: ForkProcess | None = None
        self._start_at = 0.0

    def keep_alive(self) -> None:
        """Start the process if it does not run; a no-op without a port."""
        is_alive = self._process is not None and self._process.is_alive()
        if self._port and not is_alive and time.monotonic() >= self._start_at:
            self._start_at = time.monotonic() + RESTART_SECONDS
            self._process = get_context("fork").Process(target=self._run, args=(os.getpid(),), daemon=True)
            self._process.start()

    def _run(self, parent: int) -> None:
        accept_stop_signals()
        die_with_parent()
        if os.getppid() == parent:
            serve(port=self._port, folder=self._folder)


def serve(*, port: int, folder: Path) -> None:
    """Answer `GET /metrics` until the process ends. Processes of one machine share the port and the folder."""
    try:
        server = _Server(("", port), _handler(folder))
    except OSError as error:
        log.error("exporter_failed", port=port, error=str(error))
        return
    server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Let every process of this user listen on the port (SO_REUSEPORT, socket(7)): each answers the same."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def _handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = generate_latest(registry_of(folder))
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
            """No-op: scrapes are not logged."""

    return Handler
