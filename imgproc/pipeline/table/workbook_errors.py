"""The error values of .xls, .xlsb and .ods sheets (`#N/A`), which python-calamine reads as blank cells."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from imgproc.pipeline.table.xlsx_details import Detail

MAX_ERRORS = 100_000
MAX_REPEATED = 100  # cells of one element
BLOCK = 1024 * 1024
# The codes of error values in both binary formats (MS-XLS 2.5.10, MS-XLSB 2.5.97.2).
_CODES = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
_BROKEN = (
    *(OSError, zipfile.BadZipFile, struct.error, KeyError, IndexError, EOFError, ValueError),
    *(ElementTree.ParseError, expat.ExpatError, NotImplementedError, RuntimeError),
)


def find_errors(path: str, sheet: str, place: int) -> list[Detail]:
    """The error values of a sheet, in order: that of this name, and the one at `place` of the workbook.

    None where the file is put together in another way than its format says.
    """
    found: list[Detail] = []
    try:
        for each in {".xls": _in_xls, ".xlsb": _in_xlsb, ".ods": _in_ods}[Path(path).suffix](path, sheet, place):
            found.append(each)
            if len(found) == MAX_ERRORS:
                break
    except _BROKEN:
        pass
    return sorted(found)


def _in_xls(path: str, _: str, place: int) -> Iterator[Detail]:
    """The cells of kind BoolErr, and formulas with such a result (MS-XLS 2.4.24, 2.4.127)."""
    data = _workbook_stream(Path(path).read_bytes())
    starts = [struct.unpack_from("<I", body)[0] for kind, body in _records(data, 0) if kind == 0x85]
    depth = 0
    for kind, body in _records(data, starts[place]):
        depth += (kind in (0x009, 0x209, 0x409, 0x809)) - (kind == 0x0A)  # charts are within a sheet
        if depth == 0:
            return
        if kind == 0x205 and body[7]:
            yield _error(body, body[6])
        if kind in (0x006, 0x206, 0x406) and body[12:14] == b"\xff\xff" and body[6] == 2:
            yield _error(body, body[8])


def _error(body: bytes, code: int) -> Detail:
    row, column = struct.unpack_from("<HH", body)
    return Detail(row + 1, column, "error", _CODES.get(code, "#VALUE!"))


def _records(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while offset + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, offset)
        yield kind, data[offset + 4 : offset + 4 + size]
        offset += 4 + size


def _workbook_stream(data: bytes) -> bytes:
    """The stream of the workbook in a compound file (MS-CFB 2)."""
    table = _sector_table(data)
    directory = _chain(data, table, int.from_bytes(data[48:52], "little"))
    for entry in (directory[at : at + 128] for at in range(0, len(directory), 128)):
        name = entry[: max(int.from_bytes(entry[64:66], "little") - 2, 0)].decode("utf-16-le", "replace")
        if name.lower() in ("workbook", "book"):
            return _chain(data, table, int.from_bytes(entry[116:120], "little"))
    raise KeyError("Workbook")


def _sector_table(data: bytes) -> list[int]:
    """The number of the sector that follows each one."""
    listed = list(_numbers(data[76:512]))  # where the table is
    following, more = struct.unpack_from("<II", data, 68)
    for _ in range(min(more, len(data) // _sector_size(data))):
        *places, following = _numbers(_sector(data, following))
        listed += places
    return [number for place in listed if place < 0xFFFFFFFA for number in _numbers(_sector(data, place))]


def _chain(data: bytes, table: list[int], start: int) -> bytes:
    """The sectors from `start` on, each named by the one before."""
    found: list[bytes] = []
    while start < len(table) and len(found) <= len(table):
        found.append(_sector(data, start))
        start = table[start]
    return b"".join(found)


def _sector_size(data: bytes) -> int:
    return 1 << int.from_bytes(data[30:32], "little")


def _sector(data: bytes, number: int) -> bytes:
    size = _sector_size(data)
    return data[(number + 1) * size : (number + 2) * size]


def _numbers(block: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(block) // 4}I", block)


def _in_xlsb(path: str, sheet: str, _: int) -> Iterator[Detail]:
    """The records BrtCellError and BrtFmlaError (MS-XLSB 2.4.311, 2.4.677)."""
    with zipfile.ZipFile(path) as archive:
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.bin.rels"))  # noqa: S314 - expat bounds entities
        targets = {each.get("Id"): each.get("Target", "") for each in links}
        for kind, body in _wide_records(archive.read("xl/workbook.bin")):
            if kind == 156:
                link, end = _text(body, 8)
                if _text(body, end)[0] == sheet:
                    row = 0
                    for cell, content in _wide_records(archive.read(f"xl/{targets[link]}")):
                        if cell == 0:
                            row = int.from_bytes(content[:4], "little")
                        elif cell in (3, 11):
                            column, error = int.from_bytes(content[:4], "little"), _CODES.get(content[8], "#VALUE!")
                            yield Detail(row + 1, column, "error", error)


def _wide_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        kind, offset = _varying(data, offset)
        size, offset = _varying(data, offset)
        yield kind, data[offset : offset + size]
        offset += size


def _varying(data: bytes, offset: int) -> tuple[int, int]:
    number = 0
    for place in range(4):
        byte = data[offset]
        offset += 1
        number |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            break
    return number, offset


def _text(body: bytes, offset: int) -> tuple[str, int]:
    end = offset + 4 + 2 * int.from_bytes(body[offset : offset + 4], "little")
    return body[offset + 4 : end].decode("utf-16-le"), end


class _OdsCells:
    """Follows the XML of a spreadsheet of LibreOffice, and collects the errors of one sheet."""

    def __init__(self, sheet: str) -> None:
        self.found: list[Detail] = []
        self._sheet, self._inside = sheet, False
        self._row = self._column = self._rows = self._columns = 0
        self._text: list[str] | None = None  # of an error
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._read

    def feed(self, data: bytes) -> None:
        """Take the next piece of the XML."""
        self._parser.Parse(data, False)

    def _start(self, name: str, given: dict[str, Any]) -> None:
        if name == "table:table":
            self._inside, self._row, self._rows = given.get("table:name") == self._sheet, 0, 0
        elif self._inside and name == "table:table-row":
            self._row, self._column, self._columns = self._row + self._rows, 0, 0
            self._rows = int(given.get("table:number-rows-repeated", 1))
        elif self._inside and name in ("table:table-cell", "table:covered-table-cell"):
            self._column += self._columns
            self._columns = int(given.get("table:number-columns-repeated", 1))
            self._text = [] if given.get("calcext:value-type") == "error" else None

    def _read(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        if self._text is not None and name == "table:table-cell":
            text = "".join(self._text).strip()[:20] or "#VALUE!"
            places = product(range(min(self._rows, MAX_REPEATED)), range(min(self._columns, MAX_REPEATED)))
            self.found += [Detail(self._row + 1 + row, self._column + column, "error", text) for row, column in places]
            self._text = None


def _in_ods(path: str, sheet: str, _: int) -> Iterator[Detail]:
    """The cells that LibreOffice marks as errors (`calcext:value-type`)."""
    if not _holds(path, b'value-type="error"'):  # most have none, and following the XML takes long
        return
    cells = _OdsCells(sheet)
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as packed:
        while block := packed.read(BLOCK):
            cells.feed(block)
            yield from cells.found
            cells.found.clear()


def _holds(path: str, sign: bytes) -> bool:
    tail = b""
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as packed:
        while block := packed.read(BLOCK):
            if sign in tail + block:
                return True
            tail = block[-len(sign) :]
    return False
