"""Counts the images of a file by their host."""

from __future__ import annotations

import re
from collections import Counter

from imgproc.pipeline.table.plain import PlainRows
from imgproc.pipeline.table.rows import Row

MAX_HOSTS = 1000  # that are counted; a file with more has the images of the others left out

_HOST = re.compile(r"https?://([^/?#:,\s]+)", re.I)


class HostCounts:
    """How many images of good rows each host has."""

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()

    def add(self, part: Row | PlainRows) -> None:
        """Count the images of a row, if it is good, or of a block of rows."""
        if isinstance(part, PlainRows):
            hosts = _HOST.findall("\n".join(part.cells))
        else:
            hosts = [] if part.errors else [host for url in part.urls for host in _HOST.findall(url)[:1]]
        for host, images in Counter(host.lower() for host in hosts).items():
            if host in self._images or len(self._images) < MAX_HOSTS:
                self._images[host] += images

    def most_common(self) -> tuple[tuple[str, int], ...]:
        """The hosts with their images, those with the most first."""
        return tuple(self._images.most_common())
