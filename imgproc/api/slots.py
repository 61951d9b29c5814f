"""Limits how many large files a process reads at a time, in total and for each owner."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from imgproc.core.errors import ServerBusy, TooManyUploads


class Slots:
    """`total` slots, at most half of them for one owner. Up to `waiting` threads wait up to `patience` seconds for one.

    If too many threads wait already, the call is refused at once, so that some threads stay free for other calls.
    """

    def __init__(self, total: int, *, waiting: int, patience: float) -> None:
        self._total = total
        self._share = max(1, total // 2)
        self._places = waiting
        self._patience = patience
        self._held: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, owner: str, *, waits: bool = True) -> Iterator[None]:
        """Hold a slot in the block. A call that does not wait is refused at once if none is free.

        Raises:
            TooManyUploads: no slot of the owner's share became free.
            ServerBusy: no slot at all became free.
        """
        with self._changed:
            if not self._is_free(owner):
                self._wait(owner, waits=waits)
            self._held[owner] += 1
        try:
            yield
        finally:
            with self._changed:
                self._held[owner] -= 1
                self._held += Counter()  # drops the owners that hold none
                self._changed.notify_all()

    def _is_free(self, owner: str) -> bool:
        return self._held.total() < self._total and self._held[owner] < self._share

    def _wait(self, owner: str, *, waits: bool) -> None:
        if waits and self._places:
            self._places -= 1
            try:
                if self._changed.wait_for(lambda: self._is_free(owner), self._patience):
                    return
            finally:
                self._places += 1
        if self._held[owner] >= self._share:
            raise TooManyUploads(
                f"{self._share} of your large files are being read already; wait until one has been read."
            )
        raise ServerBusy("The server is reading as many large files as it can.")
