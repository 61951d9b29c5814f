"""One attempt at a webhook, and when the next is due."""

from __future__ import annotations

import time

from imgproc.core.errors import DeliveryError
from imgproc.db import reads
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.transitions.deliveries import DeliveryClaim, Outcome
from imgproc.journey.services import Toolbox


def attempt(tools: Toolbox, delivery_id: str, claim: DeliveryClaim) -> Outcome:
    """Send the announcement once; what came of it, and when to try again."""
    started = time.monotonic()
    try:
        secrets = signing_secrets(tools, claim.owner)
        receipt = tools.notifier.notify(claim.url, webhook_id=delivery_id, payload=claim.payload, secrets=secrets)
    except DeliveryError as error:
        retry_in = _retry_in(tools, claim, error)
        return Outcome(
            status=DeliveryStatus.FAILED if retry_in is None else DeliveryStatus.PENDING,
            duration_ms=round((time.monotonic() - started) * 1000),
            response_status=error.response_status,
            error_code=error.code,
            error_detail=error.detail,
            retry_in=retry_in,
        )
    duration_ms = round((time.monotonic() - started) * 1000)
    return Outcome(DeliveryStatus.DELIVERED, duration_ms, response_status=receipt.response_status)


def signing_secrets(tools: Toolbox, owner: str) -> tuple[str, ...]:
    """What signs the owner's webhooks: the secrets of the key, else the configured ones; none where there are none."""
    own = reads.webhook_secrets(owner) if owner else None
    return tools.settings.webhook_secrets if own is None else own


def _retry_in(tools: Toolbox, claim: DeliveryClaim, error: DeliveryError) -> float | None:
    """Seconds until the next attempt by the schedule, or what the receiver asked for if that is longer."""
    schedule = tools.settings.webhook_retry_schedule
    if not error.retryable or claim.retries >= len(schedule):
        return None
    return max(float(schedule[claim.retries]), error.retry_after or 0.0)
