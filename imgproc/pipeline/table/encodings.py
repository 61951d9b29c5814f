"""The bytes of a file -> its encoding: what the caller says, a byte order mark, UTF-8, or the letters of languages."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import BinaryIO

from imgproc.core.errors import InvalidCsv, RowError, UnsupportedFile
from imgproc.core.spool import Spool
from imgproc.pipeline.table.beyond_ascii import BeyondAscii, line_at
from imgproc.pipeline.table.code_pages import label, named, option
from imgproc.pipeline.table.evidence import Reading, readings, score_as, score_utf8, tokens
from imgproc.pipeline.table.kinds import SAVE_AS_CSV, refuse_other_kinds
from imgproc.pipeline.table.letters import LANGUAGES
from imgproc.pipeline.table.marks import unicode_of
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.signs import UNREADABLE, has_only_usual_signs
from imgproc.pipeline.table.text import invalid_csv

SAMPLE_BYTES = 64 * 1024
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
OUR_HEADER = re.compile(rb",(?:Output Image Urls|Error)\s*$")  # of output.csv and failed.csv
_UNSEEN = re.compile(rb"\xef\xbb\xbf|\xc2\xa0|\xe2\x80[\x8b-\x8f]")  # UTF-8 for marks and no-break spaces
ENOUGH_BYTES = 24  # beyond ASCII that are valid UTF-8 by no accident
UTF8_MARGIN = 3.0  # how much more likely UTF-8 must be than another reading of a few bytes that are valid UTF-8
LEAST_LIKELIHOOD = -7.0  # of a byte beyond ASCII, or the text is in no language we know
# How much more likely a reading must be, in natural logarithms: where one word decides, how much less for each word
# more, and the least.
FIRST_MARGIN, LESS_A_WORD, LEAST_MARGIN = 10.2, 0.3, 6.5
# The same by the words alone that two readings differ in. Where a file has enough words, those need only not disagree.
ALONE_MARGIN, ENOUGH_WORDS = 8.5, 12
SIGNS_MARGIN = 3.0  # the same where the reading has signs where only signs stand, and the rival has letters there
SHOWN = 60  # characters of a cell in a message
MAX_LINES = 100


def find_encoding(stream: BinaryIO, *, choice: str | None, notes: Notes) -> str:
    """Name the Python codec of the text in `stream`, which is read from its start; `choice` is the caller's word.

    UTF-8 is told by its bytes, UTF-16 and UTF-32 by their zeros. Any other encoding needs evidence: the words of the
    whole file beyond ASCII must be far more likely in one than in any that reads them otherwise.

    Raises:
        InvalidOption: `choice` is no encoding.
        InvalidCsv: the file is empty, in two encodings, or two readings are about as likely.
        UnsupportedFile: it is binary.
    """
    stream.seek(0)
    head = stream.read(SAMPLE_BYTES)
    if not head:
        raise invalid_csv(1, None, "empty_file", "The file is empty: upload a CSV with a header line and product rows.")
    by_bytes = unicode_of(head)
    if choice is not None:
        codec = named(choice)
        return by_bytes if by_bytes and label(by_bytes) == label(codec) else codec
    if by_bytes:
        if by_bytes.endswith(("le", "be")):
            notes.add("encoding_detected", f"The file is read as {label(by_bytes)}, by the zeros between its bytes.")
        return by_bytes
    _refuse_binary(head)
    if b"\x1b$" in head and head.isascii():
        notes.add("encoding_detected", "The file is read as ISO-2022-JP, by the escape sequences in its text.")
        return "iso2022_jp"
    known = stream.ascii_bytes if isinstance(stream, Spool) else 0
    start = known - known % SAMPLE_BYTES  # whole samples, so that the answer is the same for any stream
    return "utf-8" if _is_utf8(stream, start) else _by_letters(stream, start, notes)


def _refuse_binary(head: bytes) -> None:
    refuse_other_kinds(head)
    controls = len(head) - len(head.translate(None, CONTROL_BYTES))
    # Control bytes are a tenth of compressed data; text has next to none.
    if controls > len(head) / 20:
        raise UnsupportedFile(f"The file is not plain text: {SAVE_AS_CSV}.")


def _is_utf8(stream: BinaryIO, start: int) -> bool:
    """Whether the first bytes beyond ASCII are valid UTF-8 and so many that this is no accident; or there are none.

    Bad bytes later on are then damage, and errors on their lines.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    stream.seek(start)
    seen = 0
    chunk = b" "
    while chunk:
        chunk = stream.read(SAMPLE_BYTES)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            return False
        if not text.isascii():
            seen += len(text.encode()) - sum(map(text.count, _ASCII)) if len(text) < 4096 else ENOUGH_BYTES
            if seen >= ENOUGH_BYTES or len(chunk) == SAMPLE_BYTES:
                return True
    return not seen or _is_likely_utf8(stream, start)


_ASCII = [chr(code) for code in range(128)]
_ASCII_BYTES = bytes(range(128))


def _is_likely_utf8(stream: BinaryIO, start: int) -> bool:
    """Whether a few bytes are more likely UTF-8 than a word of Chinese or Korean; the files that we write are UTF-8."""
    stream.seek(0)
    if OUR_HEADER.search(stream.read(SAMPLE_BYTES).partition(b"\n")[0]):
        return True
    found = BeyondAscii.of(stream, start)
    if not any(_UNSEEN.sub(b"", cell).strip(_ASCII_BYTES) for cell in found.utf8):
        return True  # nothing but marks, where files were appended to each other, and spaces
    utf8 = score_utf8(found.utf8)
    margin = 0.0 if all(has_only_usual_signs(utf8.read(word)) for word in tokens(found.utf8)) else UTF8_MARGIN
    return all(utf8.score - margin >= each.score for each in readings(found.utf8, found.present))


def _by_letters(stream: BinaryIO, start: int, notes: Notes) -> str:
    found = BeyondAscii.of(stream, start)
    cells = found.others or found.utf8
    utf8 = score_utf8(cells)
    ranked = sorted([utf8, *readings(cells, found.present)], key=lambda each: -each.score)
    if not any(
        character > UNREADABLE or "\x7f" < character < UNREADABLE for cell in cells for character in utf8.read(cell)
    ):
        ranked.remove(utf8)  # Nothing beyond ASCII is valid.
    best, *others = ranked
    if best is not utf8 and found.others and found.utf8 and not _same_encoding(found, best):
        return _mixed(stream, found)
    for each in others:
        if _is_close(best, each, tokens(cells)):
            raise _unclear(stream, cells, best, each)
    unknown = best.score < LEAST_LIKELIHOOD * sum(byte > 127 for cell in cells for byte in cell)
    if unknown and (rival := next((each for each in others if _differ(best, each, cells)), None)):
        raise _unclear(stream, cells, best, rival)
    if best is not utf8:  # UTF-8 needs no note; bytes that are not are errors on their lines.
        _note(notes, best, next(iter(cells)))
    return best.codec


def _is_close(best: Reading, rival: Reading, words: list[bytes]) -> bool:
    """Whether a rival that reads some words otherwise is about as likely, by all words or by those alone.

    Words that both read alike tell the language, but a word of another language among them must not decide.
    """
    differing = [word for word in words if best.read(word) != rival.read(word)]
    if not differing:
        return False
    margin = max(FIRST_MARGIN - LESS_A_WORD * (len(differing) - 1), LEAST_MARGIN)
    read = ((best.read(word), rival.read(word)) for word in differing)
    if all(has_only_usual_signs(ours) and not has_only_usual_signs(other) for ours, other in read):
        margin = SIGNS_MARGIN
    if best.score - rival.score < margin:
        return True
    # A word with bytes that are no text is an error on its line, whatever else it may be.
    alone = [word for word in differing if UNREADABLE not in best.read(word)]
    needed = min(margin, ALONE_MARGIN) if len(words) < ENOUGH_WORDS else 0.0
    return bool(alone) and score_as(alone, best.codec) - score_as(alone, rival.codec) < needed


def _differ(one: Reading, other: Reading, cells: Iterable[bytes]) -> bool:
    return any(one.read(cell) != other.read(cell) for cell in cells)


def _same_encoding(found: BeyondAscii, best: Reading) -> bool:
    """Whether the cells that could be UTF-8, too, are likely in the encoding of the others."""
    same = next((each for each in readings(found.utf8, found.present) if each.codec == best.codec), None)
    return same is not None and same.score > score_utf8(found.utf8).score


def _mixed(stream: BinaryIO, found: BeyondAscii) -> str:
    """UTF-8 where most cells are, so that the others are errors on their lines.

    Raises:
        InvalidCsv: UTF-8 are the fewer.
    """
    if found.utf8_cells >= found.other_cells:
        return "utf-8"
    other = line_at(stream, min(found.others.values()))
    lines = sorted({line_at(stream, offset) for offset in list(found.utf8.values())[:MAX_LINES]})
    detail = (
        f"This line is written in UTF-8, and other lines, such as line {other}, are not: write it again in the program "
        "that the other lines are from, and save all of them as “CSV UTF-8”."
    )
    raise InvalidCsv(detail, errors=[RowError(line, None, "mixed_encodings", detail) for line in lines])


def _unclear(stream: BinaryIO, cells: dict[bytes, int], best: Reading, rival: Reading) -> InvalidCsv:
    cell = next(cell for cell in cells if best.read(cell) != rival.read(cell))
    names = " or ".join(f"encoding={option(each.codec)}" for each in (best, rival))
    detail = (
        f"The file does not say its encoding, and it can be read in two ways: here it says "
        f"“{_shown(best, cell)}” in {label(best.codec)}, or “{_shown(rival, cell)}” in {label(rival.codec)}. "
        f"Send {names}, whichever is right, or save the table as “CSV UTF-8”."
    )
    return invalid_csv(line_at(stream, cells[cell]), None, "encoding_unclear", detail)


def _note(notes: Notes, best: Reading, cell: bytes) -> None:
    detail = (
        f"The file does not say its encoding. It is read as {label(best.codec)}, because its letters follow each other "
        f"as in {LANGUAGES[best.language]}: “{_shown(best, cell)}”. If that is wrong, name the encoding "
        "(encoding=…), or save the table as “CSV UTF-8”."
    )
    notes.add("encoding_detected", detail)


def _shown(reading: Reading, cell: bytes) -> str:
    return reading.read(cell).strip()[:SHOWN]
