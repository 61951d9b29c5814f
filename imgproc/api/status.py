"""The status of a request. It costs the same for any size of request: two rows by their keys, and the few products
that wait for a host."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, jsonify, url_for
from flask import request as call

from imgproc.api.schemas import StatusOut
from imgproc.api.views import find_request, status_url, summary_of
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.reads import has_ended, progress_of
from imgproc.db.waiting_products import waiting_products
from imgproc.journey.output_files import wants_xlsx
from imgproc.journey.summary import rfc3339

blueprint = APIBlueprint("status", __name__, url_prefix="/api", tag="Status")

SLOWEST_POLL = 10  # seconds


@blueprint.get("/requests/<request_id>", endpoint="get_request")
@blueprint.get("/status/<request_id>")
@blueprint.output(StatusOut)
@blueprint.doc(summary="Get a request's status", responses={304: "Nothing changed since `If-None-Match`."})
def get_status(request_id: str) -> Response:
    """Poll this. `If-None-Match` with the last `ETag` gets 304 if nothing changed; `Retry-After` suggests a pause."""
    found = find_request(request_id)
    delivery, waiting = _latest_delivery(found.id), _waiting(found)
    body = summary_of(found) | {
        "waiting": waiting,
        "reading": found.reading,
        "webhook": _webhook(found, delivery),
        "links": _links(found),
    }
    etag = _etag(body)
    response = Response(status=304) if call.if_none_match.contains_weak(etag) else jsonify(body)
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    if not has_ended(found):
        response.headers["Retry-After"] = str(poll_after(found))
    return response


def _latest_delivery(request_id: str) -> WebhookDelivery | None:
    statement = (
        sa.select(WebhookDelivery)
        .where(WebhookDelivery.request_id == request_id)
        .order_by(WebhookDelivery.finalize_epoch.desc())
        .limit(1)
    )
    return db.session.execute(statement).scalar_one_or_none()


def _etag(body: dict[str, Any]) -> str:
    """An ETag that changes with the body, except for the estimate of the time left."""
    lasting = body | {"progress": body["progress"] | {"etaSeconds": None}}
    return hashlib.sha256(json.dumps(lasting).encode()).hexdigest()[:24]


def poll_after(found: ProcessingRequest) -> int:
    """A tenth of the time left, from 1 to 10 seconds."""
    return min(SLOWEST_POLL, max(1, (progress_of(found).eta_seconds or 0) // 10))


def _waiting(found: ProcessingRequest) -> list[dict[str, Any]]:
    """The hosts that products wait for; none once the request has ended, without a look at the products."""
    if has_ended(found):
        return []
    return [
        {"host": each.host, "products": each.products, "until": rfc3339(each.until), "reason": each.reason}
        for each in waiting_products(found.id)
    ]


def _webhook(found: ProcessingRequest, delivery: WebhookDelivery | None) -> dict[str, Any] | None:
    if found.webhook_url is None:
        return None
    if delivery is None:
        waiting = {"status": "pending", "attempts": 0, "lastResponseStatus": None, "nextAttemptAt": None}
        return {"url": found.webhook_url, **waiting}
    return {
        "url": delivery.url,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "lastResponseStatus": delivery.last_response_status,
        "nextAttemptAt": rfc3339(delivery.next_attempt_at),
    }


def _links(request: ProcessingRequest) -> dict[str, str]:
    def to(view: str) -> str:
        return url_for(view, request_id=request.id, _external=True)

    workbook = {"outputXlsx": to("requests.get_output_xlsx")} if wants_xlsx(request) else {}
    return {
        "self": status_url(request.id),
        "products": to("requests.list_products"),
        "outputCsv": to("requests.get_output_csv"),
        **workbook,
        "deliveries": to("deliveries.list_deliveries"),
        "cancel": to("requests.cancel_request"),
        "retry": to("requests.retry_request"),
    }
