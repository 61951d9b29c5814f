"""One attempt at a webhook: sign the payload, send it, and decide when the next attempt is due."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imgproc.core import tracing
from imgproc.core.delivery_errors import DeliveryError, ReceiverAnswer
from imgproc.db import reads
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.transitions.deliveries import DeliveryClaim, Outcome
from imgproc.journey.services import Services
from imgproc.pipeline.notify import SignedWebhook, sign

PING = {"type": "ping"}


@dataclass(frozen=True)
class Attempt:
    """One POST: what was signed, what the receiver answered, why it failed, and the milliseconds it took."""

    duration_ms: int
    webhook: SignedWebhook | None = None
    answer: ReceiverAnswer | None = None
    error: DeliveryError | None = None


def attempt(services: Services, delivery_id: str, claim: DeliveryClaim) -> Outcome:
    """Send the webhook once; the outcome says when to try again."""
    made = _send(services, claim.url, claim.payload, webhook_id=delivery_id, owner=claim.owner)
    answer, error = made.answer, made.error
    retry_in = _retry_in(services, claim, error) if error else None
    failed = DeliveryStatus.FAILED if retry_in is None else DeliveryStatus.PENDING
    return Outcome(
        status=failed if error else DeliveryStatus.DELIVERED,
        duration_ms=made.duration_ms,
        request_headers=made.webhook.headers if made.webhook else None,
        response_status=answer.status if answer else None,
        response_headers=answer.headers if answer else None,
        response_body=answer.body if answer else None,
        error_code=error.code if error else None,
        error_detail=error.detail if error else None,
        retry_in=retry_in,
    )


def ping(services: Services, url: str, *, owner: str) -> Attempt:
    """Send a webhook of the type `ping` once, signed as the owner's webhooks are."""
    return _send(services, url, PING, webhook_id=str(uuid.uuid4()), owner=owner)


def _send(services: Services, url: str, payload: Mapping[str, Any], *, webhook_id: str, owner: str) -> Attempt:
    started = time.monotonic()
    webhook = answer = failure = None
    try:
        webhook = sign(
            payload,
            webhook_id=webhook_id,
            secrets=signing_secrets(services, owner),
            traceparent=tracing.traceparent(),
        )
        answer = services.notifier.notify(url, webhook)
    except DeliveryError as error:
        answer, failure = error.answer, error
    return Attempt(round((time.monotonic() - started) * 1000), webhook, answer, failure)


def signing_secrets(services: Services, owner: str) -> tuple[str, ...]:
    """The secrets that sign the owner's webhooks: those of the API key, or the configured ones if it has none."""
    own = reads.webhook_secrets(owner) if owner else None
    return services.settings.webhook_secrets if own is None else own


def _retry_in(services: Services, claim: DeliveryClaim, error: DeliveryError) -> float | None:
    """Seconds until the next attempt: those of the schedule, or those the receiver asked for if they are more."""
    schedule = services.settings.webhook_retry_schedule
    if not error.retryable or claim.retries >= len(schedule):
        return None
    return max(float(schedule[claim.retries]), error.retry_after or 0.0)
