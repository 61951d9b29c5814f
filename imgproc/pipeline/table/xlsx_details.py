"""What python-calamine does not tell of an .xlsx sheet: formulas of pictures and links, errors, digits, what is hidden.

The XML of the sheet is read a block at a time, and only cells with a sign of one of these are looked at.
"""

from __future__ import annotations

import html
import posixpath
import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import IO, NamedTuple
from xml.etree import ElementTree

from imgproc.pipeline.table.number_formats import Mask, mask_of
from imgproc.pipeline.table.number_formats import shown as shown_as

BLOCK = 1024 * 1024
MAX_CELL_BYTES = 512 * 1024
MAX_PART_BYTES = 64 * 1024 * 1024  # of the parts that are read as a whole
MAX_ROWS = 1_048_576
MAX_HIDDEN = 1000  # ranges of columns
MAX_LINKS = 70_000  # Excel allows 65,530 a sheet
_PLACE = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_STYLE = re.compile(rb'\bs="([0-9]{1,6})"')
_FORMULA = re.compile(rb"<(?:\w+:)?f\b[^<>]*>([^<]*)<")
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")
_LONG_NUMBER = re.compile(rb"v>[0-9]{16,}<")
_LINK = re.compile(rb"<(?:\w+:)?hyperlink\b[^<>]*>")
_LINK_REF = re.compile(rb'\bref="\$?([A-Z]{1,3})\$?([0-9]{1,7})(?::[^"]*)?"')
_LINK_ID = re.compile(rb'\b\w+:id="([^"]*)"')
_SHOWS_URL = re.compile(r"(?:IMAGE|HYPERLINK)\s*\(", re.I)
_HIDDEN_ROW = re.compile(rb'<(?:\w+:)?row\b(?=[^<>]*\bhidden="(?:1|true)")[^<>]*?\br="([0-9]{1,7})"')
_HIDDEN_COLUMN = re.compile(rb'<(?:\w+:)?col\b(?=[^<>]*\bhidden="(?:1|true)")[^<>]*>')
_RANGE = re.compile(rb'\b(?:min|max)="([0-9]{1,5})"')


_SIGNS = (b't="e"', b"IMAGE", b"HYPERLINK", b"v/>", b"v />", b"v></", b"f></")


class Detail(NamedTuple):
    """One cell: its row and column, counted from 1 and 0, and what is told of it.

    `kind` is `text` (what the cell shows), `error` (its error value), `formula` (that of a picture or link, with its
    `=`), `link` (the URL that a click opens) or `blank_formula` (a formula whose result the program did not write).
    """

    row: int
    column: int
    kind: str
    text: str


class XlsxDetails:
    """The details of the sheets of one workbook, which is a ZIP archive (ECMA-376)."""

    def __init__(self, path: str) -> None:
        self._archive = zipfile.ZipFile(path)
        self._hidden_rows = bytearray(MAX_ROWS + 1)
        self.hidden_columns: list[tuple[int, int]] = []  # the first and last of each range, counted from 0
        self._names = {name.replace("\\", "/").lstrip("/").lower(): name for name in self._archive.namelist()}

    def hides(self, row: int) -> bool:
        """Whether a row is hidden, perhaps by a filter. It is known once the details of a later row are."""
        return row < MAX_ROWS and bool(self._hidden_rows[row])

    def of(self, sheet: str) -> Iterator[Detail]:
        """The details of a sheet in the order of its rows; none where the workbook is put together in another way."""
        try:
            part = self._part_of(sheet)
            if part is None:
                return
            links = self._links(part)
            masks = self._masks()
            with self._archive.open(self._names[part.lower()]) as packed:
                for detail in self._cells(packed, masks):
                    while links and links[-1][:2] <= detail[:2]:
                        yield links.pop()
                    yield detail
            yield from reversed(links)
        except (
            zipfile.BadZipFile,
            ElementTree.ParseError,
            KeyError,
            EOFError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ):
            return

    def _xml(self, name: str) -> ElementTree.Element | None:
        if name.lower() not in self._names:
            return None
        with self._archive.open(self._names[name.lower()]) as packed:
            return ElementTree.fromstring(packed.read(MAX_PART_BYTES))  # noqa: S314 - expat bounds what entities expand to

    def _targets(self, part: str, kind: str) -> dict[str, str]:
        """The targets of a part's relationships of one kind, by their ids."""
        folder, name = posixpath.split(part)
        root = self._xml(f"{folder}/_rels/{name}.rels")
        if root is None:
            return {}
        return {
            each.get("Id", ""): each.get("Target", "") for each in root if each.get("Type", "").endswith(f"/{kind}")
        }

    def _part_of(self, sheet: str) -> str | None:
        root = self._xml("xl/workbook.xml")
        targets = self._targets("xl/workbook.xml", "worksheet")
        for element in root.iter() if root is not None else ():
            if element.tag.endswith("}sheet") and element.get("name") == sheet:
                ids = [value for name, value in element.items() if name.endswith("}id")]
                target = targets.get(ids[0], "") if ids else ""
                return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/") if target else None
        return None

    def _masks(self) -> dict[bytes, Mask]:
        """The masks of the cell styles that show more than the digits of a whole number."""
        root = self._xml("xl/styles.xml")
        if root is None:
            return {}
        cells = next((each for each in root if each.tag.endswith("}cellXfs")), ())
        found: dict[bytes, Mask] = {}
        codes = {each.get("numFmtId"): each.get("formatCode") for each in root.iter() if each.get("formatCode")}
        for number, each in enumerate(cells):
            if mask := mask_of(codes.get(each.get("numFmtId")) or ""):
                found[b"%d" % number] = mask
        return found

    def _cells(self, packed: IO[bytes], masks: dict[bytes, Mask]) -> Iterator[Detail]:
        """The details of the cells in a sheet's XML."""
        signs = [*_SIGNS, *(b's="%s"' % style for style in masks)]
        rest = b""
        while block := packed.read(BLOCK):
            joined = rest + block
            end = joined.rfind(b"c>") + 2
            if end < 2:
                rest = joined[-MAX_CELL_BYTES:]
                continue
            whole, rest = joined[:end], joined[end:][-MAX_CELL_BYTES:]
            if b"hidden=" in whole:
                self._note_hidden(whole)
            if any(sign in whole for sign in signs) or _LONG_NUMBER.search(whole):
                for piece in whole.split(b"c>"):
                    if any(sign in piece for sign in signs) or _LONG_NUMBER.search(piece):
                        yield from _detail(piece, masks)

    def _note_hidden(self, xml: bytes) -> None:
        for match in _HIDDEN_ROW.finditer(xml):
            self._hidden_rows[min(int(match[1]), MAX_ROWS)] = 1
        for match in islice(_HIDDEN_COLUMN.finditer(xml), MAX_HIDDEN):
            first, last = (int(number) - 1 for number in sorted(_RANGE.findall(match[0]), key=int)[:2])
            self.hidden_columns.append((first, last))

    def _links(self, part: str) -> list[Detail]:
        """The cells that a click leads from, the last first. They stand behind the rows of the sheet."""
        targets = self._targets(part, "hyperlink")
        if not targets:
            return []
        tail = b""
        with self._archive.open(self._names[part.lower()]) as packed:
            while block := packed.read(BLOCK):
                joined = tail + block
                place = joined.find(b"hyperlinks")
                tail = joined[place - 1 :] + packed.read(MAX_PART_BYTES) if place >= 0 else joined[-16:]
                if place >= 0:
                    break
        found = []
        for match in _LINK.finditer(tail):
            reference, identity = _LINK_REF.search(match[0]), _LINK_ID.search(match[0])
            if (
                reference
                and identity
                and (target := targets.get(html.unescape(identity[1].decode("utf-8", "replace"))))
            ):
                found.append(Detail(int(reference[2]), _column(reference[1]), "link", target))
                if len(found) >= MAX_LINKS:
                    break
        return sorted(found, reverse=True)


def _detail(piece: bytes, masks: dict[bytes, Mask]) -> Iterator[Detail]:
    """The detail of the cell that a piece of XML ends with."""
    start = max(piece.rfind(b"<c "), piece.rfind(b":c "))
    tag_end = piece.find(b">", start)
    tag, body = piece[start:tag_end], piece[tag_end:]
    place = _PLACE.search(tag)
    if start < 0 or tag_end < 0 or not place or tag.endswith(b"/"):
        return
    row, column = int(place[2]), _column(place[1])
    formula, value = _FORMULA.search(body), _VALUE.search(body)
    written = html.unescape(formula[1].decode("utf-8", "replace")).strip() if formula else ""
    shown = html.unescape(value[1].decode("utf-8", "replace")) if value else ""
    style = _STYLE.search(tag)
    if written and _SHOWS_URL.search(written):
        yield Detail(row, column, "formula", f"={written.lstrip('=')}")
    elif b't="e"' in tag:
        yield Detail(row, column, "error", shown or "#VALUE!")
    elif written and not shown and b't="str"' not in tag:
        yield Detail(row, column, "blank_formula", text=f"={written.lstrip('=')}")
    elif b't="s"' in tag and not shown:  # python-calamine reads the first text of the workbook instead of none
        yield Detail(row, column, "text", "")
    elif shown.isascii() and shown.isdigit() and b' t="' not in tag:
        mask = masks.get(style[1]) if style else None
        if mask or len(shown) > 15:
            yield Detail(row, column, "text", shown_as(shown, mask) if mask else shown)


def _column(letters: bytes) -> int:
    """The column `letters` name, counted from 0."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number - 1
