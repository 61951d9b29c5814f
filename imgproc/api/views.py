"""What the views of requests share: looking one up, its JSON, URLs, times and cursors."""

from __future__ import annotations

import base64
import uuid
from typing import Any, Literal

from flask import request as call
from flask import url_for

from imgproc.api import auth
from imgproc.api.problems import Problem
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.journey.output_files import wants_xlsx
from imgproc.journey.services import services
from imgproc.journey.summary import bytes_json, error_json, progress_json, rfc3339
from imgproc.pipeline.storage.object_keys import xlsx_key


def find_request(request_id: str) -> ProcessingRequest:
    """The caller's request with that id. A request of another owner counts as unknown.

    Raises:
        Problem: 404 `request_not_found`.
    """
    try:
        request = reads.get_request(str(uuid.UUID(request_id)), owner=auth.owner())
    except ValueError:
        request = None
    if request is None:
        detail = "There is no request with this id; check the requestId that the upload returned."
        raise Problem(404, "request_not_found", detail)
    return request


def summary_of(request: ProcessingRequest) -> dict[str, Any]:
    """The JSON of a request in a list; the status adds to it."""
    ended = reads.has_ended(request)
    return {
        "requestId": request.id,
        "status": request.status.value,
        "createdAt": rfc3339(request.created_at),
        "startedAt": rfc3339(request.started_at),
        "finishedAt": rfc3339(request.finished_at),
        "filename": request.filename,
        "reference": request.reference,
        "options": request.options,
        "progress": progress_json(reads.progress_of(request)),
        "bytes": bytes_json(reads.bytes_of(request)),
        "outputCsvUrl": csv_url(request, "output") if ended else None,
        "failedCsvUrl": csv_url(request, "failed") if ended else None,
        "outputXlsxUrl": xlsx_url(request) if ended else None,
        "error": error_json(request.error_code, request.error_detail),
    }


def csv_url(request: ProcessingRequest, name: Literal["output", "failed"]) -> str | None:
    """The URL of a CSV: in the public bucket, or of this API if CSVs are private. None if there is no such CSV."""
    key: str | None = getattr(request, f"{name}_key")
    if key is None:
        return None
    if request.csv_private:
        return url_for(f"requests.get_{name}_csv", request_id=request.id, _external=True)
    return services().store.public_url(key)


def xlsx_url(request: ProcessingRequest) -> str | None:
    """The URL of the workbook, as `csv_url` gives that of a CSV; None if there is no workbook."""
    if request.output_key is None or not wants_xlsx(request):
        return None
    if request.csv_private:
        return url_for("requests.get_output_xlsx", request_id=request.id, _external=True)
    return services().store.public_url(xlsx_key(request.output_key))


def accepted(request_id: str) -> dict[str, Any]:
    """The JSON of an accepted action."""
    request = find_request(request_id)
    return {"requestId": request.id, "status": request.status.value, "statusUrl": status_url(request.id)}


def api_url() -> str:
    """The base URL at which the caller reached the API, with a `/` at its end."""
    return call.url_root


def status_url(request_id: str) -> str:
    """The URL of the request's status."""
    return url_for("status.get_status", request_id=request_id, _external=True)


def encode_cursor(*parts: object) -> str:
    """An opaque cursor that holds `parts`."""
    return base64.urlsafe_b64encode("|".join(map(str, parts)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, parts: int) -> list[str]:
    """The parts of a cursor.

    Raises:
        Problem: 422 `invalid_cursor`.
    """
    try:
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("|")
    except ValueError:  # not base64, or not text
        found = []
    if len(found) != parts:
        raise invalid_cursor()
    return found


def invalid_cursor() -> Problem:
    """The error of a cursor that no page has returned."""
    return Problem(422, "invalid_cursor", "The cursor is invalid; give the nextCursor of the page before, unchanged.")
