"""The scan of an uploaded CSV, compared with Python's own reader on the same bytes."""

from __future__ import annotations

import csv
import io
import tempfile
from functools import cache, partial

from benchmarks.measure import in_own_process, in_turns
from benchmarks.results import Table
from imgproc.pipeline.table.read import CsvLimits, read_csv, scan_csv

MEMORY_CODE = """
from benchmarks.measure import reset_peak, peak
from benchmarks.scan import LIMITS, read_csv, scan_csv
idle = reset_peak()
with open({file!r}, "rb") as stream:
    scan_csv(read_csv(stream, limits=LIMITS))
print(peak() - idle)
"""
LIMITS = CsvLimits(max_rows=1_000_000, max_images_per_row=50)


@cache
def file_of(rows: int, images: int) -> bytes:
    """A CSV as merchants export it: serial number, name, and a quoted list of URLs."""
    lines = ["S. No.,Product Name,Input Image Urls"]
    for row in range(1, rows + 1):
        urls = ",".join(f"https://cdn.example.com/products/{row}/view-{view}.jpg" for view in range(1, images + 1))
        lines.append(f'{row}.,SKU {row},"{urls}"')
    return ("\r\n".join(lines) + "\r\n").encode()


def measure(*, quick: bool = False) -> Table:
    """Rows a second of `csv.reader` and of `scan_csv`, which decodes, validates and counts."""
    number = 20_000 if quick else 1_000_000
    rows: list[list[str | float]] = []
    for images in (1, 3):
        body = file_of(number, images)
        costs = in_turns({"bare": partial(_bare, body), "ours": partial(_ours, body)}, rounds=3)
        mib = _memory(body)
        bare, ours = costs["bare"].cpu, costs["ours"].cpu
        rows.append([f"{number:,} rows, {images} URL(s) each", len(body) / 1e6, bare, ours, bare / ours, mib])
    columns = ["file", "MB", "csv.reader, CPU s", "scan_csv, CPU s", "scan ÷ csv.reader, speed", "scan, peak MiB"]
    return Table(
        "Scan of an upload", columns, rows, ["csv.reader over the same bytes, decoded as UTF-8, rows dropped."]
    )


def _memory(body: bytes) -> float:
    """Peak memory in MiB that reading adds to a fresh process."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        return int(in_own_process(MEMORY_CODE.format(file=file.name))) / 2**20


def _bare(body: bytes) -> None:
    for _ in csv.reader(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline="")):
        pass


def _ours(body: bytes) -> None:
    scan = scan_csv(read_csv(io.BytesIO(body), limits=LIMITS))
    assert not scan.errors
