"""Bytes of a CSV -> records: which encoding it is in, and where each row of cells starts, in bounded memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from charset_normalizer import from_bytes

from imgproc.errors import InvalidCsv, RowError, UnsupportedFile

SAMPLE_BYTES = 64 * 1024
MAX_ROW_CHARS = 1024 * 1024
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# What spreadsheets save as in practice; a longer list only gives short samples more ways to be misread.
LEGACY_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "euc_kr"]
MAGIC_NUMBERS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x1f\x8b": "a gzip archive",
}
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
# Strict decoders never yield a lone surrogate, so this one can only mean "bytes that are not text stood here".
UNDECODABLE = "\udfff"


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("imgproc.mark", _mark_undecodable)


def invalid_csv(line: int, column: str | None, code: str, detail: str) -> InvalidCsv:
    """The error of a whole file, with the one fault that explains it."""
    return InvalidCsv(detail, errors=[RowError(line, column, code, detail)])


def detect_encoding(stream: BinaryIO) -> str:
    """Name the Python codec of the text in `stream`, which is read from its start.

    A byte order mark decides; else the first byte that is not ASCII, which may be megabytes in: if it is not UTF-8, the
    lines around it are judged.

    Raises:
        InvalidCsv: the file is empty.
        UnsupportedFile: it is binary.
    """
    stream.seek(0)
    head = stream.read(SAMPLE_BYTES)
    if not head:
        raise invalid_csv(1, None, "empty_file", "The file is empty: upload a CSV with a header line and product rows.")
    for bom, encoding in BOMS.items():
        if head.startswith(bom):
            return encoding
    _refuse_binary(head)
    stream.seek(0)
    sample = _sample_that_is_not_utf8(stream)
    return _guess_legacy_encoding(sample) if sample else "utf-8"


def _refuse_binary(head: bytes) -> None:
    kinds = [kind for magic, kind in MAGIC_NUMBERS.items() if head.startswith(magic)]
    controls = len(head) - len(head.translate(None, CONTROL_BYTES))
    # Compressed data is a tenth control bytes and UTF-16 without a mark is half; text has next to none.
    if kinds or controls > len(head) / 20:
        kind = kinds[0] if kinds else "not plain text"
        raise UnsupportedFile(f"The file is {kind}: save the sheet as “CSV UTF-8” and upload that.")


def _sample_that_is_not_utf8(stream: BinaryIO) -> bytes:
    """The bytes around the first that are not UTF-8; none for a file that is, or that was until it was damaged."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = b" "
    try:
        while chunk:
            chunk = stream.read(SAMPLE_BYTES)
            if not decoder.decode(chunk, final=not chunk).isascii():
                return b""  # A legacy encoding never forms valid UTF-8 by chance; damage is reported row by row.
    except UnicodeDecodeError as error:
        if error.object[: error.start].isascii():
            return error.object + stream.read(SAMPLE_BYTES)
    return b""


def _guess_legacy_encoding(sample: bytes) -> str:
    """Windows-1252 unless another encoding reads the words of `sample` with less mess."""
    lines = [re.sub(rb"https?://\S*", b"", line) for line in sample.splitlines() if not line.isascii()]
    matches = from_bytes(b"\n".join(lines), cp_isolation=LEGACY_ENCODINGS)
    best = matches.best()
    if best is None:
        return "cp1252"
    plausible = {name for match in matches if match.chaos <= best.chaos for name in match.could_be_from_charset}
    return "cp1252" if "cp1252" in plausible else best.encoding


class _Lent(io.RawIOBase):
    """Lends a stream to a TextIOWrapper, which closes its own and asks for what SpooledTemporaryFile lacks in 3.10."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io always passes a memoryview
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def open_text(stream: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Read `stream` from its start as text, line ends kept; what cannot be decoded becomes `UNDECODABLE`."""
    stream.seek(0)
    return io.TextIOWrapper(io.BufferedReader(_Lent(stream)), encoding, errors="imgproc.mark", newline="")


class RowTooLongError(Exception):
    """A row has more than MAX_ROW_CHARS characters: keeping it would fill the memory."""


@dataclass
class Lines:
    """The lines of a text, as csv.reader takes them; `row` keeps those since it was last cleared.

    `faults` holds (index in `row`, code) of lines in which bytes that are no text were replaced by U+FFFD.
    """

    text: io.TextIOWrapper
    row: list[str] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    ended: bool = False

    def __iter__(self) -> Iterator[str]:
        row, readline = self.row, self.text.readline
        size = 0
        while line := readline(MAX_ROW_CHARS + 1):
            if UNDECODABLE in line or "\0" in line:
                line = self._replace_faults(line)
            size = size + len(line) if row else len(line)
            row.append(line)
            if size > MAX_ROW_CHARS:
                raise RowTooLongError
            yield line
        self.ended = True

    def _replace_faults(self, line: str) -> str:
        for character, code in ((UNDECODABLE, "undecodable"), ("\0", "nul_character")):
            if character in line:
                self.faults.append((len(self.row), code))
                line = line.replace(character, "\ufffd")
        return line


# The line a row starts on, its cells, and why these may not be what the merchant meant.
Record = tuple[int, list[str], RowError | None]


def read_records(text: io.TextIOWrapper, delimiter: str) -> Iterator[Record]:
    """Parse `text` by RFC 4180 into records, blank lines too (no cells).

    Raises:
        InvalidCsv: a quote is never closed, or a row is too long to keep; nothing after it could be trusted.
    """
    lines = Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    row = lines.row
    while True:
        line = reader.line_num + 1
        row.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except RowTooLongError as error:
            detail = f"The row has more than {MAX_ROW_CHARS:,} characters: put each product on a line of its own."
            raise invalid_csv(line, None, "row_too_long", detail) from error
        except csv.Error as error:
            lines.faults.clear()
            yield _malformed(line, lines, delimiter, str(error))
            continue
        yield line, cells, _unreadable(line, lines) if lines.faults else None


def _malformed(line: int, lines: Lines, delimiter: str, reason: str) -> Record:
    """The record csv.reader gave up on, as far as it can be read; reading goes on at the next line."""
    too_long = "field larger" in reason
    if lines.ended or (too_long and "".join(lines.row).count('"') % 2):
        opened = line if too_long else line + _line_of_open_quote(lines.row, delimiter)
        detail = f"The quote opened on line {opened} is never closed: close it, or double it if it is part of the text."
        raise invalid_csv(opened, None, "unterminated_quote", detail)
    if too_long:
        detail = f"A cell has more than {csv.field_size_limit():,} characters: shorten it."
        return line, [], RowError(line, None, "cell_too_long", detail)
    closed = line + len(lines.row) - 1
    detail = (
        f"Text follows the quote that closes a cell on line {closed}: quote all of the cell, and double quotes in it."
    )
    return line, _read_leniently(lines.row, delimiter), RowError(line, None, "stray_quote", detail)


def _read_leniently(row: list[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(row, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:  # Beyond the fault there may be a cell that is too long.
        return []


def _line_of_open_quote(row: list[str], delimiter: str) -> int:
    """The index of the line on which the last cell, which takes in the rest of the file, began."""
    spanned = len(io.StringIO(_read_leniently(row, delimiter)[-1], newline="").readlines())
    return len(row) - max(spanned, 1)


def _unreadable(line: int, lines: Lines) -> RowError:
    index, code = lines.faults[0]
    lines.faults.clear()
    if code == "nul_character":
        detail = "The line holds a NUL character: remove it."
    else:
        detail = f"The line holds bytes that are not {lines.text.encoding} text: save the sheet as “CSV UTF-8”."
    return RowError(line + index, None, code, detail)
