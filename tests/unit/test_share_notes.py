"""The notes on share links in the reading of a file: one for each service, with a count."""

from __future__ import annotations

import io

import pytest

from imgproc.pipeline.table.read import CsvLimits, Note, read_csv, scan_csv

HEADER = "S. No.,Product Name,Input Image Urls\n"
DRIVE = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz/view"
DROPBOX = "https://www.dropbox.com/s/abc/x.jpg?dl=0"
OTHER = "https://shop.example/a.jpg"


def notes_of(rows: str) -> list[Note]:
    """The notes on share links after a scan."""
    reading = read_csv(io.BytesIO(f"{HEADER}{rows}".encode()), limits=CsvLimits(1000, 50))
    scan_csv(reading)
    return [note for note in reading.notes if note.code == "share_link"]


@pytest.mark.parametrize("name", ["Mug", '"Mug ""blue"""'], ids=["plain rows", "other rows"])
def test_notes_each_service_once_with_its_first_line_and_a_count(name: str) -> None:
    """However many links a file has, the note stays one sentence or two."""
    rows = [OTHER, DRIVE, f'"{DRIVE},{DROPBOX},{DROPBOX}"', DRIVE, OTHER]
    found = notes_of("".join(f"{number},{name},{cell}\n" for number, cell in enumerate(rows, 1)))
    assert [(note.line, note.detail) for note in found] == [
        (
            3,
            "This is a share link of Google Drive; the file itself is downloaded from drive.usercontent.google.com."
            " The same holds for 2 more lines.",
        ),
        (4, "This is a share link of Dropbox; the file itself is downloaded from www.dropbox.com."),
    ]


@pytest.mark.parametrize(
    "cell",
    [
        OTHER,
        "https://www.dropbox.com/s/abc/x.jpg?dl=1",
        f'"{OTHER},https://drive.google.com.example/file/d/1AbCdEfGhIj"',
    ],
    ids=["another host", "a direct link", "a host that only begins like a service"],
)
def test_a_link_that_is_downloaded_as_it_is_has_no_note(cell: str) -> None:
    """Nothing was decided there."""
    assert notes_of(f"1,Mug,{cell}\n") == []


def test_a_bad_row_has_no_note() -> None:
    """Nothing of it is downloaded."""
    assert notes_of(f"1,,{DRIVE}\n2,Mug,{OTHER}\n") == []
