"""Ends a request: elects its finalizer, writes the output CSV and the failed CSV, and announces the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imgproc.core.redaction import redact
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import ProductStatus, RequestStatus
from imgproc.db.transitions import finalization
from imgproc.db.transitions.finalization import Announce
from imgproc.journey import turns
from imgproc.journey.lease import check_stopping
from imgproc.journey.services import Services
from imgproc.journey.summary import bytes_json, error_json, progress_json, rfc3339
from imgproc.pipeline.storage.object_keys import failed_csv_key, output_csv_key
from imgproc.pipeline.table.write import FailedRow, OutputRow, write_failed_csv, write_output_csv

FAILED = (ProductStatus.FAILED, ProductStatus.CANCELLED)
NO_IMAGE = ("no_image_succeeded", "No image could be processed; the failed CSV says why for each.")
# Of the webhook, whose body stays below 20 kB: as JSON, a character takes up to 12 bytes.
SHOWN_CODES = 20
SHOWN_DETAIL = 400  # characters


@dataclass(frozen=True)
class CsvFiles:
    """The keys of a request's CSVs; `failed_key` is None if nothing failed."""

    output_key: str
    failed_key: str | None
    private: bool


def finalize_if_ended(request_id: str) -> None:
    """Elect the one finalizer of a request whose products have all ended, and enqueue its job."""
    epoch = finalization.elect_finalizer(request_id)
    if epoch is not None:
        turns.enqueue_finalization(request_id, epoch=epoch)


def write_csvs(services: Services, request: ProcessingRequest, check: Callable[[], None]) -> CsvFiles:
    """Store both files, and call `check` before each.

    CSVs that an earlier finalization stored in the other bucket, or under other keys, are deleted.

    Raises:
        LeaseLost: `check` raised it.
    """
    store, private = services.store, services.settings.private_csvs
    token = request.csv_token or ""  # set by the claim
    output_key, failed_key = output_csv_key(request.id, token=token), failed_csv_key(request.id, token=token)
    output = write_output_csv(_output_rows(services, request.id))
    store.put_csv(output_key, _checked(output, check), private=private)
    any_failed = request.products_failed + request.products_cancelled > 0
    if any_failed:
        failed = write_failed_csv(_failed_rows(services, request.id))
        store.put_csv(failed_key, _checked(failed, check), private=private)
    _delete_earlier_csvs(services, request, keep={output_key, failed_key})
    return CsvFiles(output_key, failed_key if any_failed else None, private)


def _delete_earlier_csvs(services: Services, request: ProcessingRequest, *, keep: set[str]) -> None:
    """Delete the CSVs of an earlier finalization, unless the same bucket now has new ones under the same keys."""
    moved = request.csv_private != services.settings.private_csvs
    earlier = [key for key in (request.output_key, request.failed_key) if key]
    stale = [key for key in earlier if moved or key not in keep]
    services.store.delete_csvs(stale, private=request.csv_private)


def complete(services: Services, request: ProcessingRequest, files: CsvFiles, *, token: str) -> str | None:
    """End the request with its CSVs and put its announcement in the outbox. Returns the delivery's id, if any.

    Raises:
        LeaseLost: another finalizer has taken over; nothing changed.
    """
    status = end_of(request)
    output_url, failed_url = csv_urls(services, request, files)
    code, detail = NO_IMAGE if status is RequestStatus.FAILED else (None, None)
    return finalization.complete(
        request.id,
        epoch=request.finalize_epoch,
        token=token,
        status=status,
        values={
            "output_key": files.output_key,
            "failed_key": files.failed_key,
            "csv_private": files.private,
            "error_code": code,
            "error_detail": detail,
        },
        announce=announcement(request, status, code=code, detail=detail, output_url=output_url, failed_url=failed_url),
    )


def csv_urls(services: Services, request: ProcessingRequest, files: CsvFiles) -> tuple[str | None, str | None]:
    """The addresses of both files: in the public bucket, or at the API, by the address that the upload used."""
    if not files.private:
        public_url = services.store.public_url
        return public_url(files.output_key), files.failed_key and public_url(files.failed_key)
    base = f"{request.api_url or '/'}api/requests/{request.id}"
    return f"{base}/output.csv", files.failed_key and f"{base}/failed.csv"


def _checked(chunks: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """Call `check` after the last chunk: the store gathers all chunks before it sends any."""
    yield from chunks
    check()


def _display(services: Services) -> Callable[[str], str]:
    """How the CSVs write source URLs: by default unchanged, so that the failed CSV can be uploaded again as it is."""
    return redact if services.settings.csv_url_credentials == "redact" else str


def _output_rows(services: Services, request_id: str) -> Iterator[OutputRow]:
    display = _display(services)
    for product, images in reads.every_product(request_id):
        check_stopping()
        yield OutputRow(
            serial_number=product.serial_number,
            product_name=product.product_name,
            input_urls=[display(image.source_url) for image in images] or display(product.input_cell),
            output_urls=[image.output_key and services.store.public_url(image.output_key) for image in images],
        )


def _failed_rows(services: Services, request_id: str) -> Iterator[FailedRow]:
    display = _display(services)
    for product, images in reads.every_product(request_id, statuses=FAILED):
        errors = [f"Image {image.position}: {image.error_detail}" for image in images if image.error_detail]
        yield FailedRow(
            serial_number=product.serial_number,
            product_name=product.product_name,
            input_cell=display(product.input_cell),
            error=redact(" ".join(errors)),
        )


def end_of(request: ProcessingRequest) -> RequestStatus:
    """The final status of a request whose products have all ended, by its counters."""
    if request.products_cancelled:
        return RequestStatus.CANCELLED
    if not request.images_failed:
        return RequestStatus.COMPLETED
    return RequestStatus.COMPLETED_WITH_ERRORS if request.images_completed else RequestStatus.FAILED


def announcement(
    request: ProcessingRequest,
    status: RequestStatus,
    *,
    code: str | None = None,
    detail: str | None = None,
    output_url: str | None = None,
    failed_url: str | None = None,
) -> Announce:
    """What makes the body of the webhook (`docs/reference/api.md`); `code` and `detail` say why a request failed."""
    failures = reads.failures_of(request.id, most=SHOWN_CODES) if request.images_failed else {}
    data: dict[str, Any] = {
        "requestId": request.id,
        "status": status.value,
        "filename": request.filename,
        "reference": request.reference,
        "createdAt": rfc3339(request.created_at),
        "finishedAt": None,
        "statusUrl": f"{request.api_url or '/'}api/status/{request.id}",
        "progress": progress_json(reads.progress_of(request, is_ending=True)),
        "bytes": bytes_json(reads.bytes_of(request)),
        "outputCsvUrl": output_url,
        "failedCsvUrl": failed_url,
        "error": error_json(code, detail and detail[:SHOWN_DETAIL]),
        "failures": failures,
    }

    def at(finished: datetime) -> dict[str, Any]:
        moment = rfc3339(finished)
        return {"type": f"request.{status.value}", "timestamp": moment, "data": data | {"finishedAt": moment}}

    return at
