"""A product on the line where the header should be."""

from __future__ import annotations

from collections.abc import Sequence

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.text import invalid_csv, shown


def is_url(heading: str) -> bool:
    """Whether a heading is a URL: then its line is a product."""
    return heading.strip().lower().startswith(("http://", "https://"))


def product_for_header(cells: Sequence[str], *, line: int) -> InvalidCsv:
    """The refusal of a product whose cells were chosen as headings: it would be lost."""
    detail = (
        f"Line {line} is {shown(cells)!r}, which has a URL as products have: write a header line above it, and choose "
        "its columns."
    )
    return invalid_csv(line, None, "missing_header", detail)
