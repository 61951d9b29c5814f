"""Writes the files of a request that has ended: the output CSV, the failed CSV and the workbook."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import IO, Any, TypeVar

import structlog

from imgproc.core.errors import ImgprocError, InfrastructureError, LeaseLost
from imgproc.core.redaction import redact
from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.journey.file_options import XLSX, from_json, has_mark
from imgproc.journey.lease import check_stopping
from imgproc.journey.services import Services
from imgproc.pipeline.storage.downloads import name_after
from imgproc.pipeline.storage.object_keys import failed_csv_key, output_csv_key, xlsx_key
from imgproc.pipeline.table.read import CsvReading, read_csv
from imgproc.pipeline.table.rows import Row
from imgproc.pipeline.table.workbook import Workbook
from imgproc.pipeline.table.write import FailedFile, FileRow, Layout, output_lines, write_csv

CHUNK_BYTES = 64 * 1024
Item = TypeVar("Item")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CsvFiles:
    """The keys of a request's CSVs; `failed_key` is None if nothing failed. A workbook is beside the output CSV."""

    output_key: str
    failed_key: str | None
    private: bool


def write_csvs(services: Services, request: ProcessingRequest, check: Callable[[], None]) -> CsvFiles:
    """Store the files, and call `check` before each.

    They have all columns of the input, which is read again. If it is gone, or this version reads it otherwise than the
    one that accepted it, they have our three columns, which the database has too.

    Files that an earlier finalization stored in the other bucket, or under other keys, are deleted.

    Raises:
        LeaseLost: `check` raised it.
    """
    # Files are read and stored for minutes, and no transaction may be open meanwhile, not even to look at the request.
    if request in db.session:
        db.session.expunge(request)
    db.session.rollback()
    try:
        with services.store.open_input(request.input_key) as stream:
            options = from_json(request.file_options)
            reading = read_csv(stream, limits=services.csv_limits, options=options.read, all_cells=True)
            layout = Layout(reading.header, reading.indices, reading.delimiter or ",")
            rows = _rows_of_input(services, request.id, reading)
            files = _store(services, request, layout, rows, check, bom=has_mark(reading, options))
    except (InfrastructureError, LeaseLost):
        raise
    except ImgprocError as error:
        log.warning("input_unreadable", request_id=request.id, code=error.code, detail=error.detail)
        files = _store(services, request, Layout(), _rows_of_database(services, request.id), check, bom=False)
    _delete_earlier_csvs(services, request)
    return files


def _store(
    services: Services,
    request: ProcessingRequest,
    layout: Layout,
    rows: Iterable[FileRow],
    check: Callable[[], None],
    *,
    bom: bool,
) -> CsvFiles:
    """Write all files in one pass over `rows`, and store them."""
    private = services.settings.private_csvs
    output_key, failed_key = _keys(request)
    put = partial(_put, services, request, check)
    with ExitStack() as stack:
        failed_stream, book_stream = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        failed = FailedFile(layout, failed_stream, bom=bom)
        book = Workbook(book_stream) if wants_xlsx(request) else None
        if book:
            stack.callback(book.discard)
        lines = output_lines(layout, _calling(failed.add, _redacted(services, layout, rows)))
        put(output_key, write_csv(_calling(book.add, lines) if book else lines, bom=bom), "output.csv")
        failed.finish()
        if failed.rows:
            put(failed_key, _chunks(failed_stream), "failed.csv")
        if book:
            book.close()
            put(xlsx_key(output_key), _chunks(book_stream), "output.xlsx")
    return CsvFiles(output_key, failed_key if failed.rows else None, private)


def _put(
    services: Services,
    request: ProcessingRequest,
    check: Callable[[], None],
    key: str,
    chunks: Iterable[bytes],
    made: str,
) -> None:
    """Store one file under the name of the input with `made` after it."""
    filename = name_after(request.filename, made)
    services.store.put_csv(key, _checked(chunks, check), private=services.settings.private_csvs, filename=filename)


def wants_xlsx(request: ProcessingRequest) -> bool:
    """Whether the request has a workbook beside its output CSV."""
    return from_json(request.file_options).output_format == XLSX


def _checked(chunks: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """Call `check` after the last chunk: the store gathers all chunks before it sends any."""
    yield from chunks
    check()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(0)
    return iter(partial(stream.read, CHUNK_BYTES), b"")


def _calling(call: Callable[[Item], None], items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, after passing each to `call`."""
    for item in items:
        call(item)
        yield item


def _redacted(services: Services, layout: Layout, rows: Iterable[FileRow]) -> Iterable[FileRow]:
    """The rows, by default unchanged, so that the failed CSV can be uploaded again as it is."""
    if services.settings.csv_url_credentials != "redact":
        return rows
    images = set(layout.columns.images)
    return (replace(each, row=each.row._replace(cells=_redacted_cells(each.row.cells, images))) for each in rows)


def _redacted_cells(cells: Sequence[str], images: set[int]) -> list[str]:
    """The cells without the credentials of their URLs."""
    return [redact(cell) if index in images or "//" in cell else cell for index, cell in enumerate(cells)]


def _rows_of_input(services: Services, request_id: str, reading: CsvReading) -> Iterator[FileRow]:
    """Every row of the input, with its share of the images of its product."""
    products = _Products(request_id)
    images: Iterator[Any] = iter(())
    for row in reading.rows:
        if row.errors:
            yield FileRow(row, (), redact(" ".join(fault.detail for fault in row.errors)))
            continue
        if not row.row:
            yield FileRow(row, ())
            continue
        if not row.continues:
            check_stopping()
            images = iter(products.images_of(row.row))
        yield _file_row(services, row, list(islice(images, len(row.urls))))


class _Products:
    """Finds the products of a request by their rows, which must be asked for in order."""

    def __init__(self, request_id: str) -> None:
        self._products = reads.every_output(request_id)
        self._next = next(self._products, None)

    def images_of(self, row: int) -> list[Any]:
        """The images of the product that starts on `row`; none if there is no such product."""
        while self._next and self._next[0] < row:
            self._next = next(self._products, None)
        return self._next[1] if self._next and self._next[0] == row else []


def _rows_of_database(services: Services, request_id: str) -> Iterator[FileRow]:
    """Every product, and every skipped row, with our columns alone."""
    for product, images in reads.every_product(request_id):
        check_stopping()
        cells = product.serial_number, product.product_name, product.input_cell
        row = Row(product.row, product.line, *cells, (), cells=cells)
        if product.error_code:
            yield FileRow(row, (), redact(product.error_detail or ""))
        else:
            yield _file_row(services, row, images)


def _file_row(services: Services, row: Row, images: Sequence[Any]) -> FileRow:
    outputs = [image.output_key and services.store.public_url(image.output_key) for image in images]
    if all(outputs):
        return FileRow(row, outputs)
    errors = [f"Image {place}: {image.error_detail}" for place, image in enumerate(images, 1) if image.error_detail]
    return FileRow(row, outputs, redact(" ".join(errors)))


def _keys(request: ProcessingRequest) -> tuple[str, str]:
    """The keys of the output CSV and the failed CSV."""
    token = request.csv_token or ""  # set by the claim
    return output_csv_key(request.id, token=token), failed_csv_key(request.id, token=token)


def _delete_earlier_csvs(services: Services, request: ProcessingRequest) -> None:
    """Delete the files of an earlier finalization, unless the same bucket now has new ones under the same keys."""
    moved, kept = request.csv_private != services.settings.private_csvs, _keys(request)
    stale = [key for key in (request.output_key, request.failed_key) if key and (moved or key not in kept)]
    if wants_xlsx(request):
        stale += [xlsx_key(key) for key in stale if key == request.output_key]
    services.store.delete_csvs(stale, private=request.csv_private)
