"""Settles a product after an attempt: it ends, or it is postponed while some of its images may still succeed."""

from __future__ import annotations

import random

import structlog

from imgproc.core.errors import InfrastructureError
from imgproc.db.transitions import products
from imgproc.db.transitions.products import ProductClaim
from imgproc.db.transitions.results import ImageResult, Settled
from imgproc.journey.image_maker import FailedAttempt, ImageOutcome, failed
from imgproc.journey.services import Services

OUTAGE_DELAY = 5.0  # seconds until work returned by an outage is tried again

log = structlog.get_logger(__name__)


def settle(
    services: Services, product_id: int, claim: ProductClaim, outcomes: list[ImageOutcome], *, token: str
) -> Settled:
    """End the product, or postpone it if an outage or a passing failure of a host leaves images to be tried again.

    Raises:
        LeaseLost: another worker has taken over the product; nothing changed.
    """
    settings = services.settings
    done = [outcome for outcome in outcomes if isinstance(outcome, ImageResult)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, FailedAttempt)]
    outages = [failure for failure in failures if isinstance(failure.error, InfrastructureError)]
    others = [failure for failure in failures if not isinstance(failure.error, InfrastructureError)]
    last_attempt = claim.attempt >= settings.max_attempts
    again = [failure for failure in others if failure.error.retryable and not last_attempt]
    final = [failure for failure in others if failure not in again]
    results = done + [failed(failure.image, failure.error) for failure in final]
    _log_attempt(product_id, claim, done, failures)
    if not outages and not again:
        return products.finish(product_id, results, token=token, window=settings.dispatch_window)
    return products.postpone(
        product_id,
        results,
        token=token,
        window=settings.dispatch_window,
        delay=OUTAGE_DELAY if outages else _delay(claim, again),
        counts_as_attempt=not outages,
    )


def _delay(claim: ProductClaim, again: list[FailedAttempt]) -> float:
    """Seconds until the next attempt: the longest that a host asked for, but at least the backoff."""
    asked = [getattr(failure.error, "retry_after", None) or 0.0 for failure in again]
    return max(_backoff(claim.attempt), *asked)


def _backoff(attempt: int) -> float:
    """Seconds before the next attempt: 2, 4, 8 … at most 60, give or take a quarter, so that retries spread out."""
    return min(60.0, 2.0**attempt) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret


def _log_attempt(product_id: int, claim: ProductClaim, done: list[ImageResult], failures: list[FailedAttempt]) -> None:
    write = log.info if failures else log.debug  # the database has a record of each success
    write(
        "product_attempted",
        request_id=claim.request_id,
        product_id=product_id,
        attempt=claim.attempt,
        completed=len(done),
        codes=[failure.error.code for failure in failures],
    )
