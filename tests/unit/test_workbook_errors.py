"""Cells without a value: errors of formulas, and formulas whose result was never written, in every kind of workbook."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable

import pytest
import xlwt

from imgproc.core.errors import RowError
from imgproc.pipeline.table.read import CsvLimits, read_csv
from tests.support.workbook_files import (
    HEADER,
    SHEET_END,
    SHEET_START,
    Rows,
    cell_xml,
    header_xml,
    ods_of,
    xls_of,
    xlsb_of,
    xlsx_parts,
    zip_of,
)

URL = "https://host/1.jpg"
ROWS = [HEADER, ("A", "Mug", URL), ("B", "Cup", URL)]


def faults_of(data: bytes) -> list[RowError]:
    """The faults of a workbook's rows."""
    reading = read_csv(io.BytesIO(data), limits=CsvLimits(max_rows=100, max_images_per_row=5))
    return [fault for row in reading.rows for fault in row.errors]


def with_member(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with one member changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    changed = change(members[name])
    assert changed != members[name]
    return zip_of({**members, name: changed})


def xls() -> bytes:
    """Errors on the second of two sheets."""
    workbook = xlwt.Workbook()
    workbook.add_sheet("Info").write(0, 0, "How to")
    sheet = workbook.add_sheet("Products")
    for number, row in enumerate(ROWS):
        for place, cell in enumerate(row):
            if number < 2 or place == 2:
                sheet.write(number, place, cell)
    sheet.row(2).set_cell_error(0, 0x2A)
    sheet.row(2).set_cell_error(1, 0x2A)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def xls_formula() -> bytes:
    """A formula whose result is an error: eight bytes that say so stand where xlwt writes a number."""
    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("Products")
    for number, row in enumerate(ROWS):
        for place, cell in enumerate(row):
            sheet.write(number, place, xlwt.Formula("NA()") if cell == "B" else cell)
    target = io.BytesIO()
    workbook.save(target)
    record = rb"(\x06\x00..\x02\x00\x00\x00..).{8}"  # a formula in row 2 and column 0, its style and its result
    result = b"\x02\x00\x2a\x00\x00\x00\xff\xff"
    return re.sub(record, lambda match: match[1] + result, target.getvalue(), count=1, flags=re.DOTALL)


def xlsb() -> bytes:
    """Records of errors in place of two texts."""

    def change(sheet: bytes) -> bytes:
        for place, text in enumerate(ROWS[2][:2]):
            start, wide = struct.pack("<II", place, 0), struct.pack("<I", len(text)) + text.encode("utf-16-le")
            sheet = sheet.replace(b"\x06" + bytes([8 + len(wide)]) + start + wide, b"\x03\x09" + start + b"\x2a")
        return sheet

    return with_member(xlsb_of(ROWS), "xl/worksheets/sheet1.bin", change)


def ods() -> bytes:
    """Two errors as LibreOffice writes them, as one cell that is repeated."""
    texts = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
        for text in ROWS[2][:2]
    )
    error = (
        '<table:table-cell table:formula="of:=NA()" table:number-columns-repeated="2" office:value-type="string" '
        'office:string-value="" calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
    )

    def change(content: bytes) -> bytes:
        named = content.replace(b"<office:document-content ", b'<office:document-content xmlns:calcext="urn:c" ')
        return named.replace(texts.encode(), error.encode())

    return with_member(ods_of(ROWS), "content.xml", change)


def xlsx() -> bytes:
    """Cells of the type for errors."""
    cells = '<c r="A3" t="e"><v>#N/A</v></c><c r="B3" t="e"><v>#N/A</v></c>' + cell_xml("C3", URL)
    return xlsx_parts(SHEET_START + header_xml() + _mug() + f'<row r="3">{cells}</row>' + SHEET_END)


def _mug() -> str:
    return f'<row r="2">{"".join(map(cell_xml, ("A2", "B2", "C2"), ROWS[1]))}</row>'


@pytest.mark.parametrize("make", [xlsx, xls, xls_formula, xlsb, ods])
def test_refuses_a_row_whose_cell_is_an_error(make: Callable[[], bytes]) -> None:
    """Read as blank, the row would belong to the product above it, which would get its picture in silence."""
    fault = faults_of(make())[0]
    assert (fault.line, fault.column, fault.code) == (3, "SKU", "formula_error")
    assert "#N/A" in fault.detail


@pytest.mark.parametrize("make", [xls_of, xlsb_of, ods_of])
def test_reads_a_workbook_without_errors(make: Callable[[Rows], bytes]) -> None:
    """No value is taken for an error."""
    assert faults_of(make(ROWS)) == []


@pytest.mark.parametrize("value", ["", "<v></v>", "<v/>", "<v />"])
def test_refuses_a_formula_without_a_result(value: str) -> None:
    """Programs that write formulas leave it to Excel to calculate them; the remedy is to let it."""
    cells = f'<c r="A3"><f>A2+1</f>{value}</c>' + cell_xml("B3", "Cup") + cell_xml("C3", URL)
    data = xlsx_parts(SHEET_START + header_xml() + _mug() + f'<row r="3">{cells}</row>' + SHEET_END)
    fault = faults_of(data)[0]
    assert (fault.line, fault.column, fault.code) == (3, "SKU", "formula_error")
    assert "save it" in fault.detail


def test_a_formula_that_gives_an_empty_text_is_blank() -> None:
    """It is a result like any other, and such a row continues the product above it."""
    cells = '<c r="A3" t="str"><f>IF(1,"")</f><v></v></c>' + cell_xml("C3", URL)
    data = xlsx_parts(SHEET_START + header_xml() + _mug() + f'<row r="3">{cells}</row>' + SHEET_END)
    assert faults_of(data) == []
