"""How gunicorn runs, wherever it runs: it keeps the processes, and `imgproc.server` speaks to clients."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

from imgproc.core.config import load_settings
from imgproc.core.hosts import bracketed
from imgproc.core.logs import TextFormatter
from imgproc.core.process import die_with_parent, limit_memory

_settings = load_settings()


class _EscapingLogger(Logger):
    """Writes what gunicorn logs before the app is loaded, without credentials or control characters."""

    def _set_handler(self, log: Any, output: Any, fmt: logging.Formatter, stream: Any = None) -> None:
        super()._set_handler(log, output, TextFormatter(fmt._fmt, fmt.datefmt), stream)


bind = f"{bracketed(_settings.host)}:{_settings.port}"
threads = _settings.web_threads
worker_class = "imgproc.server.gunicorn_worker.BufferingWorker"
logger_class = _EscapingLogger
control_socket_disable = True
graceful_timeout = 10
loglevel = "warning"
forwarded_allow_ips = ""  # what proxies say is believed by TRUSTED_PROXIES alone
keepalive = 75  # seconds; longer than proxies and polling clients keep theirs, so that it is they who hang up


def post_fork(_server: Any, _worker: Any) -> None:
    """Workers notice by themselves that their master has died, but first end what they do, however long that takes."""
    die_with_parent()
    limit_memory(_settings.web_memory_limit)
