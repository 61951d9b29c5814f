"""One attempt at a webhook: sign the payload, send it, and decide when the next attempt is due."""

from __future__ import annotations

import time

from imgproc.core.errors import DeliveryError
from imgproc.db import reads
from imgproc.db.models import DeliveryStatus
from imgproc.db.transitions.deliveries import DeliveryClaim, Outcome
from imgproc.journey.services import Services


def attempt(services: Services, delivery_id: str, claim: DeliveryClaim) -> Outcome:
    """Send the webhook once; the outcome says when to try again."""
    started = time.monotonic()
    try:
        secrets = signing_secrets(services, claim.owner)
        receipt = services.notifier.notify(claim.url, webhook_id=delivery_id, payload=claim.payload, secrets=secrets)
    except DeliveryError as error:
        retry_in = _retry_in(services, claim, error)
        return Outcome(
            status=DeliveryStatus.FAILED if retry_in is None else DeliveryStatus.PENDING,
            duration_ms=_milliseconds_since(started),
            response_status=error.response_status,
            error_code=error.code,
            error_detail=error.detail,
            retry_in=retry_in,
        )
    return Outcome(DeliveryStatus.DELIVERED, _milliseconds_since(started), response_status=receipt.response_status)


def signing_secrets(services: Services, owner: str) -> tuple[str, ...]:
    """The secrets that sign the owner's webhooks: those of the API key, or the configured ones if it has none."""
    own = reads.webhook_secrets(owner) if owner else None
    return services.settings.webhook_secrets if own is None else own


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _retry_in(services: Services, claim: DeliveryClaim, error: DeliveryError) -> float | None:
    """Seconds until the next attempt: those of the schedule, or those the receiver asked for if they are more."""
    schedule = services.settings.webhook_retry_schedule
    if not error.retryable or claim.retries >= len(schedule):
        return None
    return max(float(schedule[claim.retries]), error.retry_after or 0.0)
