"""Rows -> products: one product may be on several rows. A row continues the product before it or starts one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imgproc.core.errors import RowError
from imgproc.pipeline.table.cells import MAX_SERIAL_CHARS, is_shortened, name_fault, serial_fault
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.rows import CsvLimits, Row
from imgproc.pipeline.table.serials import SerialNumbers
from imgproc.pipeline.table.text import invalid_csv

MAX_PRODUCT_ROWS = 10_000  # shops have up to 2,048 variants of a product, each on a row


def merge(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield each product as one row with the URLs of all its rows, and each bad row as it is, in the order of `row`."""
    product: Row | None = None
    urls: list[str] = []
    bad: list[Row] = []  # between the rows of the product

    for row in rows:
        if row.errors:
            bad.append(row)
        elif row.continues:
            urls += row.urls
        else:
            yield from _complete(product, urls)
            yield from bad
            product, urls, bad = row, list(row.urls), []
        if product is None:
            yield from bad
            bad = []
    yield from _complete(product, urls)
    yield from bad


def _complete(product: Row | None, urls: list[str]) -> Iterator[Row]:
    if product is not None:
        is_same = len(urls) == len(product.urls)
        yield product if is_same else product._replace(urls=tuple(urls), input_cell=",".join(urls))


class Products:
    """Joins the rows of one file to products, and finds the faults that only a product as a whole can have.

    A row continues the product of the row before it if it has no serial number and no name (merged cells), or the same
    serial number and either the same name or none (one row an image or a variant).
    """

    def __init__(self, header: tuple[str, ...], columns: Columns, limits: CsvLimits, notes: Notes) -> None:
        self.serials = SerialNumbers()
        self._header = header
        self._columns = columns
        self._limits = limits
        self._notes = notes
        self._before: Row | None = None  # the row before, with the serial number and name of its product
        self._rows = 0  # of this product
        self._started = False  # whether it has a good row
        self._images = 0
        self._held: list[Row] = []  # its rows, while none has a URL
        self._separate = columns.rules is not None and columns.rules.platform.separate
        self._numbers: dict[str, int] = {}  # the last number of each serial number that came again

    def after(self, row: Row) -> None:
        """Note the last row of a block of plain rows, each of which is a product of its own."""
        self._before, self._rows, self._started, self._images = row, 1, True, len(row.urls)

    def add(self, row: Row) -> Iterator[Row]:
        """Take the next row; yield the rows that are complete.

        Raises:
            InvalidCsv: a product has more than MAX_PRODUCT_ROWS rows.
        """
        if row.errors and row.errors[0].column is None:  # its cells may be in the wrong place
            yield from self._hold_behind(row)
            return
        before = self._before
        if before is not None and self._continues(row, before):
            self._rows += not row.errors
            if self._rows > MAX_PRODUCT_ROWS:
                detail = (
                    f"More than {MAX_PRODUCT_ROWS:,} rows have one serial number: give each product one of its own."
                )
                raise invalid_csv(row.line, self._header[self._columns.serial], "too_many_rows", detail)
            note = "Several rows with one serial number, or without any, are read as one product."
            self._notes.add("rows_joined", note, line=row.line)
            row = row._replace(serial_number=before.serial_number, product_name=before.product_name)
        else:
            yield from self.end()
            row = self._start(row)
            self._rows, self._started, self._images = 1, False, 0
        self._before = row
        yield from self._count(row)

    def pass_by(self, row: Row) -> Iterator[Row]:
        """Take a line that is no row, and changes no product; yield it in its order."""
        yield from self._hold_behind(row)

    def end(self) -> Iterator[Row]:
        """The product before ends: yield its rows, which are bad if they have no URL."""
        held, self._held = self._held, []
        detail = "The row has no image URL: give at least one, or remove the row."
        if len(held) > 1:
            detail = "The product has no image URL on any of its rows: give at least one, or remove them."
        pictures = {self._header[index] for index in self._columns.images}
        for row in held:
            if not row.row:
                yield row
                continue
            is_misread = bool(row.urls) or any(fault.column is None or fault.column in pictures for fault in row.errors)
            yield row if is_misread else self._with_error(row, self._columns.images[0], "no_urls", detail)
        self._before = None

    def _continues(self, row: Row, before: Row) -> bool:
        if not row.serial_number and not row.product_name:
            return True
        if self._separate and row.product_name:
            return False
        rules = self._columns.rules
        if row.belongs and rules and (rules.platform.belonging or row.serial_number in ("", before.serial_number)):
            return True
        same = row.serial_number == before.serial_number and before.serial_number != ""
        return same and row.product_name in ("", before.product_name)

    def _start(self, row: Row) -> Row:
        """The row, with the faults that only the first row of a product can have."""
        serial = row.serial_number
        is_short = 0 < len(serial) <= MAX_SERIAL_CHARS
        first_line = self.serials.first_line(serial, row.line) if is_short else None
        if first_line is not None and self._separate and serial == row.product_name:
            row, first_line = self._numbered(row), None
        faults = [
            (self._columns.serial, serial_fault(serial, first_line)),
            (self._columns.name, None if row.product_name or first_line is not None else name_fault("")),
        ]
        if is_shortened(serial) and first_line is None:
            note = "A serial number like 8.90123E+12 was shortened by Excel, so it is not the number of the product."
            self._notes.add("serial_number_shortened", note, line=row.line)
        known = {fault.column for fault in row.errors}  # whose fault says why they are empty
        named = [(self._header[index], fault) for index, fault in faults if fault]
        errors = [RowError(row.line, column, *fault) for column, fault in named if column not in known]
        return row._replace(errors=(*errors, *row.errors)) if errors else row

    def _numbered(self, row: Row) -> Row:
        """The row with its name and a number as its serial number, because another listing has the same title."""
        number, name = self._numbers.get(row.product_name, 1) + 1, row.product_name
        while self.serials.first_line(f"{name} ({number})", row.line) is not None:
            number += 1
        self._numbers[name] = number
        note = (
            "Listings of one title without an SKU are numbered: “Mug”, “Mug (2)”. Give each an SKU to name it yourself."
        )
        self._notes.add("listings_numbered", note, line=row.line)
        return row._replace(serial_number=f"{name} ({number})")

    def _count(self, row: Row) -> Iterator[Row]:
        """Hold back rows until their product has a URL; refuse those beyond the limit of a product."""
        most = self._limits.max_images_per_row
        self._images += 0 if row.errors else len(row.urls)
        if self._images > most and row.urls and not row.errors:
            what = "product" if self._started else "row"
            count = f"The {what} has {self._images:,} image URLs, more than the {most:,} allowed"
            detail = f"{count}: split it into several rows with serial numbers of their own."
            row = self._with_error(row, self._columns.images[0], "too_many_images", detail)
        if not row.errors:
            row = row._replace(continues=True) if self._started else row
            self._started = True
        if self._images:
            held, self._held = self._held, []
            yield from held
            yield row
        elif not row.errors:
            self._held.append(row)
        else:
            yield from self._hold_behind(row)

    def _hold_behind(self, row: Row) -> Iterator[Row]:
        """Hold back a bad row, too, if rows before it are held back."""
        if len(self._held) >= MAX_PRODUCT_ROWS:
            yield from self.end()
        if self._held:
            self._held.append(row)
        else:
            yield row

    def _with_error(self, row: Row, index: int, code: str, detail: str) -> Row:
        return row._replace(errors=(*row.errors, RowError(row.line, self._header[index], code, detail)))
