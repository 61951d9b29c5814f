"""Finds serial numbers that were seen before, with a few bytes of memory for each."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from operator import lt
from typing import Any


class SerialNumbers:
    """The serial numbers seen so far, in 8 to 32 bytes each; a dict of a million strings would take 150 MB.

    While each is greater than the one before (by length, then text, as counting goes), none can be a duplicate, and
    they are only noted. The first that is not greater builds an open-addressing table, which then finds duplicates.

    Only hashes of 64 bits are kept. Among a million serial numbers, the chance that two have the same hash is one in 30
    million. Each process has a random hash key (PEP 456), so no file can be made to collide.
    """

    def __init__(self) -> None:
        self._greatest = (0, "")
        self._hashes = array("q", [0])  # Entry 0 is not a serial number: in the table it marks an empty slot.
        # The first entry and line of each run of entries that are on consecutive lines.
        self._run_entries, self._run_lines = array("I", [0]), array("I", [0])
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
                return self._line(first)
        self._start_run(line)
        self._hashes.append(key)
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
        self._start_run(first_line)
        self._hashes.fromlist(list(map(hash, serials)))  # faster than extending by an iterator
        return True

    def _start_run(self, line: int) -> None:
        """Note the line of the next entry, if it is not the one after the line of the last."""
        entry = len(self._hashes)
        if line - entry != self._run_lines[-1] - self._run_entries[-1]:
            self._run_entries.append(entry)
            self._run_lines.append(line)

    def _line(self, entry: int) -> int:
        run = bisect_right(self._run_entries, entry) - 1
        return self._run_lines[run] + entry - self._run_entries[run]

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
