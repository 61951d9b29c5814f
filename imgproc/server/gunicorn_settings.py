"""The settings of gunicorn: it manages the processes, and `imgproc.server` talks to clients.

`gunicorn.conf.py` of a checkout imports them. Elsewhere, name them: `--config python:imgproc.server.gunicorn_settings`.
"""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

from imgproc.core import telemetry
from imgproc.core.config import settings_or_exit
from imgproc.core.hosts import bracketed
from imgproc.core.logs import TextFormatter
from imgproc.core.process import die_with_parent, limit_memory

_settings = settings_or_exit()


class EscapingLogger(Logger):
    """Writes what gunicorn logs before the app is loaded, without credentials or control characters."""

    def _set_handler(self, log: Any, output: Any, fmt: logging.Formatter, stream: Any = None) -> None:
        super()._set_handler(log, output, TextFormatter(fmt._fmt, fmt.datefmt), stream)


bind = f"{bracketed(_settings.host)}:{_settings.port}"
threads = _settings.web_threads
worker_class = "imgproc.server.gunicorn_worker.BufferingWorker"
logger_class = EscapingLogger
control_socket_disable = True
graceful_timeout = 10
loglevel = "warning"
forwarded_allow_ips = ""  # TRUSTED_PROXIES alone says which headers of proxies are believed
keepalive = 75  # seconds; longer than proxies and polling clients keep a connection, so that they close it first


def post_fork(_server: Any, _worker: Any) -> None:
    """End a worker with its master, and limit its memory.

    A worker notices by itself that its master has died, but not before it has answered its requests.
    """
    die_with_parent()
    limit_memory(_settings.web_memory_limit)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Send the spans and the reports that are waiting."""
    telemetry.flush()
