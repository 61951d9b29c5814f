"""An archive with one catalogue file in it -> that file, in a temporary file of bounded size.

Names inside the archive only help to choose; no path is ever made of them.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tempfile
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from imgproc.core.errors import UnsupportedFile
from imgproc.core.spool import Spool
from imgproc.pipeline.table.kinds import is_gzip, is_ole, is_zip, refuse_other_kinds
from imgproc.pipeline.table.notes import Notes

IN_MEMORY = 1024 * 1024
CHUNK = 256 * 1024
HEAD = 4096
MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = 4 * 1024 * 1024  # of a ZIP archive; reading it takes a few times as much memory
TABLES = {".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_UNPACK = "unpack it, and upload the file inside"
_DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, struct.error)


class TemporarySpool(Spool):
    """A spool in a temporary file, which goes away with it: whoever reads its rows may stop at any of them."""


def unpack(stream: BinaryIO, *, max_bytes: int, notes: Notes) -> BinaryIO:
    """The catalogue file inside the archive `stream`, or `stream` itself if it is no archive, or a workbook.

    The file inside has at most `max_bytes`. The same archive always gives the same bytes.

    Raises:
        UnsupportedFile: the archive is damaged, encrypted or too large, or holds no such file, or several.
    """
    head = peek(stream)
    try:
        if is_gzip(head):
            with gzip.GzipFile(fileobj=stream) as packed:
                inside = _copy(packed, max_bytes=max_bytes)
            notes.add("archive_read", "The file inside the gzip archive is read.")
        elif is_zip(head) and workbook_suffix(names := list_names(stream)) is None:
            _refuse_documents(names)
            with zipfile.ZipFile(stream) as archive:
                member = _choose(archive)
                with archive.open(member) as packed:
                    inside = _copy(packed, max_bytes=max_bytes)
            notes.add("archive_read", f"The file {_shown(member)} of the ZIP archive is read.")
        else:
            return stream
    except NotImplementedError as error:
        raise UnsupportedFile(f"The ZIP archive is compressed by a method that we cannot read: {_UNPACK}.") from error
    except _DAMAGED as error:
        raise UnsupportedFile(f"The archive is damaged or not complete: send it again, or {_UNPACK}.") from error
    _refuse_nested(inside)
    return inside


def peek(stream: BinaryIO) -> bytes:
    """The first block of a stream, which is left at its start."""
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    return head


def list_names(stream: BinaryIO) -> set[str]:
    """The names in a ZIP archive. Its directory is measured before it is read.

    Raises:
        UnsupportedFile: the archive holds too many files, or is damaged.
    """
    try:
        members, size = _directory_size(stream)
        if members > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
            raise UnsupportedFile(f"The ZIP archive holds more than {MAX_MEMBERS:,} files: {_UNPACK}.")
        with zipfile.ZipFile(stream) as archive:
            return {name.replace("\\", "/").lstrip("/") for name in archive.namelist()}
    except (*_DAMAGED, NotImplementedError) as error:
        raise UnsupportedFile("The file is damaged or not complete: save it again, and upload that.") from error


def _directory_size(stream: BinaryIO) -> tuple[int, int]:
    """How many members the directory at the end of a ZIP archive has, and its bytes (APPNOTE.TXT 4.3.14 and 4.3.16)."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, end - 22 - 65_535 - 20))
    tail = stream.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0:
        raise zipfile.BadZipFile
    members, size = struct.unpack_from("<HI", tail, place + 10)
    if tail[place - 20 : place - 16] == b"PK\x06\x07":  # ZIP64: the large numbers are in a record of their own
        (offset,) = struct.unpack_from("<Q", tail, place - 12)
        stream.seek(min(offset, end))
        record = stream.read(56)
        members, size = struct.unpack_from("<QQ", record, 32)
    return members, size


def workbook_suffix(names: set[str]) -> str | None:
    """The suffix of the workbook that a ZIP archive with these names is; None if it is another archive."""
    lower = {name.lower() for name in names}
    if "xl/workbook.bin" in lower:
        return ".xlsb"
    if "xl/workbook.xml" in lower or ("[content_types].xml" in lower and _any_in(lower, "xl/worksheets/")):
        return ".xlsx"
    return ".ods" if {"mimetype", "content.xml"} <= lower else None


def _refuse_documents(names: set[str]) -> None:
    """Refuse the archives that are documents of other programs."""
    lower = {name.lower() for name in names}
    table = "copy its table into a spreadsheet, save that as “CSV UTF-8”, and upload it"
    for start, kind, remedy in (
        ("word/", "a Word document", table),
        ("ppt/", "a PowerPoint presentation", table),
        ("index/document.iwa", "a Numbers or Pages document", "choose File > Export To > CSV, and upload that"),
        ("index.zip", "a Numbers or Pages document", "choose File > Export To > CSV, and upload that"),
        ("meta-inf/container.xml", "an e-book (EPUB)", "upload the table of your products as “CSV UTF-8”"),
        ("androidmanifest.xml", "an app", "upload the table of your products as “CSV UTF-8”"),
        ("meta-inf/manifest.mf", "a Java program", "upload the table of your products as “CSV UTF-8”"),
    ):
        if _any_in(lower, start):
            raise UnsupportedFile(f"The file is {kind}: {remedy}.")


def _any_in(names: set[str], start: str) -> bool:
    return any(name.startswith(start) for name in names)


def _choose(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one catalogue file of the archive: one named as a table, else one whose content may be one.

    Raises:
        UnsupportedFile: there is none, or there are several, or it is encrypted.
    """
    members = [each for each in archive.infolist() if not each.is_dir() and not _is_hidden(each.filename)]
    found = [each for each in members if PurePosixPath(each.filename).suffix.lower() in TABLES]
    found = found or [each for each in members if each.flag_bits & 1 or _may_be_table(archive, each)]
    if not found:
        raise UnsupportedFile("The ZIP archive holds no table: put the CSV or the workbook of your products into it.")
    if len(found) > 1:
        more = f", and {len(found) - 2} more" if len(found) > 2 else ""
        listed = f"{_shown(found[0])} and {_shown(found[1])}{more}"
        raise UnsupportedFile(f"The ZIP archive holds several tables, {listed}: upload the one with your products.")
    if found[0].flag_bits & 1:
        raise UnsupportedFile(f"The ZIP archive is protected by a password: {_UNPACK}.")
    return found[0]


def _is_hidden(name: str) -> bool:
    """Whether it is a file that operating systems add."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1].lower() in ("thumbs.db", "desktop.ini")


def _may_be_table(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as packed:
        head = packed.read(HEAD)
    if is_zip(head) or is_gzip(head) or is_ole(head):
        return True
    try:
        refuse_other_kinds(head)
    except UnsupportedFile:
        return False
    return bool(head) and head.count(0) <= len(head) / 2 + 1


def _copy(packed: IO[bytes] | gzip.GzipFile, *, max_bytes: int) -> BinaryIO:
    with ExitStack() as on_error:
        inside = TemporarySpool(on_error.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY)))
        size = 0
        while block := packed.read(CHUNK):
            size += len(block)
            if size > max_bytes:
                raise UnsupportedFile(f"The file inside the archive is larger than {max_bytes:,} bytes: split it.")
            inside.write(block)
        on_error.pop_all()
    return cast("BinaryIO", inside)


def _refuse_nested(inside: BinaryIO) -> None:
    head = peek(inside)
    if is_gzip(head) or (is_zip(head) and workbook_suffix(names := list_names(inside)) is None):
        if is_zip(head):
            _refuse_documents(names)
        raise UnsupportedFile(f"The archive holds another archive: {_UNPACK}.")


def _shown(member: zipfile.ZipInfo) -> str:
    name = PurePosixPath(member.filename.replace("\\", "/")).name
    return repr("".join(filter(str.isprintable, name))[:100])
