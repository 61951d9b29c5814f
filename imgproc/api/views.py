"""How requests are shown: what status, the list and the actions have in common."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import Any, Literal

from flask import request as call
from flask import url_for

from imgproc.api import auth
from imgproc.api.problems import Problem
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.journey.services import services


def find_request(request_id: str) -> ProcessingRequest:
    """The caller's request of that id; another's is answered as one that never was, so as not to tell.

    Raises:
        Problem: 404 `request_not_found`.
    """
    try:
        request = reads.get_request(str(uuid.UUID(request_id)), owner=auth.owner())
    except ValueError:
        request = None
    if request is None:
        raise Problem(
            404, "request_not_found", "There is no request with this id; check the id of the upload's answer."
        )
    return request


def summary_of(request: ProcessingRequest) -> dict[str, Any]:
    """A request as lists show it."""
    ended = reads.has_ended(request)
    return {
        "requestId": request.id,
        "status": request.status.value,
        "createdAt": rfc3339(request.created_at),
        "startedAt": rfc3339(request.started_at),
        "finishedAt": rfc3339(request.finished_at),
        "filename": request.filename,
        "options": request.options,
        "progress": reads.progress_of(request),
        "bytes": reads.bytes_of(request),
        "outputCsvUrl": csv_url(request, "output") if ended else None,
        "failedCsvUrl": csv_url(request, "failed") if ended else None,
        "error": {"code": request.error_code, "detail": request.error_detail} if request.error_code else None,
    }


def csv_url(request: ProcessingRequest, name: Literal["output", "failed"]) -> str | None:
    """Where a CSV of the request can be had: in the public bucket, or from here alone; None where there is none."""
    key: str | None = getattr(request, f"{name}_key")
    if key is None:
        return None
    if request.csv_private:
        return url_for(f"requests.get_{name}_csv", request_id=request.id, _external=True)
    return services().store.public_url(key)


def accepted(request_id: str) -> dict[str, Any]:
    """The body of an action's 202."""
    request = find_request(request_id)
    return {"requestId": request.id, "status": request.status.value, "statusUrl": status_url(request.id)}


def api_url() -> str:
    """Where the caller has reached us, with a `/` at its end."""
    return call.url_root


def status_url(request_id: str) -> str:
    """Where the request's status is."""
    return url_for("status.get_status", request_id=request_id, _external=True)


def rfc3339(moment: datetime | None) -> str | None:
    """The time in UTC, to the millisecond, as RFC 3339 writes it."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_cursor(*parts: object) -> str:
    """An opaque cursor."""
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
    """A cursor that was not ours."""
    return Problem(422, "invalid_cursor", "Give a cursor as nextCursor of the page before held it, unchanged.")
