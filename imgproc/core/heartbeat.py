"""Touches a file while a process does its rounds, for the health checks of containers and service managers."""

from __future__ import annotations

from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def beat(file: Path | None) -> None:
    """Set the time of `file` to now, and create it if it is missing. A disk that refuses is one line in the log."""
    if file is None:
        return
    try:
        file.touch()
    except OSError as error:
        log.warning("heartbeat_failed", file=str(file), error=str(error))
