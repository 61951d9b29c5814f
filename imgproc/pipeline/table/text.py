"""The bytes of a CSV -> its text: detects the encoding and marks undecodable bytes, in bounded memory."""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

from charset_normalizer import from_bytes

from imgproc.core.errors import InvalidCsv, RowError, UnsupportedFile
from imgproc.core.spool import Spool
from imgproc.pipeline.table.kinds import SAVE_AS_CSV, refuse_other_kinds

SAMPLE_BYTES = 64 * 1024
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# The encodings that spreadsheets use in practice. With a longer list, more short samples are misread.
LEGACY_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "euc_kr"]
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
# Strict decoders never yield a lone surrogate, so this one always marks bytes that are not text.
UNDECODABLE = "\udfff"


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("imgproc.mark", _mark_undecodable)


def invalid_csv(line: int, column: str | None, code: str, detail: str) -> InvalidCsv:
    """The error of a whole file, with a single fault."""
    return InvalidCsv(detail, errors=[RowError(line, column, code, detail)])


def detect_encoding(stream: BinaryIO) -> str:
    """Name the Python codec of the text in `stream`, which is read from its start.

    A byte order mark decides. Without one, the file is UTF-8 if its first bytes that are not ASCII are, however far in;
    otherwise the lines around them decide.

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
    refuse_other_kinds(head)
    controls = len(head) - len(head.translate(None, CONTROL_BYTES))
    # Control bytes are a tenth of compressed data and half of UTF-16 without a mark; text has next to none.
    if controls > len(head) / 20:
        raise UnsupportedFile(f"The file is not plain text: {SAVE_AS_CSV}.")


def _sample_that_is_not_utf8(stream: BinaryIO) -> bytes:
    """The bytes around the first that are not UTF-8; none if valid UTF-8 beyond ASCII comes first."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = b" "
    try:
        while chunk:
            chunk = stream.read(SAMPLE_BYTES)
            if not decoder.decode(chunk, final=not chunk).isascii():
                return b""  # Legacy encodings do not form valid UTF-8 by chance, so bad bytes later on are damage.
    except UnicodeDecodeError as error:
        if error.object[: error.start].isascii():
            return error.object + stream.read(SAMPLE_BYTES)
    return b""


def _guess_legacy_encoding(sample: bytes) -> str:
    """The encoding that decodes `sample` with the least mess; Windows-1252 where it does as well as any."""
    lines = [re.sub(rb"https?://\S*", b"", line) for line in sample.splitlines() if not line.isascii()]
    matches = from_bytes(b"\n".join(lines), cp_isolation=LEGACY_ENCODINGS)
    best = matches.best()
    if best is None:
        return "cp1252"
    plausible = {name for match in matches if match.chaos <= best.chaos for name in match.could_be_from_charset}
    return "cp1252" if "cp1252" in plausible else best.encoding


class _Borrowed(io.RawIOBase):
    """Wraps a stream for TextIOWrapper, which closes its own and needs methods SpooledTemporaryFile lacks in 3.10."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io always passes a memoryview
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def open_text(stream: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Open `stream` as text from its start; line ends are kept, and undecodable bytes become `UNDECODABLE`."""
    stream.seek(0)
    return io.TextIOWrapper(io.BufferedReader(_Borrowed(stream)), encoding, errors="imgproc.mark", newline="")
