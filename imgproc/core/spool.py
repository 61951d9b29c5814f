"""Temporary files that hash and inspect their bytes while they are written, which saves later passes."""

from __future__ import annotations

import hashlib
import weakref
from typing import IO


class Spool:
    """Wraps a binary file that is written once, from its start to its end, and then read.

    `ascii_bytes` counts the bytes before the first block that has a byte beyond ASCII.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.ascii_bytes = 0
        self._is_ascii = True
        self._file = file
        weakref.finalize(self, file.close)  # whoever drops the spool without closing it leaves no open file
        # The file's own methods, because a large file is read by thousands of calls.
        self.read, self.seek, self.tell, self.close = file.read, file.seek, file.tell, file.close

    def write(self, block: bytes) -> int:
        """Write the next block and return the number of bytes written."""
        if self._is_ascii and block.isascii():
            self.ascii_bytes += len(block)
        else:
            self._is_ascii = False
        return self._file.write(block)

    def seekable(self) -> bool:
        """Return True; zipfile asks."""
        return True

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class HashedSpool(Spool):
    """A spool that also takes the SHA-256 of its bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.sha256 = hashlib.sha256()

    def write(self, block: bytes) -> int:
        """Write and hash the next block, and return the number of bytes written."""
        self.sha256.update(block)
        return super().write(block)
