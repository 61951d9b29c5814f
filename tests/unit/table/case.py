"""The form of the tables of catalogue files: a text, and what is right for it.

In a text, `U/` stands for a host. A product is written `serial|name|pictures`, with the pictures by their paths on it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from imgproc.core.errors import InvalidCsv, UnsupportedFile
from imgproc.pipeline.table.products import merge
from imgproc.pipeline.table.read import CsvLimits, read_csv

HOST = "https://host/"
HEADER = "S. No.,Product Name,Input Image Urls\n"
LIMITS = CsvLimits(max_rows=5000, max_images_per_row=50)


@dataclass(frozen=True)
class Case:
    """`products` are right for `text`, and `notes` are made; or it is refused on `line` with `words` in the message."""

    text: str
    products: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    notes: frozenset[str] = frozenset()
    line: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a file was read: its products and the codes of its notes, or the lines and messages of its faults."""

    products: tuple[tuple[str, str, tuple[str, ...]], ...]
    notes: frozenset[str]
    faults: tuple[tuple[int | None, str], ...]


def read(text: str, *products: str, notes: str = "") -> Case:
    """A file that is read; `notes` are the codes of all its notes."""
    found = []
    for product in products:
        serial, name, pictures = product.rsplit("|", 2)
        found.append((serial, name, tuple(HOST + each for each in pictures.split())))
    return Case(text.replace("U/", HOST), tuple(found), frozenset(notes.split()))


def refuse(text: str, line: int, *words: str) -> Case:
    """A file that is refused, with a remedy that holds `words`."""
    return Case(text.replace("U/", HOST), line=line, words=words)


def outcome(data: str | bytes) -> Outcome:
    """Read a file to its end."""
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    try:
        reading = read_csv(stream, limits=LIMITS)
        rows = list(merge(reading.rows))
    except InvalidCsv as error:
        return Outcome((), frozenset(), tuple((fault.line, fault.detail) for fault in error.errors))
    except UnsupportedFile as error:
        return Outcome((), frozenset(), ((None, error.detail),))
    faults = tuple((fault.line, fault.detail) for row in rows for fault in row.errors)
    products = tuple((row.serial_number, row.product_name, row.urls) for row in rows if not row.errors)
    return Outcome(products, frozenset(note.code for note in reading.notes), faults)
