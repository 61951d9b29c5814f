"""Which serial number was seen before, and where, in a few bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import islice
from operator import lt
from typing import Any


class SerialNumbers:
    """The serial numbers seen so far, in 12 to 28 bytes each; a dict of a million strings would take 150 MB.

    While each is greater than the one before (by length, then text, as counting goes) none can repeat, and they are
    only noted. The first that is not builds an open-addressing table, which from then on finds the others.

    Hashes of 64 bits are kept, keyed anew in each process (PEP 456): among a million serial numbers, two are taken for
    one with a chance of one in 30 million, and nobody can prepare a pair.
    """

    def __init__(self) -> None:
        self._greatest = (0, "")
        self._hashes = array("q", [0])  # Entry 0 is no serial number: in the table it means an empty slot.
        self._lines = array("I", [0])
        self._table = array("I")

    @property
    def rising(self) -> bool:
        """Whether each was greater than the one before, so far."""
        return not self._table

    def first_line(self, serial: str, line: int) -> int | None:
        """The line `serial` was first seen on; None if that is now, on `line`."""
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
        """Note serial numbers of one line after the other; False, and none noted, unless each is surely a new one."""
        lengths = set(map(len, serials))
        # Of one length, as most neighbours are, the texts alone are compared.
        orders: Sequence[Any] = serials if len(lengths) == 1 else [*zip(map(len, serials), serials, strict=True)]
        is_rising = (len(serials[0]), serials[0]) > self._greatest and all(map(lt, orders, islice(orders, 1, None)))
        if not self.rising or not is_rising:
            return False
        self._greatest = (len(serials[-1]), serials[-1])
        self._hashes.fromlist(list(map(hash, serials)))
        self._lines.fromlist(list(range(first_line, first_line + len(serials))))
        return True

    def _find_or_place(self, key: int) -> int:
        """The entry of `key`; 0 if there is none, and its slot is then taken for the entry about to be added."""
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
