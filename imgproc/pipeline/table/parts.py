"""The lines after the header -> rows, whole blocks of plain rows at a time where the file has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.damage import note_damage
from imgproc.pipeline.table.dialect import is_blank
from imgproc.pipeline.table.header_faults import Dialect
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.plain import PlainReader, PlainRows
from imgproc.pipeline.table.products import Products
from imgproc.pipeline.table.records import Lines, Record, count_lines, is_blank_block, read_records
from imgproc.pipeline.table.rows import CsvLimits, Row, RowReader
from imgproc.pipeline.table.text import invalid_csv

RULES = "-=+:|_"
MAX_DIVIDERS = 1000  # More lines that are no rows are faults, so that a file of nothing else is not read to its end.


def read_parts(
    lines: Lines, dialect: Dialect, columns: Columns, limits: CsvLimits, notes: Notes, *, all_cells: bool
) -> Iterator[Row | PlainRows]:
    """Read the header again, then yield the rows after it. Blank lines are left out.

    Raises:
        InvalidCsv: there are too many rows, or none, or the file cannot be read further.
    """
    lines.quotes = dialect.quotes
    records = read_records(lines, dialect.delimiter, notes)
    _, header, fault = next(records, (0, [], None))
    if fault:
        raise InvalidCsv(fault.detail, errors=[fault])
    products = Products(dialect.header, columns, limits, notes)
    reader = RowReader(dialect.header, columns, dialect.delimiter, limits, notes, all_cells=all_cells)
    plain = _plain_reader(dialect, columns, limits, all_cells=all_cells)
    rows = 0
    while True:
        while not lines.waiting and (text := lines.next_block()):
            if not text.isascii():
                note_damage(text, lines.number + 1, notes)
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
        if record[2] is None and (is_blank(record[1]) or _is_no_row(record, header, notes)):
            continue
        rows += 1
        if rows > limits.max_rows:
            raise _too_many(record[0], limits)
        row = reader.read(rows, record)
        yield from products.add(row)
    yield from products.end()
    if not rows:
        raise _no_rows(dialect)


def read_sheet_rows(
    records: Iterable[Record], dialect: Dialect, columns: Columns, limits: CsvLimits, notes: Notes, *, all_cells: bool
) -> Iterator[Row]:
    """Yield the rows of a sheet from the records after its header. Blank ones are left out.

    Raises:
        InvalidCsv: there are too many rows, or none.
    """
    products = Products(dialect.header, columns, limits, notes)
    reader = RowReader(dialect.header, columns, dialect.delimiter, limits, notes, all_cells=all_cells)
    rows = 0
    for record in records:
        if record[2] is None and is_blank(record[1]):
            continue
        rows += 1
        if rows > limits.max_rows:
            raise _too_many(record[0], limits)
        yield from products.add(reader.read(rows, record))
    yield from products.end()
    if not rows:
        raise _no_rows(dialect)


def _no_rows(dialect: Dialect) -> InvalidCsv:
    detail = "The file has a header and no rows: add a row for each product."
    return invalid_csv(dialect.line, None, "no_rows", detail)


def _is_no_row(record: Record, header: list[str], notes: Notes) -> bool:
    """Whether a record only draws a line below the header, or is the header of a file appended to another."""
    line, cells, _ = record
    if notes.count("ruler_left_out") + notes.count("header_repeated") >= MAX_DIVIDERS:
        return False
    if cells[0][:1] in RULES and not "".join(cells).strip(f"{RULES} ") and len("".join(cells)) > 2:
        notes.add("ruler_left_out", "A line that only divides the table is not read.", line=line)
        return True
    if cells[-1:] == header[-1:] and [cell.strip("\ufeff ") for cell in cells] == header:
        notes.add("header_repeated", "A line that repeats the header is not read.", line=line)
        return True
    return False


def _plain_reader(dialect: Dialect, columns: Columns, limits: CsvLimits, *, all_cells: bool) -> PlainReader | None:
    """The reader of plain blocks; none where images are in several columns, or quotes are unusual."""
    if len(columns.images) > 1 or dialect.quotes:
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
