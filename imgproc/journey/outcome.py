"""Ends a request: elects its finalizer, and announces the end with the addresses of its files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imgproc.core import metrics
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import RequestStatus
from imgproc.db.transitions import finalization
from imgproc.db.transitions.finalization import Announce
from imgproc.journey import turns
from imgproc.journey.output_files import CsvFiles, wants_xlsx
from imgproc.journey.services import Services
from imgproc.journey.summary import bytes_json, error_json, progress_json, rfc3339
from imgproc.pipeline.storage.object_keys import xlsx_key

NO_IMAGE = ("no_image_succeeded", "No image could be processed; the failed CSV says why for each.")
NO_FILES: Mapping[str, str | None] = {"outputCsvUrl": None, "failedCsvUrl": None}
# Of the webhook, whose body stays below 20 kB: as JSON, a character takes up to 12 bytes.
SHOWN_CODES = 20
SHOWN_DETAIL = 400  # characters


def finalize_if_ended(request_id: str) -> None:
    """Elect the one finalizer of a request whose products have all ended, and enqueue its job."""
    epoch = finalization.elect_finalizer(request_id)
    if epoch is not None:
        turns.enqueue_finalization(request_id, epoch=epoch)


def complete(services: Services, request: ProcessingRequest, files: CsvFiles, *, token: str) -> str | None:
    """End the request with its CSVs and put its announcement in the outbox. Returns the delivery's id, if any.

    Raises:
        LeaseLost: another finalizer has taken over; nothing changed.
    """
    status = end_of(request)
    urls = csv_urls(services, request, files)
    code, detail = NO_IMAGE if status is RequestStatus.FAILED else (None, None)
    delivery_id = finalization.complete(
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
        announce=announcement(request, status, code=code, detail=detail, urls=urls),
    )
    metrics.REQUESTS.labels(status.value, code or "").inc()
    return delivery_id


def csv_urls(services: Services, request: ProcessingRequest, files: CsvFiles) -> dict[str, str | None]:
    """The addresses of the files, by their names in the JSON; `outputXlsxUrl` is there if a workbook was asked for.

    They are in the public bucket, or at the API, by the address that the upload used.
    """
    base = f"{request.api_url or '/'}api/requests/{request.id}"

    def address(key: str | None) -> str | None:
        if key is None:
            return None
        return f"{base}/{key.rpartition('/')[2]}" if files.private else services.store.public_url(key)

    urls = {"outputCsvUrl": address(files.output_key), "failedCsvUrl": address(files.failed_key)}
    return urls | ({"outputXlsxUrl": address(xlsx_key(files.output_key))} if wants_xlsx(request) else {})


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
    urls: Mapping[str, str | None] = NO_FILES,
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
        **urls,
        "error": error_json(code, detail and detail[:SHOWN_DETAIL]),
        "failures": failures,
    }

    def at(finished: datetime) -> dict[str, Any]:
        moment = rfc3339(finished)
        return {"type": f"request.{status.value}", "timestamp": moment, "data": data | {"finishedAt": moment}}

    return at
