"""Finds serial numbers that were seen before, with a few bytes of memory for each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import islice
from operator import lt
from typing import Any


class SerialNumbers:
    """The serial numbers seen so far, in 12 to 28 bytes each; a dict of a million strings would take 150 MB.

    While each is greater than the one before (by length, then text, as counting goes), none can be a duplicate, and
    they are only noted. The first that is not greater builds an open-addressing table, which then finds duplicates.

    Only hashes of 64 bits are kept. Among a million serial numbers, the chance that two have the same hash is one in 30
    million. Each process has a random hash key (PEP 456), so no file can be made to collide.
    """

    def __init__(self) -> None:
        self._greatest = (0, "")
        self._hashes = array("q", [0])  # Entry 0 is not a serial number: in the table it marks an empty slot.
        self._lines = array("I", [0])
        self._table = array("I")

    @property
    def rising(self) -> bool:
        """Whether each serial number so far was greater than the one before."""
        return not self._table

    def first_line(self, serial: str, line: int) -> int | None:
        """The line on which `serial` was seen first; None if it is new, and then noted for `line`."""
        key = hash(serial)
        if not self._table and (order := (len(serial), serial)) > self._greatest:
            self._greatest = order
        else:
            if not self._table:
                self._build_table()
            if first := self._find_or_place(key):
                return self._lines[first]
        self._hashes.append(key)
        self._lines.append(line)
        return None

    def note_rising(self, serials: Sequence[str], first_line: int) -> bool:
        """Note the serial numbers of consecutive lines; return False, and note none, unless all are certainly new."""
        lengths = set(map(len, serials))
        # Most neighbours have the same length, and then comparing the texts is enough.
        orders: Sequence[Any] = serials if len(lengths) == 1 else [*zip(map(len, serials), serials, strict=True)]
        is_rising = (len(serials[0]), serials[0]) > self._greatest and all(map(lt, orders, islice(orders, 1, None)))
        if not self.rising or not is_rising:
            return False
        self._greatest = (len(serials[-1]), serials[-1])
        self._hashes.fromlist(list(map(hash, serials)))  # faster than extending by an iterator
        self._lines.fromlist(list(range(first_line, first_line + len(serials))))
        return True

    def _find_or_place(self, key: int) -> int:
        """The entry of `key`; 0 if there is none, and its slot is then set for the entry that the caller adds."""
        if 2 * len(self._hashes) > len(self._table):
            self._build_table()
        table, hashes = self._table, self._hashes
        mask = len(table) - 1
        slot = key & mask
        while entry := table[slot]:
            if hashes[entry] == key:
                return entry
            slot = (slot + 1) & mask
        table[slot] = len(hashes)
        return 0

    def _build_table(self) -> None:
        mask = (4 << max(10, len(self._hashes).bit_length())) - 1
        self._table = table = array("I", bytes(4 * (mask + 1)))
        for entry in range(1, len(self._hashes)):
            slot = self._hashes[entry] & mask
            while table[slot]:
                slot = (slot + 1) & mask
            table[slot] = entry
