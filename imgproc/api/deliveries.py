"""The log of webhook deliveries, and sending one again."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint

from imgproc.api.delivery_schemas import DeliveriesOut
from imgproc.api.inputs import DeliveriesIn
from imgproc.api.problems import Problem
from imgproc.api.schemas import AcceptedOut
from imgproc.api.views import accepted, decode_cursor, encode_cursor, find_request, invalid_cursor
from imgproc.db.engine import db
from imgproc.db.models import DeliveryAttempt, ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import UNDELIVERED
from imgproc.db.transitions import deliveries
from imgproc.journey import turns
from imgproc.journey.quotas import require_room_for_delivery
from imgproc.journey.services import services
from imgproc.journey.summary import error_json, rfc3339
from imgproc.pipeline.http.receiver_faults import note_of
from imgproc.pipeline.notify import body_of

blueprint = APIBlueprint("deliveries", __name__, url_prefix="/api/requests/<request_id>/deliveries", tag="Webhooks")


@blueprint.get("")
@blueprint.input(DeliveriesIn, location="query", arg_name="query")
@blueprint.output(DeliveriesOut)
@blueprint.doc(summary="List webhook deliveries")
def list_deliveries(request_id: str, query: dict[str, Any]) -> dict[str, Any]:
    """Newest first, in cursor pages, each with its attempts: what was sent, and what came back."""
    return page_of(find_request(request_id).id, limit=query["limit"], cursor=query.get("cursor"))


def page_of(request_id: str, *, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of a request's deliveries as JSON.

    Raises:
        Problem: 422 `invalid_cursor`.
    """
    epoch = WebhookDelivery.finalize_epoch
    statement = sa.select(WebhookDelivery).where(WebhookDelivery.request_id == request_id)
    if cursor is not None:
        (before,) = decode_cursor(cursor, parts=1)
        if not before.isdecimal() or len(before) > 9:
            raise invalid_cursor()
        statement = statement.where(epoch < int(before))
    found = list(db.session.execute(statement.order_by(epoch.desc()).limit(limit + 1)).scalars())
    page = found[:limit]
    attempts: dict[str, list[DeliveryAttempt]] = {delivery.id: [] for delivery in page}
    log = sa.select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(list(attempts)))
    for attempt in db.session.execute(log.order_by(DeliveryAttempt.delivery_id, DeliveryAttempt.number)).scalars():
        attempts[attempt.delivery_id].append(attempt)
    next_cursor = encode_cursor(page[-1].finalize_epoch) if len(found) > len(page) else None
    return {"items": [_delivery(delivery, attempts[delivery.id]) for delivery in page], "nextCursor": next_cursor}


@blueprint.post("/<delivery_id>/redeliver")
@blueprint.output(AcceptedOut, status_code=202)
@blueprint.doc(summary="Send a webhook again")
def redeliver(request_id: str, delivery_id: str) -> dict[str, Any]:
    """Send the webhook again under the same `webhook-id`, with a fresh retry schedule."""
    send_again(find_request(request_id), delivery_id)
    return accepted(request_id)


def send_again(request: ProcessingRequest, delivery_id: str) -> None:
    """Send one of the request's webhooks again.

    Raises:
        Problem: 404 `delivery_not_found`, or 409 `delivery_in_progress`.
        QuotaExceeded: the owner has too many unfinished deliveries.
    """
    delivery = _find(request.id, delivery_id)
    if delivery.status not in UNDELIVERED:
        require_room_for_delivery(services(), request.owner)
    if not deliveries.redeliver(request.id, delivery.id):
        raise Problem(409, "delivery_in_progress", "This delivery is being sent right now; wait for its outcome.")
    turns.enqueue_deliveries([delivery.id])


def _find(request_id: str, delivery_id: str) -> WebhookDelivery:
    """The request's delivery with that id. A delivery of another request counts as unknown.

    Raises:
        Problem: 404 `delivery_not_found`.
    """
    with suppress(ValueError):
        is_meant = WebhookDelivery.id == str(uuid.UUID(delivery_id))
        statement = sa.select(WebhookDelivery).where(is_meant, WebhookDelivery.request_id == request_id)
        if found := db.session.execute(statement).scalar_one_or_none():
            return found
    raise Problem(404, "delivery_not_found", "This request has no delivery with this id; list its deliveries.")


def _delivery(delivery: WebhookDelivery, attempts: list[DeliveryAttempt]) -> dict[str, Any]:
    body = body_of(delivery.payload)
    return {
        "id": delivery.id,
        "url": delivery.url,
        "type": delivery.payload["type"],
        "status": delivery.status.value,
        "createdAt": rfc3339(delivery.created_at),
        "nextAttemptAt": rfc3339(delivery.next_attempt_at),
        "lastResponseStatus": delivery.last_response_status,
        "attempts": [_attempt(attempt, body=body) for attempt in attempts],
    }


def _attempt(attempt: DeliveryAttempt, *, body: str) -> dict[str, Any]:
    status, headers = attempt.response_status, attempt.response_headers
    return {
        "number": attempt.number,
        "attemptedAt": rfc3339(attempt.attempted_at),
        "responseStatus": status,
        "error": error_json(attempt.error_code, attempt.error_detail),
        "durationMs": attempt.duration_ms,
        "request": attempt.request_headers and {"headers": attempt.request_headers, "body": body},
        "response": None if headers is None else {"status": status, "headers": headers, "body": attempt.response_body},
        "note": note_of(status, headers),
    }
