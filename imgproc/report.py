"""What is told when a request ends: the output CSV, the failed CSV, and the webhook's payload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from imgproc import queries
from imgproc.lease import check_stopping
from imgproc.models import ProcessingRequest, ProductStatus, RequestStatus
from imgproc.pipeline.keys import failed_csv_key, output_csv_key
from imgproc.pipeline.write_csv import FailedRow, OutputRow, write_failed_csv, write_output_csv
from imgproc.toolbox import Toolbox

FAILED = (ProductStatus.FAILED, ProductStatus.CANCELLED)


def write_csvs(tools: Toolbox, request: ProcessingRequest, check: Callable[[], None]) -> tuple[str, str | None]:
    """Store both files; their keys, the second None where nothing failed. `check` is asked before each is stored.

    Raises:
        LeaseLost: `check` raised it.
    """
    output_key = output_csv_key(request.id)
    tools.store.put_csv(output_key, _checked(write_output_csv(_output_rows(tools, request.id)), check))
    if not request.products_failed + request.products_cancelled:
        return output_key, None
    failed_key = failed_csv_key(request.id)
    tools.store.put_csv(failed_key, _checked(write_failed_csv(_failed_rows(request.id)), check))
    return output_key, failed_key


def _checked(chunks: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """The store gathers all chunks before it sends any, so the last moment to stop is when they are exhausted."""
    yield from chunks
    check()


def _output_rows(tools: Toolbox, request_id: str) -> Iterator[OutputRow]:
    for product, images in queries.every_product(request_id):
        check_stopping()
        yield OutputRow(
            serial_number=product.serial_number,
            product_name=product.product_name,
            input_urls=[image.source_url for image in images] or product.input_cell,
            output_urls=[image.output_key and tools.store.public_url(image.output_key) for image in images],
        )


def _failed_rows(request_id: str) -> Iterator[FailedRow]:
    for product, images in queries.every_product(request_id, statuses=FAILED):
        errors = [f"Image {image.position}: {image.error_detail}" for image in images if image.error_detail]
        yield FailedRow(
            serial_number=product.serial_number,
            product_name=product.product_name,
            input_cell=product.input_cell,
            error=" ".join(errors),
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
    progress = queries.progress_of(request) | {"percent": 100, "etaSeconds": None}
    return {
        "type": f"request.{status.value}",
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": {
            "requestId": request.id,
            "status": status.value,
            "progress": progress,
            "bytes": queries.bytes_of(request),
            "outputCsvUrl": output_url,
            "failedCsvUrl": failed_url,
        },
    }
