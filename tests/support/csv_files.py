"""CSV files to upload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

HEADER = "S. No.,Product Name,Input Image Urls"


def csv_of(*cells: str | Sequence[str], duplicates: bool = False) -> str:
    """A CSV with a product for each cell of one or many URLs.

    Unless `duplicates` is set, a URL that occurs again gets a query of its own: duplicates would be made only once.
    """
    listed = [[cell] if isinstance(cell, str) else list(cell) for cell in cells]
    if not duplicates:
        seen: Counter[str] = Counter()
        listed = [[_distinct(url, seen) for url in cell] for cell in listed]
    return "\n".join([HEADER, *(f'{row}.,SKU {row},"{",".join(cell)}"' for row, cell in enumerate(listed, start=1))])


def _distinct(url: str, seen: Counter[str]) -> str:
    seen[url] += 1
    return url if seen[url] == 1 else f"{url}?{seen[url]}"
