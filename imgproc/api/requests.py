"""Requests: list them, their products and files; cancel, retry or delete them."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any, Literal

import sqlalchemy as sa
from apiflask import APIBlueprint, EmptySchema
from flask import Response, redirect

from imgproc.api import auth
from imgproc.api.inputs import ProductsIn, RequestsIn, RetryIn
from imgproc.api.problems import Problem
from imgproc.api.product_json import product_json
from imgproc.api.product_schemas import ProductsOut
from imgproc.api.schemas import AcceptedOut, RequestsOut
from imgproc.api.views import (
    accepted,
    csv_url,
    decode_cursor,
    encode_cursor,
    find_request,
    invalid_cursor,
    summary_of,
    xlsx_url,
)
from imgproc.db import gallery, reads
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import ProductStatus, RequestStatus
from imgproc.db.transitions import actions
from imgproc.db.transitions.window import release
from imgproc.journey import delete, outcome, turns
from imgproc.journey.quotas import require_room
from imgproc.journey.services import services
from imgproc.pipeline.storage.downloads import attachment, content_type_of, name_after
from imgproc.pipeline.storage.object_keys import xlsx_key

CSV_CHUNK_BYTES = 256 * 1024

blueprint = APIBlueprint("requests", __name__, url_prefix="/api/requests", tag="Requests")


@blueprint.get("")
@blueprint.input(RequestsIn, location="query", arg_name="query")
@blueprint.output(RequestsOut)
@blueprint.doc(summary="List requests")
def list_requests(query: dict[str, Any]) -> dict[str, Any]:
    """Newest first, in cursor pages."""
    created_at, request_id = ProcessingRequest.created_at, ProcessingRequest.id
    statement = sa.select(ProcessingRequest).order_by(created_at.desc(), request_id.desc()).limit(query["limit"] + 1)
    statement = statement.where(ProcessingRequest.owner == auth.owner(), ProcessingRequest.removed_at.is_(None))
    if "status" in query:
        statement = statement.where(ProcessingRequest.status == RequestStatus(query["status"]))
    if "cursor" in query:
        statement = statement.where(sa.tuple_(created_at, request_id) < _place_of(query["cursor"]))
    found = list(db.session.execute(statement).scalars())
    page = found[: query["limit"]]
    cursor = None
    if len(found) > len(page):
        cursor = encode_cursor(page[-1].created_at.isoformat(timespec="microseconds"), page[-1].id)
    return {"items": [summary_of(request) for request in page], "nextCursor": cursor}


def _place_of(cursor: str) -> Any:
    """SQL: the time and the id of the last request of the page before."""
    created_at, request_id = decode_cursor(cursor, parts=2)
    try:
        time, known_id = datetime.fromisoformat(created_at).astimezone(timezone.utc), str(uuid.UUID(request_id))
    except (ValueError, OverflowError):
        raise invalid_cursor() from None
    return sa.tuple_(
        sa.literal(time, ProcessingRequest.created_at.type), sa.literal(known_id, ProcessingRequest.id.type)
    )


@blueprint.get("/<request_id>/products")
@blueprint.input(ProductsIn, location="query", arg_name="query")
@blueprint.output(ProductsOut)
@blueprint.doc(summary="List a request's products")
def list_products(request_id: str, query: dict[str, Any]) -> dict[str, Any]:
    """Products in row order, in cursor pages, each with its images."""
    request = find_request(request_id)
    after_row = 0
    if "cursor" in query:
        (row,) = decode_cursor(query["cursor"], parts=1)
        if not row.isdecimal() or len(row) > 9:
            raise invalid_cursor()
        after_row = int(row)
    statuses = [ProductStatus(query["status"])] if "status" in query else []
    found = reads.products(request.id, statuses=statuses, after_row=after_row, limit=query["limit"] + 1)
    page = found[: query["limit"]]
    cursor = encode_cursor(page[-1][0].row) if len(found) > len(page) else None
    return {"items": [product_json(product, images) for product, images in page], "nextCursor": cursor}


@blueprint.get("/<request_id>/output.csv")
@blueprint.doc(summary="Get the output CSV", responses={302: "To the bucket URL, if CSVs are public."})
def get_output_csv(request_id: str) -> Any:
    """The output CSV, or a redirect to its bucket URL if CSVs are public."""
    return output_csv(find_request(request_id))


def output_csv(request: ProcessingRequest) -> Any:
    """The output CSV of a request, or a redirect to it.

    Raises:
        Problem: 409 `not_finished`, or 404 `no_output`.
    """
    detail = "The request failed before any row was processed, so it has no output CSV."
    return _csv(_ended(request), "output", "no_output", detail)


@blueprint.get("/<request_id>/failed.csv")
@blueprint.doc(summary="Get the failed rows", responses={302: "To the bucket URL, if CSVs are public."})
def get_failed_csv(request_id: str) -> Any:
    """The failed rows as a CSV that can be uploaded as it is, or a redirect to its bucket URL."""
    return failed_csv(find_request(request_id))


def failed_csv(request: ProcessingRequest) -> Any:
    """The failed rows of a request, or a redirect to them.

    Raises:
        Problem: 409 `not_finished`, or 404 `nothing_failed`.
    """
    detail = "No row of this request failed, so there is no failed CSV."
    return _csv(_ended(request), "failed", "nothing_failed", detail)


@blueprint.get("/<request_id>/output.xlsx")
@blueprint.doc(summary="Get the output as a workbook", responses={302: "To the bucket URL, if CSVs are public."})
def get_output_xlsx(request_id: str) -> Any:
    """The workbook of an upload with `outputFormat=xlsx`, or a redirect to its bucket URL if CSVs are public."""
    return output_workbook(find_request(request_id))


def output_workbook(request: ProcessingRequest) -> Any:
    """The workbook of a request, or a redirect to it.

    Raises:
        Problem: 409 `not_finished`, or 404 `no_output`.
    """
    url = xlsx_url(_ended(request))
    detail = "The request has no workbook; upload its file with outputFormat=xlsx, or get output.csv."
    return _file(request, url and xlsx_key(request.output_key or ""), url, "no_output", detail)


def _csv(request: ProcessingRequest, name: Literal["output", "failed"], code: str, detail: str) -> Any:
    return _file(request, getattr(request, f"{name}_key"), csv_url(request, name), code, detail)


def _file(request: ProcessingRequest, key: str | None, url: str | None, code: str, detail: str) -> Any:
    """The file from the private bucket, or a redirect to the public one.

    Raises:
        Problem: 404 `code`: there is no such file (`detail` says why), or it is no longer stored.
    """
    if key is None:
        raise Problem(404, code, detail)
    if not request.csv_private:
        return redirect(url or "")
    body = services().store.open_csv(key)
    if body is None:
        raise Problem(404, code, "The file is no longer stored; retry the request, or upload its CSV again.")
    response = Response(body.iter_chunks(CSV_CHUNK_BYTES), content_type=content_type_of(key))
    response.call_on_close(body.close)
    name = name_after(request.filename, key.rpartition("/")[2])
    response.headers["Content-Disposition"] = attachment(name)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _ended(request: ProcessingRequest) -> ProcessingRequest:
    if not reads.has_ended(request):
        raise Problem(409, "not_finished", "The request has not ended yet; poll its status until it has.")
    return request


@blueprint.post("/<request_id>/cancel")
@blueprint.output(AcceptedOut, status_code=202)
@blueprint.doc(summary="Cancel a request")
def cancel_request(request_id: str) -> dict[str, Any]:
    """Cancel images that have not started. Finished ones are kept; the output CSV and the webhook still follow."""
    cancel(find_request(request_id))
    return accepted(request_id)


def cancel(request: ProcessingRequest) -> None:
    """Cancel what has not started.

    Raises:
        Problem: 409 `already_ended`.
    """
    if not actions.cancel(request.id) and reads.has_ended(request):
        raise Problem(
            409,
            "already_ended",
            f"The request has already ended as {request.status.value}; there is nothing to cancel.",
        )
    outcome.finalize_if_ended(request.id)


@blueprint.post("/<request_id>/retry")
@blueprint.input(RetryIn, location="query", arg_name="query")
@blueprint.output(AcceptedOut, status_code=202)
@blueprint.doc(summary="Retry the failed images")
def retry_request(request_id: str, query: dict[str, str]) -> dict[str, Any]:
    """Process only the failed and cancelled images again. Then the request is finalized and announced again."""
    request = _ended(find_request(request_id))
    retry(request, code=query.get("code"), host=query.get("host"))
    return accepted(request.id)


def retry(request: ProcessingRequest, *, code: str | None, host: str | None) -> None:
    """Retry the failed and cancelled images of an ended request; with a `code` or `host` only those that failed so.

    Raises:
        Problem: 409 `nothing_to_retry`.
        QuotaExceeded: the owner has too much under way.
    """
    require_room(services(), request.owner, size=request.input_bytes)
    if code is None and host is None:
        reopened = actions.retry(request.id)
    else:
        reopened = actions.retry_some(request.id, gallery.failed_products(request.id, code=code, host=host))
    if not reopened:
        chosen = "" if code is None and host is None else " with that code at that host"
        detail = f"No image of this request failed{chosen}, so there is nothing to retry."
        raise Problem(409, "nothing_to_retry", detail)
    if request.planned_at is None:
        turns.enqueue_plans([request.id])
    turns.enqueue_products(release(request.id, window=services().settings.dispatch_window))
    outcome.finalize_if_ended(request.id)


@blueprint.delete("/<request_id>")
@blueprint.output(EmptySchema, status_code=204)
@blueprint.doc(summary="Delete a request")
def delete_request(request_id: str) -> Response:
    """Delete the request, its rows and its objects."""
    delete.remove(services(), find_request(request_id).id)
    response = Response(status=204)
    del response.headers["Content-Type"]  # there is no content
    return response
