"""Workbooks made in code: by writers for .xlsx and .xls, and part by part for .ods, .xlsb and unusual .xlsx files."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
import xlwt

HEADER = ("SKU", "Name", "Images")
Rows = Sequence[Sequence[Any]]
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_NAMES = f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{_TYPE}"'
SHEET_START = f"<worksheet {_NAMES}><sheetData>"
SHEET_END = "</sheetData></worksheet>"


def zip_of(members: dict[str, bytes | str], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive with these members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def xlsx(draw: Callable[[Any], None]) -> bytes:
    """The workbook that `draw` fills by xlsxwriter."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_urls": False}) as workbook:
        draw(workbook)
    return target.getvalue()


def xlsx_of(rows: Rows, *, sheet: str = "Products") -> bytes:
    """An .xlsx workbook with one sheet."""

    def draw(workbook: Any) -> None:
        worksheet = workbook.add_worksheet(sheet)
        for number, row in enumerate(rows):
            worksheet.write_row(number, 0, row)

    return xlsx(draw)


def xls_of(rows: Rows) -> bytes:
    """A workbook of Excel 97 to 2003."""
    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("Products")
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            sheet.write(number, place, cell)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def ods_of(rows: Rows) -> bytes:
    """An OpenDocument spreadsheet."""
    table = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content {names}><office:body><office:spreadsheet>"
        f'<table:table table:name="Products">{table}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    return zip_of(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": content,
            "META-INF/manifest.xml": manifest,
        }
    )


def _ods_cell(cell: object) -> str:
    if isinstance(cell, (int, float)):
        number = f'office:value-type="float" office:value="{cell}"'
        return f"<table:table-cell {number}><text:p>{cell}</text:p></table:table-cell>"
    return f'<table:table-cell office:value-type="string"><text:p>{escape(str(cell))}</text:p></table:table-cell>'


def xlsx_parts(sheet: str | Iterable[str], *, strings: Iterable[str] | None = None, doctype: str = "") -> bytes:
    """An .xlsx workbook of one sheet, `S`, whose XML is given, in pieces where it is large."""
    target = io.BytesIO()
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{_TYPE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}">'
            f'<Relationship Id="r1" Type="{_TYPE}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="r2" Type="{_TYPE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        )
        workbook = f'<workbook {_NAMES}><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
        archive.writestr("xl/workbook.xml", doctype + workbook)
        for name, pieces in (
            ("worksheets/sheet1.xml", [sheet] if isinstance(sheet, str) else sheet),
            ("sharedStrings.xml", strings),
        ):
            if pieces is not None:
                with archive.open(f"xl/{name}", "w", force_zip64=True) as part:
                    for piece in pieces:
                        part.write(piece.encode())
    return target.getvalue()


def cell_xml(place: str, text: str) -> str:
    """The XML of a cell with a text."""
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'


def header_xml() -> str:
    """The XML of the first row, with the header."""
    return (
        f'<row r="1">{"".join(cell_xml(f"{letter}1", name) for letter, name in zip("ABC", HEADER, strict=True))}</row>'
    )


def xlsb_of(rows: Rows) -> bytes:
    """A binary workbook of Excel 2007 (MS-XLSB): texts and numbers."""
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    bundle = struct.pack("<II", 0, 1) + _wide("r1") + _wide("Products")
    workbook = _record(0x83, b"") + _record(0x8F, b"") + _record(0x9C, bundle) + _record(0x90, b"") + _record(0x84, b"")
    width = max(map(len, rows))
    sheet = (
        _record(0x81, b"") + _record(0x94, struct.pack("<IIII", 0, len(rows) - 1, 0, width - 1)) + _record(0x91, b"")
    )
    for number, row in enumerate(rows):
        sheet += _record(0x00, struct.pack("<IIHBBBI", number, 0, 0x12C, 0, 0, 0, 0))
        for place, cell in enumerate(row):
            start = struct.pack("<II", place, 0)
            if isinstance(cell, (int, float)):
                sheet += _record(0x05, start + struct.pack("<d", cell))
            else:
                sheet += _record(0x06, start + _wide(str(cell)))
    sheet += _record(0x92, b"") + _record(0x82, b"")
    return zip_of(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{package}">'
            f'<Relationship Id="r1" Type="{_TYPE}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>',
            "xl/workbook.bin": workbook,
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


def _record(number: int, data: bytes) -> bytes:
    kind = bytes([number]) if number < 0x80 else bytes([number & 0xFF, 1])
    size = len(data)
    return kind + (bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])) + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
