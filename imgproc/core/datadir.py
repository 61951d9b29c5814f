"""DATA_DIR belongs to its owner alone: it holds secrets, uploads and the database."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OURS = {"embedded.lock", "embedded.json", "embedded.env", "imgproc.db", "redis", "objects", "s3.log"}
SUFFIXES = (".new", "-wal", "-shm", "-journal")  # of drafts and of the database


@contextmanager
def private_files() -> Iterator[None]:
    """Only the owner may read the files that this process and its children make in the block, whatever the umask."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def make_private(data_dir: Path) -> None:
    """Make the folder, and remove the permissions of other users on it and on our files in it.

    A folder that holds other things than ours, such as /tmp, stays as it is, with a warning.

    Raises:
        OSError: it cannot be made.
    """
    with private_files():
        data_dir.mkdir(parents=True, exist_ok=True)
    entries = list(data_dir.iterdir())
    ours = [entry for entry in entries if _base(entry.name) in OURS]
    if len(ours) == len(entries):
        ours.append(data_dir)
    elif data_dir.stat().st_mode & OTHERS:
        log.warning("Others may look into DATA_DIR %s, which holds other things too; choose one of its own.", data_dir)
    for path in ours:
        _tighten(path)


def make_private_file(file: Path) -> None:
    """Make an empty file that only we may read, unless there is one; SQLite gives its other files the same mode."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))


def _tighten(path: Path) -> None:
    if path.is_symlink():
        return  # what it points to lies elsewhere
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OTHERS:
            path.chmod(mode & ~OTHERS)
    except FileNotFoundError:
        return  # a draft, or a file of a database that has just been closed
    except PermissionError:
        log.warning("Others may read %s, and it is not ours to change: its owner should run chmod go= on it.", path)


def _base(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name
