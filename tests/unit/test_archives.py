"""Archives that hold one catalogue file are read as that file; others are refused with what to do."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from imgproc.core.errors import InvalidCsv, UnsupportedFile
from imgproc.core.spool import HashedSpool
from imgproc.pipeline.table.read import CsvLimits, CsvReading, read_csv
from tests.support.workbook_files import HEADER, xls_of, xlsx_of, zip_of

LIMITS = CsvLimits(max_rows=100, max_images_per_row=5, max_bytes=100_000)
URL = "http://a.example/1.jpg"
CSV = f"SKU,Name,Images\n1,Mug,{URL}\n".encode()
XLSX = xlsx_of([HEADER, ("1", "Mug", URL)])
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def read(data: bytes) -> CsvReading:
    """The reading of a file."""
    return read_csv(io.BytesIO(data), limits=LIMITS)


def tar_of(data: bytes) -> bytes:
    """A TAR archive with one file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("products.csv")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return target.getvalue()


def encrypted(data: bytes) -> bytes:
    """A ZIP archive with the bit that marks its first member as encrypted."""
    place = data.rfind(b"PK\x01\x02")
    return data[: place + 8] + struct.pack("<H", 1) + data[place + 10 :]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(gzip.compress(CSV), "csv", id="gzip"),
        pytest.param(gzip.compress(CSV[:20]) + gzip.compress(CSV[20:]), "csv", id="gzip in two parts"),
        pytest.param(gzip.compress(XLSX), "xlsx", id="a workbook in gzip"),
        pytest.param(zip_of({"products.csv": CSV}), "csv", id="zip"),
        pytest.param(zip_of({"products.csv": CSV}, method=zipfile.ZIP_STORED), "csv", id="not compressed"),
        pytest.param(zip_of({"products.csv": CSV}, method=zipfile.ZIP_LZMA), "csv", id="LZMA"),
        pytest.param(zip_of({"products.xlsx": XLSX}), "xlsx", id="a workbook"),
        pytest.param(zip_of({"products.xls": xls_of([HEADER, ("1", "Mug", URL)])}), "xls", id="an old workbook"),
        pytest.param(zip_of({"../../etc/products.csv": CSV}), "csv", id="a path outside"),
        pytest.param(zip_of({"export\\products.csv": CSV}), "csv", id="a path of Windows"),
        pytest.param(zip_of({"export/": b"", "export/products.CSV": CSV}), "csv", id="a folder"),
        pytest.param(zip_of({"products": CSV}), "csv", id="no suffix"),
        pytest.param(zip_of({"products (1)": XLSX}), "xlsx", id="a workbook without a suffix"),
        pytest.param(zip_of({"products.csv": CSV, "read me.txt": b"Hello"}), "csv", id="a text beside it"),
        pytest.param(zip_of({"products.txt": CSV, "1.jpg": PNG, "2.pdf": b"%PDF-1.7"}), "csv", id="pictures beside it"),
        pytest.param(
            zip_of(
                {"__MACOSX/._products.csv": b"\0\5\x16\7", ".DS_Store": b"\0", "products.csv": CSV, "Thumbs.db": b"x"}
            ),
            "csv",
            id="files of operating systems",
        ),
    ],
)
def test_reads_the_catalogue_in_an_archive(data: bytes, kind: str) -> None:
    """The rows are those of the file inside, which is noted."""
    reading = read(data)
    assert reading.kind == kind
    assert [(row.serial_number, row.product_name, row.urls) for row in reading.rows] == [("1", "Mug", (URL,))]
    assert "archive_read" in {note.code for note in reading.notes}


def test_reads_an_archive_in_the_same_way_again() -> None:
    """A plan reads the stored archive again, and must find the same rows."""
    stream = io.BytesIO(zip_of({"b.csv": CSV, "notes.txt": b"x"}))
    first, again = (list(read_csv(stream, limits=LIMITS).rows) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "data",
    [zip_of({"a.csv": CSV}), gzip.compress(CSV), XLSX, zip_of({"a.xlsx": XLSX})],
    ids=["zip", "gzip", "workbook", "workbook in a zip"],
)
def test_reads_what_the_api_has_received(data: bytes) -> None:
    """An upload is a spooled file, which has fewer methods than a file."""
    with HashedSpool(tempfile.SpooledTemporaryFile(64)) as stream:
        stream.write(data)
        assert len(list(read_csv(cast("BinaryIO", stream), limits=LIMITS).rows)) == 1


def test_rows_can_be_read_after_the_reading_is_gone() -> None:
    """The temporary file lives as long as its rows are read."""
    for data in (gzip.compress(CSV), XLSX):
        assert len(list(read(data).parts)) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(zip_of({"a.csv": CSV, "b.csv": CSV}), "'a.csv' and 'b.csv'", id="two tables"),
        pytest.param(zip_of({f"{n}.csv": CSV for n in range(9)}), "and 7 more", id="nine tables"),
        pytest.param(zip_of({"a.csv": CSV, "b.xlsx": XLSX}), "'a.csv' and 'b.xlsx'", id="a table and a workbook"),
        pytest.param(zip_of({"a": CSV, "b": CSV}), "'a' and 'b'", id="two tables without a suffix"),
        pytest.param(zip_of({}), "holds no table", id="nothing"),
        pytest.param(zip_of({"1.png": PNG, "2.png": PNG}), "holds no table", id="pictures"),
        pytest.param(encrypted(zip_of({"a.csv": CSV})), "password", id="encrypted"),
        pytest.param(encrypted(zip_of({"a": CSV})), "password", id="encrypted, without a suffix"),
        pytest.param(zip_of({"a.csv": zip_of({"b.csv": CSV})}), "another archive", id="a ZIP in a ZIP"),
        pytest.param(zip_of({"a.zip": zip_of({"b.csv": CSV})}), "another archive", id="a ZIP in a ZIP, by name"),
        pytest.param(gzip.compress(gzip.compress(CSV)), "another archive", id="gzip twice"),
        pytest.param(gzip.compress(tar_of(CSV)), "TAR", id="a TAR in gzip"),
        pytest.param(tar_of(CSV), "TAR", id="a TAR"),
        pytest.param(zip_of({"a.zip": zip_of({"word/document.xml": "x"})}), "Word", id="a document in a ZIP"),
        pytest.param(zip_of({"a.csv": bytes(200_000)}), "larger than 100,000 bytes", id="a ZIP bomb"),
        pytest.param(gzip.compress(bytes(200_000)), "larger than 100,000 bytes", id="a gzip bomb"),
        pytest.param(zip_of({f"{n}": b"" for n in range(10_001)}), "more than 10,000 files", id="too many files"),
        pytest.param(zip_of({"a.csv": CSV})[:-10], "damaged", id="a ZIP cut off"),
        pytest.param(zip_of({"a.csv": CSV * 50}).replace(b"\0\0\0a.csv", b"\0\0\1a.csv"), "damaged", id="a false size"),
        pytest.param(gzip.compress(CSV)[:-10], "damaged", id="gzip cut off"),
        pytest.param(gzip.compress(CSV)[:-8] + bytes(8), "damaged", id="a wrong checksum"),
        pytest.param(b"PK\3\4" + bytes(100), "damaged", id="no directory"),
    ],
)
def test_refuses_an_archive_without_one_table(data: bytes, said: str) -> None:
    """The message names the files, or what is wrong."""
    with pytest.raises(UnsupportedFile, match=said):
        read(data)


def test_no_path_of_an_archive_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name cannot lead anywhere."""
    monkeypatch.chdir(tmp_path)
    assert list(read(zip_of({"a.csv": CSV})).rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook>', "2003", id="SpreadsheetML"
        ),
        pytest.param('<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "2003", id="no declaration"),
        pytest.param("<table><tr><th>SKU</th></tr></table>", "table in an HTML page", id="an HTML table"),
        pytest.param(
            '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><style>',
            "table in an HTML page",
            id="HTML for Excel",
        ),
        pytest.param("<!DOCTYPE html><title>Sign in</title>", "sign-in", id="a page"),
        pytest.param(
            "MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: text/html", "web archive", id="MHTML"
        ),
        pytest.param('{"url": "https://docs.google.com/open?id=1"}', "shortcut to a Google sheet", id="gsheet"),
        pytest.param("[InternetShortcut]\nURL=https://a.example", "shortcut to a page", id="a shortcut"),
        pytest.param("version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="Git LFS"),
        pytest.param('<?xml version="1.0"?><rss><channel>', "XML", id="a feed"),
        pytest.param('[{"sku": 1}]', "JSON", id="JSON"),
        pytest.param("[1, 2]", "JSON", id="JSON of numbers"),
        pytest.param("{'sku': 1}", "JSON", id="JSON in single quotes"),
        pytest.param('<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="SVG"),
        pytest.param("-- dump\n-- of 2026\n\nDROP TABLE IF EXISTS `p`;\n", "SQL", id="SQL"),
        pytest.param("/*!40101 SET x */;\nINSERT INTO p (sku) VALUES (1);\n", "SQL", id="SQL of MySQL"),
        pytest.param('ID;PWXL;N;E\nC;Y1;X1;K"SKU"\n', "SYLK", id="SYLK"),
        pytest.param('TABLE\n0,1\n"EXCEL"\n', "DIF", id="DIF"),
        pytest.param("{\\rtf1\\ansi", "RTF", id="RTF"),
        pytest.param("RIFF....WEBPVP8 ", "WebP", id="WebP"),
        pytest.param("\0\0\0\x18ftypheic", "HEIC", id="HEIC"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_names_the_kind_of_other_files(text: str, said: str, encoding: str, mark: str) -> None:
    """The remedy fits the kind: Excel opens what only has the name of a workbook. Marks may come once or twice."""
    is_binary = (not text.isprintable() and "\n" not in text) or "RIFF" in text or "rtf" in text
    if is_binary and (mark or encoding != "utf-8"):
        pytest.skip("no text")
    with pytest.raises(UnsupportedFile, match=said):
        read((mark + text).encode(encoding))


def test_looks_at_many_comments_once() -> None:
    """A text of nothing but comments is no dump, and costs no more than its length."""
    with pytest.raises(InvalidCsv):
        read(b"/*x*/ " * 800)
