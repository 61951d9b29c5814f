"""What is told when a request ends: the output CSV, the failed CSV, and the webhook's payload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from imgproc.core.redaction import redact
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import ProductStatus, RequestStatus
from imgproc.journey.lease import check_stopping
from imgproc.journey.services import Toolbox
from imgproc.journey.summary import bytes_json, progress_json
from imgproc.pipeline.storage.object_keys import failed_csv_key, output_csv_key
from imgproc.pipeline.table.write import FailedRow, OutputRow, write_failed_csv, write_output_csv

FAILED = (ProductStatus.FAILED, ProductStatus.CANCELLED)


@dataclass(frozen=True)
class CsvFiles:
    """Where the CSVs of a request are; `failed_key` is None where nothing failed."""

    output_key: str
    failed_key: str | None
    private: bool


def write_csvs(tools: Toolbox, request: ProcessingRequest, check: Callable[[], None]) -> CsvFiles:
    """Store both files; `check` is asked before each is stored.

    What an earlier end stored elsewhere, in the other bucket or under a key that could be guessed, is deleted.

    Raises:
        LeaseLost: `check` raised it.
    """
    token = request.csv_token or ""  # the claim has made it
    private = tools.settings.private_csvs
    output_key, failed_key = output_csv_key(request.id, token=token), failed_csv_key(request.id, token=token)
    tools.store.put_csv(output_key, _checked(write_output_csv(_output_rows(tools, request.id)), check), private=private)
    failed = request.products_failed + request.products_cancelled > 0
    if failed:
        rows = write_failed_csv(_failed_rows(tools, request.id))
        tools.store.put_csv(failed_key, _checked(rows, check), private=private)
    moved = request.csv_private != private
    earlier = [key for key in (request.output_key, request.failed_key) if key]
    elsewhere = [key for key in earlier if moved or key not in {output_key, failed_key}]
    tools.store.delete_csvs(elsewhere, private=request.csv_private)
    return CsvFiles(output_key, failed_key if failed else None, private)


def csv_urls(tools: Toolbox, request: ProcessingRequest, files: CsvFiles) -> tuple[str | None, str | None]:
    """Where a receiver of the webhook gets the files: in the public bucket, or where the API was at the upload."""
    if not files.private:
        return tools.store.public_url(files.output_key), files.failed_key and tools.store.public_url(files.failed_key)
    base = f"{request.api_url or '/'}api/requests/{request.id}"
    return f"{base}/output.csv", files.failed_key and f"{base}/failed.csv"


def _checked(chunks: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """The store gathers all chunks before it sends any, so the last moment to stop is when they are exhausted."""
    yield from chunks
    check()


def _shown(tools: Toolbox) -> Callable[[str], str]:
    """How source URLs are written: as they were given, so that the failed CSV can be uploaded again as it is."""
    return redact if tools.settings.csv_url_credentials == "redact" else str


def _output_rows(tools: Toolbox, request_id: str) -> Iterator[OutputRow]:
    shown = _shown(tools)
    for product, images in reads.every_product(request_id):
        check_stopping()
        yield OutputRow(
            serial_number=product.serial_number,
            product_name=product.product_name,
            input_urls=[shown(image.source_url) for image in images] or shown(product.input_cell),
            output_urls=[image.output_key and tools.store.public_url(image.output_key) for image in images],
        )


def _failed_rows(tools: Toolbox, request_id: str) -> Iterator[FailedRow]:
    shown = _shown(tools)
    for product, images in reads.every_product(request_id, statuses=FAILED):
        errors = [f"Image {image.position}: {image.error_detail}" for image in images if image.error_detail]
        yield FailedRow(
            serial_number=product.serial_number,
            product_name=product.product_name,
            input_cell=shown(product.input_cell),
            error=redact(" ".join(errors)),
        )


def end_of(request: ProcessingRequest) -> RequestStatus:
    """Which end the counters of a request whose products have all ended amount to."""
    if request.products_cancelled:
        return RequestStatus.CANCELLED
    if not request.images_failed:
        return RequestStatus.COMPLETED
    return RequestStatus.COMPLETED_WITH_ERRORS if request.images_completed else RequestStatus.FAILED


def announcement(
    request: ProcessingRequest, status: RequestStatus, *, output_url: str | None, failed_url: str | None
) -> dict[str, Any]:
    """The webhook's body, as `docs/api.md` describes it."""
    return {
        "type": f"request.{status.value}",
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": {
            "requestId": request.id,
            "status": status.value,
            "progress": progress_json(reads.progress_of(request, is_ending=True)),
            "bytes": bytes_json(reads.bytes_of(request)),
            "outputCsvUrl": output_url,
            "failedCsvUrl": failed_url,
        },
    }
