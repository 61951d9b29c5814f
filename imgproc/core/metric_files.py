"""Keeps the counters and histograms of every process in files of one folder, and merges them for a scrape.

The files are those of prometheus_client's multiprocess mode, which names them by the process. Here they are named by a
slot: the lowest number whose file no living process has locked. The kernel frees the slot of a process that ends in any
way, and the next process counts on in its files. So nothing counted is lost or counted twice when processes die, and
there are never more files than there were processes at a time. The first process of a machine deletes old files.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector

KINDS = ("counter", "histogram")
LOCK_SECONDS = 2.0  # to wait for processes that start at the same time
RETRY_SECONDS = 60.0  # until a folder that could not be used is tried again
FILE_BYTES = 256 * 1024  # of a new file; one grows when it is full
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client looks for the folder


def _warn(event: str, **said: str) -> None:
    import structlog  # noqa: PLC0415 - half of the start of a program that decodes one picture, and logs nothing

    structlog.get_logger(__name__).warning(event, **said)


class _Slots:
    """The folder of this process, and its slot there. A forked child takes a slot of its own at its first count."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._taken: dict[tuple[int, Path], str] = {}
        self._lock = Lock()
        self._retry_at = 0.0
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Take a new slot in a forked child: the locks of its parent are not its own (fcntl(2))."""
        self._lock = Lock()
        self._taken = {}

    def name(self) -> str:
        """The name of this process in the names of its files; empty as long as there is no folder.

        Raises:
            OSError: the folder cannot be used; it is tried again after a minute.
        """
        if self.folder is None:
            return ""
        key = os.getpid(), self.folder
        with self._lock:
            if key not in self._taken:
                self._take(key)
            return self._taken[key]

    def _take(self, key: tuple[int, Path]) -> None:
        if time.monotonic() < self._retry_at:
            raise OSError("The folder of the metrics could not be used.")
        try:
            self._taken[key] = _take_slot(key[1])
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            _warn("metrics_not_kept", folder=str(key[1]), error=str(error))
            raise


_slots = _Slots()
_MappedValue: Any = values.MultiProcessValue(_slots.name)  # type: ignore[no-untyped-call]  # not typed


class _Value:
    """A value in the files of this process. Where they cannot be used, nothing is counted, and the work goes on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._arguments = args, kwargs
        self._kept: Any = values.MutexValue(*args, **kwargs)  # type: ignore[no-untyped-call]  # not typed
        self._move()

    def _move(self) -> None:
        """Move a value that is in memory to the files, as soon as there is a folder that can be used."""
        if _slots.folder and isinstance(self._kept, values.MutexValue):
            args, kwargs = self._arguments
            with suppress(OSError):
                self._kept = _MappedValue(*args, **kwargs)

    def inc(self, amount: float) -> None:
        """Add `amount`."""
        self._move()
        with suppress(OSError):
            self._kept.inc(amount)

    def get(self) -> float:
        """The value, of this process alone."""
        value: float = self._kept.get()
        return value

    def set_exemplar(self, _exemplar: object) -> None:
        """No-op: files hold no exemplars."""


values.ValueClass = _Value  # the metrics of prometheus_client make their values of it


def use(folder: Path) -> None:
    """Keep what this process counts from now on in `folder`, which is made at the first count."""
    os.environ[FOLDER_VARIABLE] = str(folder)
    _slots.folder = folder


@contextmanager
def in_memory() -> Iterator[None]:
    """Write no file in the body, and keep nothing that it counts.

    A child that is forked by `imgproc.embedded.forked` closes the descriptors of its parent, those of such files too.
    """
    folder, _slots.folder = _slots.folder, None
    try:
        yield
    finally:
        _slots.folder = folder


def merged(folder: Path) -> Iterable[Metric]:
    """The counters and histograms of all processes that use `folder`, the dead ones included.

    Raises:
        OSError, RuntimeError, ValueError, struct.error: the files cannot be read, or are damaged.
    """
    for last in (False, True):
        try:
            found: Iterable[Metric] = MultiProcessCollector.merge(map(str, folder.glob("*.db")))  # type: ignore[no-untyped-call]  # not typed
        except FileNotFoundError:  # the first process of a new start has just deleted the old files
            if last:
                raise
        else:
            return found
    return []


class Kept:
    """A collector of what all processes have counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. If the files cannot be read, log it and yield none."""
        try:
            yield from merged(self._folder)
        except (OSError, RuntimeError, ValueError, struct.error) as error:
            _warn("metrics_omitted", service="files", error=str(error))


def registry_of(folder: Path) -> CollectorRegistry:
    """A registry for one scrape."""
    registry = CollectorRegistry()
    registry.register(Kept(folder))
    return registry


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder, for a moment, so that processes take their slots one at a time.

    Raises:
        OSError: another process has held it for long; it may be suspended.
    """
    number = os.open(folder / "folder.lock", os.O_RDWR | os.O_CREAT, 0o600)
    give_up = time.monotonic() + LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(number)


def _take_slot(folder: Path) -> str:
    """Lock the lowest free slot for the life of this process. Without any other process, delete the old files first.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder):
        for slot in count():
            number = os.open(folder / f"{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(number)
                continue
            break
        if slot == 0 and not any(_is_locked(file) for file in folder.glob("[1-9]*.lock")):
            for file in folder.glob("*.db"):
                file.unlink()
        # With the folder's checksum, because a process that changes its folder must change its name.
        name = f"{slot}-{zlib.crc32(str(folder).encode()):08x}"
        for kind in KINDS:
            file = folder / f"{kind}_{name}.db"
            if not file.exists():
                _preallocate(file, FILE_BYTES)
        return name


def _is_locked(file: Path) -> bool:
    """Whether a process holds the slot of this file."""
    with file.open("r+b") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _preallocate(file: Path, size: int) -> None:
    """Make a file of zeros whose blocks exist: a process that writes to a mapped hole of a full disk is killed.

    Raises:
        OSError: the disk is full.
    """
    new = file.with_suffix(".new")  # renamed when it is whole, because a scrape may read it at any time
    number = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(number, 0, size)
        else:
            os.write(number, bytes(size))
        new.rename(file)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
    finally:
        os.close(number)
