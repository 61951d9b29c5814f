"""Rows -> the output CSV and the failed CSV, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imgproc.pipeline.table.formulas import guard

INPUT_HEADER = ("S. No.", "Product Name", "Input Image Urls")
CHUNK_CHARS = 64 * 1024


@dataclass(frozen=True)
class OutputRow:
    """One line of the output CSV.

    `input_urls` and `output_urls` have a slot for each URL of the row, in order; None is a failed image. For a skipped
    row, `input_urls` is the text of its URL cell, and there are no output URLs.
    """

    serial_number: str
    product_name: str
    input_urls: Sequence[str] | str
    output_urls: Sequence[str | None]


@dataclass(frozen=True)
class FailedRow:
    """One line of the failed CSV: the cells of the input as read, and a sentence that says what failed."""

    serial_number: str
    product_name: str
    input_cell: str
    error: str


def write_output_csv(rows: Iterable[OutputRow]) -> Iterator[bytes]:
    """Yield the output CSV in chunks of about 64 KiB: UTF-8, RFC 4180, one line a row, formulas guarded."""
    lines = ((row.serial_number, row.product_name, _join(row.input_urls), _join(row.output_urls)) for row in rows)
    return _write((*INPUT_HEADER, "Output Image Urls"), lines)


def write_failed_csv(rows: Iterable[FailedRow]) -> Iterator[bytes]:
    """Yield the failed CSV, in the form of the output CSV. Uploaded again, it gives the same values."""
    lines = ((row.serial_number, row.product_name, row.input_cell, row.error) for row in rows)
    return _write((*INPUT_HEADER, "Error"), lines)


def _write(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(header)
    for line in lines:
        writer.writerow([guard(cell) for cell in line])
        if buffer.tell() >= CHUNK_CHARS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _join(slots: Sequence[str | None] | str) -> str:
    return slots if isinstance(slots, str) else ",".join(slot or "" for slot in slots)
