"""The memory of a process that reads or writes a file of the largest size: bounded, and no larger for more rows."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets the peak of a process"),
]

MOST = 100 * 1_000_000  # bytes that the web process may take above its base
ROWS = 1_000_000
HEADER = "S. No.,Product Name,Input Image Urls\r\n"
URL = "https://cdn.example.com/products"

# What a process does with the file, and what it prints: its peak of memory above that at the start, and the rows.
MEASURE = """
import sys
from contextlib import suppress
from pathlib import Path
from imgproc.core.errors import InvalidInput
from imgproc.pipeline.table.read import CsvLimits, read_csv, scan_csv
from imgproc.pipeline.table.write import FailedFile, FileRow, Layout, output_lines, write_csv

def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024

def scan(reading):
    return scan_csv(reading).rows

def finalize(reading):
    layout = Layout(reading.header, reading.indices, reading.delimiter or ",")
    with open(sys.argv[2] + ".failed", "w+b") as stream:
        failed = FailedFile(layout, stream)
        def rows():
            for row in reading.rows:
                each = FileRow(row, ["https://cdn/1.jpg"] * len(row.urls), "It failed." if row.row % 3 else None)
                failed.add(each)
                yield each
        for _ in write_csv(output_lines(layout, rows())):
            pass
        failed.finish()
        return failed.rows

work = {"scan": scan, "finalize": finalize}[sys.argv[1]]
limits = CsvLimits(max_rows=1_000_000, max_images_per_row=50)
Path("/proc/self/clear_refs").write_text("5")
base = status("VmRSS")
rows = 0
with open(sys.argv[2], "rb") as stream, suppress(InvalidInput):
    rows = work(read_csv(stream, limits=limits, all_cells=sys.argv[1] == "finalize"))
print(status("VmHWM") - base, rows)
"""


def _plain(rows: int) -> bytes:
    """Rows with rising serial numbers, made by loops that run in C."""
    body = map(f"%d,Mug,{URL}/1.jpg\r\n".__mod__, range(1, rows + 1))
    return f"{HEADER}{''.join(body)}".encode()


def _shuffled(rows: int) -> bytes:
    """Serial numbers in no order, so that each is looked up."""
    body = map(f"%d,Mug,{URL}/1.jpg\r\n".__mod__, ((7919 * number) % rows for number in range(rows)))
    return f"{HEADER}{''.join(body)}".encode()


def _workbook(rows: int) -> bytes:
    """A workbook of texts in its rows."""
    cells = '<c t="inlineStr"><is><t>%s</t></is></c>'
    row = f'<row r="%d">{cells % "%d"}{cells % "Mug"}{cells % f"{URL}/1.jpg"}</row>'
    titles = "".join(cells % title for title in HEADER.strip().split(","))
    body = "".join(row % (number, number) for number in range(2, rows + 2))
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        book.add_worksheet("A")
    made = io.BytesIO()
    with zipfile.ZipFile(stream) as empty, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as full:
        for name in empty.namelist():
            text = empty.read(name).decode()
            full.writestr(name, text.replace("<sheetData/>", f"<sheetData><row r='1'>{titles}</row>{body}</sheetData>"))
    return made.getvalue()


def _columns(count: int, rows: int) -> bytes:
    """So many columns beside ours."""
    extra = ",x" * count
    body = "".join(f"{number},Mug,{URL}/1.jpg{extra}\r\n" for number in range(1, rows + 1))
    return f"{HEADER.strip()}{extra}\r\n{body}".encode()


# The file, and how many of its rows are counted; none if it is refused.
UPLOADS: dict[str, tuple[Callable[[], bytes], int]] = {
    "a million plain rows": (lambda: _plain(ROWS), ROWS),
    "200,000 rows in no order": (lambda: _shuffled(200_000), 200_000),
    "one line of 100 MiB": (lambda: HEADER.encode() + b"1,Mug," + b"x" * (100 << 20), 0),
    "one quoted line of 100 MiB": (lambda: HEADER.encode() + b'1,"' + b"x" * (100 << 20), 0),
    "10,000 columns": (lambda: _columns(10_000, 200), 0),
    "990 columns": (lambda: _columns(990, 5000), 5000),
    "a workbook of 100,000 rows": (lambda: _workbook(100_000), 100_000),
}


def peak(work: str, data: bytes, folder: Path) -> tuple[int, int]:
    """The bytes of memory that a process takes above its base to do this work, and the rows it counts."""
    path = folder / "upload"
    path.write_bytes(data)
    command = [sys.executable, "-c", MEASURE, work, str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout.split()
    return int(printed[0]), int(printed[1])


@pytest.mark.parametrize("name", UPLOADS)
def test_the_web_process_reads_any_upload_in_little_memory(name: str, tmp_path: Path) -> None:
    """At most 100 MB above its base. The program that reads workbooks has a limit of its own."""
    make, rows = UPLOADS[name]
    taken, counted = peak("scan", make(), tmp_path)
    assert (taken <= MOST, counted) == (True, rows), taken


def test_the_finalizer_takes_no_more_memory_for_more_rows(tmp_path: Path) -> None:
    """All it keeps of a row is the hash of the serial number, in 8 bytes."""
    few, many = (peak("finalize", _plain(rows), tmp_path) for rows in (ROWS // 10, ROWS))
    assert (few[1], many[1]) == (66_667, 666_667)
    assert many[0] - few[0] <= 16 * ROWS
