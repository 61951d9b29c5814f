"""Touches a file on each pass of a process, for the health checks of containers and service managers."""

from __future__ import annotations

from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def beat(file: Path | None) -> None:
    """Set the time of `file` to now, and create it if it is missing. A failing disk is only logged."""
    if file is None:
        return
    try:
        file.touch()
    except OSError as error:
        log.warning("heartbeat_failed", file=str(file), error=str(error))
