"""The log of webhook deliveries, and sending one again."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint

from imgproc.api.delivery_schemas import DeliveriesOut
from imgproc.api.problems import Problem
from imgproc.api.schemas import AcceptedOut
from imgproc.api.views import accepted, find_request, rfc3339
from imgproc.db.engine import db
from imgproc.db.models import DeliveryAttempt, WebhookDelivery
from imgproc.db.statuses import UNDELIVERED
from imgproc.db.transitions import deliveries
from imgproc.journey import turns
from imgproc.journey.accept import require_room_for_delivery
from imgproc.journey.services import services

blueprint = APIBlueprint("deliveries", __name__, url_prefix="/api/requests/<request_id>/deliveries", tag="Webhooks")


@blueprint.get("")
@blueprint.output(DeliveriesOut)
@blueprint.doc(summary="List webhook deliveries")
def list_deliveries(request_id: str) -> dict[str, Any]:
    """Every delivery of the request with its attempts, newest first."""
    statement = sa.select(WebhookDelivery).where(WebhookDelivery.request_id == find_request(request_id).id)
    found = list(db.session.execute(statement.order_by(WebhookDelivery.finalize_epoch.desc())).scalars())
    attempts: dict[str, list[DeliveryAttempt]] = {delivery.id: [] for delivery in found}
    log = sa.select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(list(attempts)))
    for attempt in db.session.execute(log.order_by(DeliveryAttempt.delivery_id, DeliveryAttempt.number)).scalars():
        attempts[attempt.delivery_id].append(attempt)
    return {"items": [_delivery(delivery, attempts[delivery.id]) for delivery in found]}


@blueprint.post("/<delivery_id>/redeliver")
@blueprint.output(AcceptedOut, status_code=202)
@blueprint.doc(summary="Send a webhook again")
def redeliver(request_id: str, delivery_id: str) -> dict[str, Any]:
    """Send the webhook again under the same `webhook-id`, with a fresh retry schedule."""
    request = find_request(request_id)
    delivery = _find(request.id, delivery_id)
    if delivery.status not in UNDELIVERED:
        require_room_for_delivery(services(), request.owner)
    if not deliveries.redeliver(request.id, delivery.id):
        raise Problem(409, "delivery_in_progress", "This delivery is being sent right now; wait for its outcome.")
    turns.enqueue_deliveries([delivery.id])
    return accepted(request.id)


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
    return {
        "id": delivery.id,
        "url": delivery.url,
        "type": delivery.payload["type"],
        "status": delivery.status.value,
        "createdAt": rfc3339(delivery.created_at),
        "nextAttemptAt": rfc3339(delivery.next_attempt_at),
        "lastResponseStatus": delivery.last_response_status,
        "attempts": [_attempt(attempt) for attempt in attempts],
    }


def _attempt(attempt: DeliveryAttempt) -> dict[str, Any]:
    error = {"code": attempt.error_code, "detail": attempt.error_detail} if attempt.error_code else None
    return {
        "number": attempt.number,
        "attemptedAt": rfc3339(attempt.attempted_at),
        "responseStatus": attempt.response_status,
        "error": error,
        "durationMs": attempt.duration_ms,
    }
