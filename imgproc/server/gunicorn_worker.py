"""The worker class for gunicorn: `worker_class = "imgproc.server.gunicorn_worker.BufferingWorker"`."""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
from types import FrameType
from typing import Any

from gunicorn.config import Config
from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from imgproc.core.config import FORM_OVERHEAD, Settings, load_settings
from imgproc.server.channel import Channel, Patience
from imgproc.server.listener import Limits, Server

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0  # the longest time between two checks of the clock
OWN_FILES = 200  # descriptors for everything but connections
FILES_A_CONNECTION = 3  # the socket, a body on disk, a response on disk
MEMORY_A_BUFFER = 64 * 1024  # bytes of a body or a response that stay in memory
RESPONSE_BYTES = 1024 * 1024 * 1024  # of one response kept on disk for a slow client; beyond it the thread waits
UNSENT_BYTES = 128 * 1024  # of a response that the kernel may buffer beside those in flight


class BufferingWorker(Worker):
    """Receives whole requests and sends whole responses in one loop. Threads only run the app."""

    @classmethod
    def check_config(cls, cfg: Config, _log: Any) -> None:
        """Refuse settings that this worker does not support.

        Raises:
            ValueError: TLS is configured.
        """
        if cfg.is_ssl:
            raise ValueError("This server does not support TLS: put a proxy with TLS in front of it.")

    def run(self) -> None:
        """Serve until gunicorn stops this worker, or has died."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits
        settings = load_settings()
        limits = _limits(settings, self.cfg)
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(self.cfg.threads)
        channels: dict[int, Channel] = {}
        sockets: dict[int, Any] = {}
        adjustments = _adjustments(settings)
        self._servers = [
            Server(
                self.wsgi,
                limits=limits,
                channels=channels,
                map=sockets,
                _sock=listener.sock,
                dispatcher=dispatcher,
                adj=adjustments,
                sockinfo=(listener.sock.family, listener.sock.type, 0, None),
            )
            for listener in self.sockets
        ]
        while self.alive and self.ppid == os.getppid():
            self._turn(sockets)
        self._finish(sockets, channels)
        dispatcher.set_thread_count(0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at this signal, and wake the loop."""
        super().handle_exit(sig, frame)
        for server in getattr(self, "_servers", []):
            server.pull_trigger()

    def _turn(self, sockets: dict[int, Any]) -> None:
        self.notify()
        wasyncore.poll2(TURN_SECONDS, sockets)

    def _finish(self, sockets: dict[int, Any], channels: dict[int, Channel]) -> None:
        """Respond to the requests already received, and accept no more."""
        for server in self._servers:
            server.stop_accepting()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while any(channel.has_work for channel in channels.values()) and time.monotonic() < deadline:
            for channel in list(channels.values()):
                if not channel.has_work:
                    channel.kill()
            self._servers[0].maintenance(0)
            self._turn(sockets)


def _limits(settings: Settings, cfg: Config) -> Limits:
    patience = Patience(
        seconds=settings.slow_client_seconds,
        bytes_per_second=settings.slow_client_rate,
        idle_seconds=cfg.keepalive,
    )
    body_bytes = max(settings.web_body_bytes, settings.max_upload_bytes + FORM_OVERHEAD)
    most = _affordable(settings.web_connections * 5 // 4)
    return Limits(connections=most * 4 // 5, most_connections=most, body_bytes=body_bytes, patience=patience)


def _affordable(connections: int) -> int:
    """Raise the limit of file descriptors for `connections`. Returns how many connections it allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = OWN_FILES + FILES_A_CONNECTION * connections
    files = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    affordable = max(8, (max(soft, files) - OWN_FILES) // FILES_A_CONNECTION)
    if affordable < connections:
        log.warning("WEB_CONNECTIONS is %d, but ulimit -n allows %d: raise it.", connections, affordable)
    return min(connections, affordable)


def _adjustments(settings: Settings) -> Adjustments:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES))
    adjustments = Adjustments(
        ident="imgproc",
        server_name=settings.host,
        backlog=2048,
        connection_limit=2**31,  # `Server` has its own limit, which closes old connections instead of refusing new ones
        cleanup_interval=1,
        max_request_header_size=32 * 1024,
        max_request_body_size=settings.max_upload_bytes + FORM_OVERHEAD + 1,
        inbuf_overflow=MEMORY_A_BUFFER,
        outbuf_overflow=MEMORY_A_BUFFER,
        outbuf_high_watermark=RESPONSE_BYTES,
        recv_bytes=64 * 1024,
        log_socket_errors=False,  # clients that hang up are normal
        clear_untrusted_proxy_headers=False,  # TRUSTED_PROXIES alone decides which are believed
    )
    adjustments.socket_options = options
    return adjustments
