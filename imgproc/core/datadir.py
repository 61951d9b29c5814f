"""Keeps other users out of DATA_DIR, which holds secrets, uploads and the database."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OURS = {"embedded.lock", "embedded.json", "embedded.env", "imgproc.db", "metrics", "redis", "objects", "s3.log"}
SUFFIXES = (".new", "-wal", "-shm", "-journal")  # of files being written, and of SQLite


@contextmanager
def private_files() -> Iterator[None]:
    """Give only the owner access to files that this process and its children create in the block."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def make_private(data_dir: Path) -> None:
    """Create the folder, and remove the permissions of other users from it and from our files in it.

    A folder that also holds other files, such as /tmp, keeps its permissions, with a warning.

    Raises:
        OSError: it cannot be created.
    """
    with private_files():
        data_dir.mkdir(parents=True, exist_ok=True)
    entries = list(data_dir.iterdir())
    ours = [entry for entry in entries if _base(entry.name) in OURS]
    if len(ours) == len(entries):
        ours.append(data_dir)
    elif data_dir.stat().st_mode & OTHERS:
        log.warning(
            "Other users can list DATA_DIR %s, because it holds other files too: choose a folder of its own.", data_dir
        )
    for path in ours:
        _tighten(path)


def make_private_file(file: Path) -> None:
    """Create an empty file that only its owner may read, unless it exists. SQLite gives its other files that mode."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))


def _tighten(path: Path) -> None:
    if path.is_symlink():
        return  # its target is not in DATA_DIR
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OTHERS:
            path.chmod(mode & ~OTHERS)
    except FileNotFoundError:
        return  # it has been renamed or deleted meanwhile
    except PermissionError:
        log.warning(
            "Other users can read %s, which belongs to another user: its owner should run chmod go= on it.", path
        )


def _base(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name
