"""The lines after the header -> rows, whole blocks of plain rows at a time where the file has them."""

from __future__ import annotations

from collections.abc import Iterator

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.dialect import Dialect, is_blank
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.plain import PlainReader, PlainRows
from imgproc.pipeline.table.products import Products
from imgproc.pipeline.table.records import Lines, count_lines, is_blank_block, read_records
from imgproc.pipeline.table.rows import CsvLimits, Row, RowReader
from imgproc.pipeline.table.text import invalid_csv


def read_parts(
    lines: Lines, dialect: Dialect, columns: Columns, limits: CsvLimits, notes: Notes, *, all_cells: bool
) -> Iterator[Row | PlainRows]:
    """Read the header again, then yield the rows after it. Blank lines are left out.

    Raises:
        InvalidCsv: there are too many rows, or none, or the file cannot be read further.
    """
    records = read_records(lines, dialect.delimiter, notes)
    _, _, fault = next(records, (0, [], None))  # the header
    if fault:
        raise InvalidCsv(fault.detail, errors=[fault])
    products = Products(dialect.header, columns, limits, notes)
    reader = RowReader(dialect.header, columns, dialect.delimiter, limits, notes, all_cells=all_cells)
    plain = _plain_reader(dialect, columns, limits, all_cells=all_cells)
    rows = 0
    while True:
        while not lines.waiting and (text := lines.next_block()):
            if is_blank_block(text, dialect.delimiter):
                lines.skip_block(count_lines(text))
                continue
            room = limits.max_rows - rows
            block = plain.take(text, lines, products.serials, row=rows + 1, at_most=room) if plain else None
            if block is None:
                break
            yield from products.end()
            rows += len(block)
            products.after(block.last)
            yield block
        if (record := next(records, None)) is None:
            break
        if record[2] is None and is_blank(record[1]):
            continue
        rows += 1
        if rows > limits.max_rows:
            raise _too_many(record[0], limits)
        row = reader.read(rows, record)
        yield from products.add(row)
    yield from products.end()
    if not rows:
        detail = "The file has a header and no rows: add a row for each product."
        raise invalid_csv(dialect.line, None, "no_rows", detail)


def _plain_reader(dialect: Dialect, columns: Columns, limits: CsvLimits, *, all_cells: bool) -> PlainReader | None:
    """The reader of plain blocks; none where the images of a row are in several columns."""
    if len(columns.images) > 1:
        return None
    return PlainReader(
        len(dialect.header),
        (columns.serial, columns.name, columns.images[0]),
        dialect.delimiter,
        max_images=limits.max_images_per_row,
        max_cell_chars=limits.max_cell_chars,
        all_cells=all_cells,
    )


def _too_many(line: int, limits: CsvLimits) -> InvalidCsv:
    detail = f"The file has more than {limits.max_rows:,} rows: split it into several files."
    return invalid_csv(line, None, "too_many_rows", detail)
