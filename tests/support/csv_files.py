"""CSV files to upload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

HEADER = "S. No.,Product Name,Input Image Urls"


def csv_of(*cells: str | Sequence[str], repeats: bool = False) -> str:
    """A CSV with a product for each cell of one or many URLs.

    One that comes again gets a query of its own, as it would be made once otherwise, unless they are to be `repeats`.
    """
    listed = [[cell] if isinstance(cell, str) else list(cell) for cell in cells]
    if not repeats:
        seen: Counter[str] = Counter()
        listed = [[_distinct(url, seen) for url in cell] for cell in listed]
    return "\n".join([HEADER, *(f'{row}.,SKU {row},"{",".join(cell)}"' for row, cell in enumerate(listed, start=1))])


def _distinct(url: str, seen: Counter[str]) -> str:
    seen[url] += 1
    return url if seen[url] == 1 else f"{url}?{seen[url]}"
