"""The lines after the header -> rows, whole blocks of plain rows at a time where the file has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.columns import Columns, repeats_header
from imgproc.pipeline.table.damage import note_damage
from imgproc.pipeline.table.dialect import is_blank
from imgproc.pipeline.table.formulas import unguard
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
    *_, fault = next(records, (0, [], None))
    if fault:
        raise InvalidCsv(fault.detail, errors=[fault])
    pass_ = _Pass(dialect, columns, limits, notes, all_cells=all_cells)
    plain = _plain_reader(dialect, columns, limits, all_cells=all_cells)
    while True:
        yield from _plain_blocks(lines, dialect, plain, pass_, notes)
        if (record := next(records, None)) is None:
            break
        yield from pass_.take(record)
    yield from pass_.end()


def read_sheet_rows(
    records: Iterable[Record], dialect: Dialect, columns: Columns, limits: CsvLimits, notes: Notes, *, all_cells: bool
) -> Iterator[Row]:
    """Yield the rows of a sheet from the records after its header. Blank ones are left out.

    Raises:
        InvalidCsv: there are too many rows, or none.
    """
    pass_ = _Pass(dialect, columns, limits, notes, all_cells=all_cells)
    for record in records:
        yield from pass_.take(record)
    yield from pass_.end()


def _plain_blocks(
    lines: Lines, dialect: Dialect, plain: PlainReader | None, pass_: _Pass, notes: Notes
) -> Iterator[Row | PlainRows]:
    """Whole blocks of plain rows, up to the first block that is not plain, which then waits in `lines`."""
    while not lines.waiting and (text := lines.next_block()):
        if not text.isascii():
            note_damage(text, lines.number + 1, notes)
        if is_blank_block(text, dialect.delimiter):
            lines.skip_block(count_lines(text))
            continue
        serials = pass_.products.serials
        block = plain.take(text, lines, serials, row=pass_.rows + 1, at_most=pass_.room) if plain else None
        if block is None:
            break
        yield from pass_.take_block(block)


class _Pass:
    """One pass over the records of a file: numbers its rows, and leaves out records that are no rows."""

    def __init__(
        self,
        dialect: Dialect,
        columns: Columns,
        limits: CsvLimits,
        notes: Notes,
        *,
        all_cells: bool,
    ) -> None:
        self.products = Products(dialect.header, columns, limits, notes)
        self.rows = 0
        self._reader = RowReader(dialect.header, columns, dialect.delimiter, limits, notes, all_cells=all_cells)
        self._line, self._most = dialect.line, limits.max_rows
        self._header, self._columns = dialect.header, columns
        self._notes = notes
        self._all_cells = all_cells

    @property
    def room(self) -> int:
        """How many rows more the file may have."""
        return self._most - self.rows

    def take(self, record: Record) -> Iterator[Row]:
        """Yield the rows that are complete with this record.

        Raises:
            InvalidCsv: there are too many.
        """
        line, cells, fault = record
        if fault is None and is_blank(cells):
            return
        if fault is None and self._is_no_row(line, cells):
            if self._all_cells:
                yield from self.products.pass_by(Row(0, line, "", "", "", (), cells=cells))
            return
        self.rows += 1
        if self.rows > self._most:
            detail = f"The file has more than {self._most:,} rows: split it into several files."
            raise invalid_csv(line, None, "too_many_rows", detail)
        yield from self.products.add(self._reader.read(self.rows, record))

    def take_block(self, block: PlainRows) -> Iterator[Row | PlainRows]:
        """Yield the rows before a block of plain rows, and the block."""
        yield from self.products.end()
        self.rows += len(block)
        self.products.after(block.last)
        yield block

    def end(self) -> Iterator[Row]:
        """Yield the rows that are left.

        Raises:
            InvalidCsv: there was no row at all.
        """
        yield from self.products.end()
        if not self.rows:
            detail = "The file has a header and no rows: add a row for each product."
            if any("://" in heading for heading in self._header):
                detail = (
                    "The rows are on the line of the header: save the table as “CSV UTF-8”, with a line for each row."
                )
            raise invalid_csv(self._line, None, "no_rows", detail)

    def _is_no_row(self, line: int, cells: Sequence[str]) -> bool:
        """Whether a record only draws a line below the header, or is the header of a file appended to another."""
        notes = self._notes
        if notes.count("ruler_left_out") + notes.count("header_repeated") >= MAX_DIVIDERS:
            return False
        text = "".join(map(unguard, cells)) if unguard(cells[0])[:1] in RULES else ""
        if len(text) > 2 and not text.strip(f"{RULES} "):
            notes.add("ruler_left_out", "A line that only divides the table is not read.", line=line)
            return True
        if repeats_header(cells, self._header, self._columns):
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
