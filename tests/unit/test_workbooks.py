"""Workbooks are read as their sheets show them, whatever program wrote them."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest

from imgproc.core.errors import InvalidCsv, UnsupportedFile
from imgproc.pipeline.table.read import CsvLimits, CsvReading, ReadOptions, Row, read_csv
from tests.support.workbook_files import (
    HEADER,
    SHEET_END,
    SHEET_START,
    cell_xml,
    header_xml,
    ods_of,
    xls_of,
    xlsb_of,
    xlsx,
    xlsx_of,
    xlsx_parts,
    zip_of,
)

LIMITS = CsvLimits(max_rows=100, max_images_per_row=5)
URL = "http://a.example/1.jpg"
MUG = ("1", "Mug", (URL,))


def read(data: bytes, **options: Any) -> tuple[CsvReading, list[Row]]:
    """The reading of a file, and its rows."""
    reading = read_csv(io.BytesIO(data), limits=LIMITS, options=ReadOptions(**options), all_cells=True)
    return reading, list(reading.rows)


def products(data: bytes, **options: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    """The serial number, name and URLs of each row."""
    return [(row.serial_number, row.product_name, row.urls) for row in read(data, **options)[1]]


def codes(reading: CsvReading) -> set[str]:
    """The codes of the notes."""
    return {note.code for note in reading.notes}


def fault_of(data: bytes, **options: Any) -> tuple[int, str | None, str, str]:
    """The first fault of a file."""
    try:
        _, rows = read(data, **options)
    except InvalidCsv as error:
        fault = error.errors[0]
    else:
        fault = next(fault for row in rows for fault in row.errors)
    return fault.line, fault.column, fault.code, fault.detail


def test_a_file_without_rows_of_a_workbook_says_nothing_of_sheets() -> None:
    """A CSV has no sheet, and its kind is csv."""
    reading, _ = read(f"SKU,Name,Images\n1,Mug,{URL}\n".encode())
    assert (reading.kind, reading.sheet, reading.encoding, reading.delimiter) == ("csv", None, "utf-8", ",")


@pytest.mark.parametrize(
    ("kind", "make"),
    [("xlsx", xlsx_of), ("xls", xls_of), ("xlsb", xlsb_of), ("ods", ods_of)],
    ids=["xlsx", "xls", "xlsb", "ods"],
)
def test_reads_every_kind_of_workbook(kind: str, make: Any) -> None:
    """The content tells the kind; texts keep their letters, and whole numbers have no decimals."""
    rows = [HEADER, (123, "Kubek stołowy", URL), (4006381333931, "Ćup & <b>", f"{URL}, {URL}"), ("007", "A", URL)]
    reading, found = read(make(rows))
    assert (reading.kind, reading.sheet, reading.encoding, reading.delimiter) == (kind, "Products", None, None)
    assert [(row.line, row.serial_number, row.product_name, len(row.urls)) for row in found] == [
        (2, "123", "Kubek stołowy", 1),
        (3, "4006381333931", "Ćup & <b>", 2),
        (4, "007", "A", 1),
    ]


def _every_type(workbook: Any) -> None:
    sheet = workbook.add_worksheet()
    for place, name in enumerate((*HEADER, "Value")):
        sheet.write(0, place, name)
    day = datetime.datetime(2024, 5, 1)  # noqa: DTZ001 - a sheet has no time zones
    values = [
        (12.0, ""),
        (8901234567890, ""),
        (0.1 + 0.2, ""),
        (-2.5, ""),
        (0.125, "0.00%"),
        (True, ""),
        (day, "yyyy-mm-dd"),
        (day.replace(hour=10, minute=30), "yyyy-mm-dd hh:mm"),
        (datetime.time(10, 30), "hh:mm"),
        (1.5, "[h]:mm"),
        (123, "00000"),
        (7, '"A-"000'),
        (1e22, ""),
        ("a\nb", ""),
        ("'quoted", ""),
    ]
    for number, (value, form) in enumerate(values, start=1):
        sheet.write_row(number, 0, (str(number), "Mug", URL))
        sheet.write(number, 3, value, workbook.add_format({"num_format": form} if form else {}))
    sheet.write_row(len(values) + 1, 0, (str(len(values) + 1), "Mug", URL))
    sheet.write_formula(len(values) + 1, 3, "=1+1", None, 2)


def test_reads_cells_of_every_type_as_the_sheet_shows_them() -> None:
    """Dates are ISO 8601, and leading zeros of a number format are kept."""
    _, rows = read(xlsx(_every_type))
    assert [row.cells[3] for row in rows] == [
        *("12", "8901234567890", "0.3", "-2.5", "0.125", "TRUE", "2024-05-01", "2024-05-01T10:30:00", "10:30:00"),
        *("36:00:00", "00123", "A-007", "1E+22", "a\nb", "'quoted", "2"),
    ]


def test_keeps_the_digits_that_the_file_has() -> None:
    """A number of 17 digits is exact in the file, although spreadsheets show 15 of them."""
    row = f'<row r="2"><c r="A2"><v>12345678901234567</v></c>{cell_xml("B2", "Mug")}{cell_xml("C2", URL)}</row>'
    reading, rows = read(xlsx_parts(SHEET_START + header_xml() + row + SHEET_END))
    assert rows[0].serial_number == "12345678901234567"
    assert "number_shortened" in codes(reading)


def _with_links(workbook: Any) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    for number in range(1, 6):
        sheet.write_row(number, 0, (number, f"Mug {number}"))
    sheet.write_formula(1, 2, f'=_xlfn.IMAGE("{URL}")', None, "#VALUE!")
    sheet.write_formula(2, 2, f'=HYPERLINK("{URL}","Photo")', None, "Photo")
    sheet.write_url(3, 2, URL, string="Photo")
    sheet.write_url(4, 2, "http://b.example/page", string=URL)
    sheet.write_url(5, 1, "http://b.example/page", string="Mug 5")
    sheet.write(5, 2, URL)


def test_reads_the_links_and_formulas_of_pictures() -> None:
    """The URL behind a shown text is read, and noted; a shown URL and the links of other columns stay as they are."""
    reading, rows = read(xlsx(_with_links))
    assert [(row.product_name, row.urls) for row in rows] == [(f"Mug {number}", (URL,)) for number in range(1, 6)]
    assert {"link_read", "formula_read"} <= codes(reading)


def test_refuses_the_error_of_a_formula() -> None:
    """An error in one of our columns is a fault of its row; blank, it would belong to the product before."""

    def draw(workbook: Any) -> None:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, MUG[:2] + MUG[2])
        sheet.write_formula(2, 0, "=VLOOKUP(9,A1:B2,2)", None, "#N/A")
        sheet.write_formula(2, 1, "=VLOOKUP(9,A1:B2,2)", None, "#N/A")
        sheet.write(2, 2, URL)

    line, column, code, detail = fault_of(xlsx(draw))
    assert (line, column, code) == (3, "SKU", "formula_error")
    assert "#N/A" in detail


def test_refuses_a_picture_formula_that_names_another_cell() -> None:
    """Its URL is not in the cell."""

    def draw(workbook: Any) -> None:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ("1", "Mug"))
        sheet.write_formula(1, 2, "=_xlfn.IMAGE(K2)", None, "#VALUE!")

    line, column, code, detail = fault_of(xlsx(draw))
    assert (line, column, code) == (2, "Images", "invalid_url")
    assert "IMAGE(K2)" in detail


def _several_sheets(workbook: Any) -> None:
    workbook.add_worksheet("Read me").write(0, 0, "Prices of May")
    for name, serial in (("Old", "0"), ("Products", "1"), ("Sale", "2")):
        sheet = workbook.add_worksheet(name)
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, (serial, "Mug", URL))
    workbook.get_worksheet_by_name("Old").hide()
    workbook.get_worksheet_by_name("Products").activate()


def test_reads_the_first_visible_sheet_with_our_columns() -> None:
    """The choice is noted with the names of the other sheets."""
    reading, rows = read(xlsx(_several_sheets))
    assert (reading.sheet, rows[0].serial_number) == ("Products", "1")
    (note,) = (note for note in reading.notes if note.code == "sheet_chosen")
    assert "'Sale'" in note.detail
    assert "'Old'" in note.detail


@pytest.mark.parametrize(("sheet", "serial"), [("Sale", "2"), (" sale ", "2"), ("Old", "0")])
def test_reads_the_sheet_that_is_named(sheet: str, serial: str) -> None:
    """Case and white space around the name do not matter, and a hidden sheet can be named."""
    reading, rows = read(xlsx(_several_sheets), sheet=sheet)
    assert rows[0].serial_number == serial
    assert "sheet_chosen" not in codes(reading)


def test_reads_a_hidden_sheet_only_if_no_other_has_our_columns() -> None:
    """The note says that it is hidden."""

    def draw(workbook: Any) -> None:
        workbook.add_worksheet("Cover").write(0, 0, "Welcome")
        sheet = workbook.add_worksheet("Data")
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, MUG[:2] + MUG[2])
        sheet.hide()

    reading, _ = read(xlsx(draw))
    assert reading.sheet == "Data"
    assert any("hidden sheet 'Data'" in note.detail for note in reading.notes)


def test_lists_the_sheets_where_the_named_one_is_missing() -> None:
    """The names can be copied from the message."""
    *_, code, detail = fault_of(xlsx(_several_sheets), sheet="Sheet1")
    assert code == "missing_sheet"
    assert "'Read me', 'Old', 'Products', 'Sale'" in detail


def test_finds_the_header_below_a_title() -> None:
    """Lines count as the sheet's row numbers, blank rows and columns before the table included."""

    def draw(workbook: Any) -> None:
        sheet = workbook.add_worksheet()
        sheet.write(2, 1, "Summer catalogue")
        sheet.write_row(4, 1, HEADER)
        sheet.write_row(6, 1, MUG[:2] + MUG[2])

    reading, rows = read(xlsx(draw))
    assert (reading.header_line, rows[0].line, rows[0].urls) == (5, 7, (URL,))
    assert "lines_above_header" in codes(reading)


def test_merged_cells_are_one_product_and_one_heading() -> None:
    """Cells that are merged down join rows to a product; a heading that is merged across counts for each column."""

    def draw(workbook: Any) -> None:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.merge_range(0, 2, 0, 3, "Images")
        sheet.merge_range(1, 0, 2, 0, "1")
        sheet.merge_range(1, 1, 2, 1, "Mug")
        sheet.write_row(1, 2, (URL, URL))
        sheet.write(2, 2, URL)

    reading, rows = read(xlsx(draw))
    assert [(row.serial_number, len(row.urls), row.continues) for row in rows] == [("1", 2, False), ("1", 1, True)]
    assert reading.header == ("SKU", "Name", "Images", "")


def test_remarks_beside_the_table_are_kept() -> None:
    """A column without a heading is no fault, and its cells stay with the rows."""
    reading, rows = read(xlsx_of([HEADER, (*MUG[:2], URL, "", "check the price, please")]))
    assert not rows[0].errors
    assert rows[0].cells == ["1", "Mug", URL, "", "check the price, please"]
    assert len(reading.header) == 5


def test_formatted_cells_without_text_are_no_columns_and_no_rows() -> None:
    """Whole rows and columns are often coloured."""

    def draw(workbook: Any) -> None:
        sheet, red = workbook.add_worksheet(), workbook.add_format({"bg_color": "red"})
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, MUG[:2] + MUG[2])
        sheet.write_blank(0, 16_383, None, red)
        sheet.write_blank(1_048_575, 0, None, red)

    reading, rows = read(xlsx(draw))
    assert (len(reading.header), len(rows)) == (3, 1)


def test_refuses_too_many_columns() -> None:
    """A text in the last column of a sheet makes 16,384 columns."""

    def draw(workbook: Any) -> None:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write(0, 16_383, "x")

    assert fault_of(xlsx(draw))[2] == "too_many_columns"


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        pytest.param([], "empty_file", id="a blank sheet"),
        pytest.param([HEADER], "no_rows", id="a header alone"),
        pytest.param([("SKU", "Name", "Price"), (1, "Mug", 2)], "missing_column", id="no images"),
        pytest.param([HEADER, *[(n, "Mug", URL) for n in range(101)]], "too_many_rows", id="too many rows"),
    ],
)
def test_refuses_a_sheet_that_cannot_be_read(rows: Any, code: str) -> None:
    """The codes are those of a CSV."""
    assert fault_of(xlsx_of(rows))[2] == code


@pytest.mark.parametrize("blank", ["<v/>", "<v></v>"])
def test_a_blank_reference_to_a_text_is_blank(blank: str) -> None:
    """It is not the first text of the workbook."""
    row = f'<row r="2"><c r="A2" t="s">{blank}</c>{cell_xml("B2", "Mug")}{cell_xml("C2", URL)}</row>'
    strings = ["<sst><si><t>A-1</t></si></sst>"]
    assert (
        fault_of(xlsx_parts(SHEET_START + header_xml() + row + SHEET_END, strings=strings))[2] == "empty_serial_number"
    )


def test_reads_columns_that_the_caller_names() -> None:
    """Names that we do not know are found in a workbook, too."""
    columns = {"serialNumber": ["Kenn"], "productName": ["Was"], "inputImageUrls": ["Wo"]}
    assert products(xlsx_of([("Kenn", "Was", "Wo"), MUG[:2] + MUG[2]]), columns=columns) == [MUG]


def test_reads_a_workbook_whose_parts_have_a_prefix() -> None:
    """Some programs write `x:` before the names of all elements."""
    sheet = f'{SHEET_START}{header_xml()}<row r="2">{cell_xml("A2", "1")}{cell_xml("B2", "Mug")}'
    sheet += f'<c r="C2" t="e"><f>IMAGE("{URL}")</f><v>#VALUE!</v></c></row>{SHEET_END}'
    for name in ("worksheet", "sheetData", "row", "c", "is", "t", "f", "v"):
        sheet = sheet.replace(f"<{name} ", f"<x:{name} ").replace(f"<{name}>", f"<x:{name}>")
        sheet = sheet.replace(f"</{name}>", f"</x:{name}>")
    assert products(xlsx_parts(sheet.replace("xmlns=", "xmlns:x="))) == [MUG]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(xlsx_of([HEADER])[:-40], "damaged", id="a workbook cut off"),
        pytest.param(zip_of({"xl/workbook.xml": "<a", "xl/worksheets/sheet1.xml": "<a"}), "damaged", id="bad XML"),
        pytest.param(xls_of([HEADER])[:1024], "damaged", id="an old workbook cut off"),
        pytest.param(
            xls_of([HEADER]).replace("Workbook".encode("utf-16-le"), "WordDocu".encode("utf-16-le")),
            "damaged",
            id="a compound file of another program",
        ),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "WordDocument".encode("utf-16-le"), "Word", id="doc"
        ),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
            "password",
            id="password",
        ),
        pytest.param(zip_of({"word/document.xml": "<a/>", "[Content_Types].xml": "<a/>"}), "Word", id="docx"),
        pytest.param(zip_of({"ppt/slides/slide1.xml": "<a/>"}), "PowerPoint", id="pptx"),
        pytest.param(zip_of({"Index/Document.iwa": "x"}), "Export To", id="numbers"),
        pytest.param(zip_of({"mimetype": "application/epub+zip", "META-INF/container.xml": "x"}), "e-book", id="epub"),
    ],
)
def test_refuses_what_is_no_workbook(data: bytes, said: str) -> None:
    """The message names what the file is, and what to do."""
    with pytest.raises(UnsupportedFile, match=said):
        read(data)


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        pytest.param(xlsx_of([HEADER, (*MUG[:2], URL)]), {"encoding": "cp1252"}, "`encoding`", id="an encoding"),
        pytest.param(f"SKU,Name,Images\n1,Mug,{URL}\n".encode(), {"sheet": "Sale"}, "`sheet`", id="a sheet"),
    ],
)
def test_says_that_an_option_is_not_used(data: bytes, options: dict[str, str], said: str) -> None:
    """A CSV has no sheets, and a workbook says its encoding itself."""
    reading, rows = read(data, **options)
    assert [(row.serial_number, row.product_name, row.urls) for row in rows] == [MUG]
    (note,) = (note for note in reading.notes if note.code == "option_not_used")
    assert said in note.detail


def test_lines_that_are_no_rows_are_left_out_of_a_sheet_too() -> None:
    """A header that comes again, where sheets were pasted below each other, is no product."""
    data = xlsx_of([HEADER, (*MUG[:2], URL), HEADER, ("2", "Cup", URL)])
    reading, rows = read(data)
    assert [row.serial_number for row in rows if row.row] == ["1", "2"]
    assert "header_repeated" in codes(reading)


def test_reads_a_row_whose_only_letters_beyond_ascii_are_no_break_spaces() -> None:
    """They are blank, and no letters of another encoding."""
    data = f"SKU,Name,Images\n1,Mug,{URL}\n\u00a0,\u00a0,{URL}\n".encode()
    assert [row.continues for row in read(data)[1]] == [False, True]
