"""What `imgproc check` looks at on this machine: room on its disks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from imgproc.cli.findings import Finding, ok, wrong
from imgproc.core.config import MIB, Settings

LEAST_DATA = 1024 * MIB  # free bytes beside the data of the embedded servers and SQLite
LEAST_METRICS = 16 * MIB
LEAST_FILES = 1000  # files that a disk must have room for


def check(settings: Settings) -> Iterator[Finding]:
    """Find the folders that have too little room, or cannot be written."""
    findings = [found for folder, least, use in _folders(settings) if (found := _folder(folder, least=least, use=use))]
    yield from findings or [ok("disk", text=f"{tempfile.gettempdir()} has room for uploads.")]


def _folders(settings: Settings) -> Iterator[tuple[Path, int, str]]:
    """Each folder, the bytes that must be free in it, and what it is for."""
    yield Path(tempfile.gettempdir()), min(settings.web_body_bytes, 2 * settings.max_upload_bytes), "uploads"
    database = sa.make_url(settings.database_url)
    if database.get_backend_name() == "sqlite":
        yield Path(database.database or "").parent, LEAST_DATA, "the database"
    yield settings.metrics_dir, LEAST_METRICS, "what processes count"


def _folder(folder: Path, *, least: int, use: str) -> Finding | None:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(place, os.W_OK):
        return wrong("disk", text=f"{folder}, for {use}, cannot be written: let this user write there.")
    free, system = shutil.disk_usage(place).free, os.statvfs(place)
    if free < least:
        room = f"{free // MIB} MiB free, and {least // MIB} MiB may be needed"
        return wrong("disk", text=f"{folder}, for {use}, has {room}: free space, or mount a larger disk.")
    if system.f_files and system.f_favail < LEAST_FILES:
        return wrong("disk", text=f"{folder}, for {use}, has room for {system.f_favail} more files: delete some.")
    return None
