"""How gunicorn runs, wherever it runs; the command line adds where it listens and how many threads it has."""

from __future__ import annotations

from typing import Any

from imgproc.config import load_settings
from imgproc.supervisor import die_with_parent, limit_memory

worker_class = "gthread"
control_socket_disable = True
graceful_timeout = 10
loglevel = "warning"
forwarded_allow_ips = ""  # what proxies say is believed by TRUSTED_PROXIES alone
keepalive = 75  # seconds; longer than proxies and polling clients keep theirs, so that it is they who hang up


def post_fork(_server: Any, _worker: Any) -> None:
    """Workers notice by themselves that their master has died, but first end what they do, however long that takes."""
    die_with_parent()
    limit_memory(load_settings().web_memory_limit)
