"""Bytes of a CSV -> its text: which encoding it is in, and what cannot be decoded, in bounded memory."""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

from charset_normalizer import from_bytes

from imgproc.core.errors import InvalidCsv, RowError, UnsupportedFile
from imgproc.core.spool import Spool

SAMPLE_BYTES = 64 * 1024
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
    known = stream.ascii_bytes if isinstance(stream, Spool) else 0
    stream.seek(known - known % SAMPLE_BYTES)  # whole samples, so that the answer is the same for any stream
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
