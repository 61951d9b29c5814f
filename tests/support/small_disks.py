"""A small disk for a server: a file system in memory, which only the server and its children see."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from imgproc.embedded.supervisor import Service, spawn
from tests.support.processes import wait_until

# $1 is the folder, $2 its size; what is in the folder is copied into the file system that hides it.
MOUNT = """
cp -a "$1" "$1.before"
mount -t tmpfs -o size="$2" tmpfs "$1"
cp -a "$1.before/." "$1/"
chown --reference="$1.before" "$1"
chmod --reference="$1.before" "$1"
shift 2
exec "$@"
"""
OWN_MOUNTS = ["unshare", "--mount", "--"]


@lru_cache(maxsize=1)
def why_not() -> str:
    """Why no disk can be made here; empty if one can."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return "only root may mount a small disk"
    mounting = subprocess.run([*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True)
    return mounting.stderr.decode()


def on_small_disk(service: Service, folder: Path, *, size: str) -> Service:
    """The service, with `folder` on a disk of `size`, such as `16m`."""
    return replace(service, command=[*OWN_MOUNTS, "sh", "-ec", MOUNT, "sh", str(folder), size, *service.command])


@contextmanager
def running(service: Service) -> Iterator[int]:
    """Run the service; the pid of its process."""
    process = spawn(service)
    try:
        wait_until(lambda: process.poll() is not None or service.ready())
        assert process.poll() is None, f"{service.name} ended"
        yield process.pid
    finally:
        process.kill()
        process.wait()


def seen_by(pid: int, folder: Path) -> Path:
    """The folder as the process sees it."""
    return Path(f"/proc/{pid}/root{folder}")


def fill(folder: Path) -> Path:
    """Fill the disk of a folder; the file that does, to delete."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return filler
