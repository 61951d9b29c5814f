"""Settles a product after an attempt: it ends, or it is postponed while some of its images may still succeed."""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog

from imgproc.core import metrics
from imgproc.core.errors import ImgprocError, InfrastructureError
from imgproc.db.statuses import AT_LIMIT
from imgproc.db.transitions import products
from imgproc.db.transitions.products import ProductClaim, Waiting
from imgproc.db.transitions.results import FailedImage, ImageResult, MadeImage, Settled
from imgproc.journey.image_maker import FailedAttempt, ImageOutcome, failed
from imgproc.journey.patience import HostPause, HostUnavailable, pause_or_error
from imgproc.journey.services import Services

OUTAGE_DELAY = 5.0  # seconds until work returned by an outage is tried again

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Sorted:
    """The outcomes of an attempt: what ended, what an outage of ours delayed, what is tried again, what waits."""

    results: list[ImageResult]
    outages: list[ImgprocError]
    again: list[ImgprocError]
    pauses: list[HostPause]


def settle(
    services: Services, product_id: int, claim: ProductClaim, outcomes: list[ImageOutcome], *, token: str
) -> Settled:
    """End the product, or postpone it if an outage or its hosts leave images to be tried again.

    Raises:
        LeaseLost: another worker has taken over the product; nothing changed.
    """
    window = services.settings.dispatch_window
    found = _sort(services, claim, outcomes)
    _log_attempt(product_id, claim, found, outcomes)
    if not (found.outages or found.again or found.pauses):
        settled = products.finish(product_id, found.results, token=token, window=window)
        count_images(found.results)
        return settled
    settled = products.postpone(
        product_id,
        found.results,
        token=token,
        window=window,
        delay=_delay(claim, found),
        counts_as_attempt=bool(found.again) and not found.outages,
        waiting=_waiting(found),
        refused=[pause.refused for pause in found.pauses if pause.refused],
    )
    count_images(found.results)
    for pause in found.pauses:
        metrics.HOST_PAUSES.labels(pause.reason).inc()
    return settled


def count_images(results: list[ImageResult]) -> None:
    """Count ended images in the metrics. Call it after the commit, so that a retried transaction counts once."""
    for result in results:
        if isinstance(result.outcome, FailedImage):
            metrics.IMAGES.labels("failed", result.outcome.error_code).inc()
        elif isinstance(result.outcome, MadeImage):
            metrics.IMAGES.labels("completed", "").inc()
            metrics.IMAGE_BYTES.labels("in").inc(result.outcome.source_bytes)
            metrics.IMAGE_BYTES.labels("out").inc(result.outcome.output_bytes)


def _sort(services: Services, claim: ProductClaim, outcomes: list[ImageOutcome]) -> _Sorted:
    settings, is_last = services.settings, claim.attempt >= services.settings.max_attempts
    found = _Sorted([], [], [], [])
    for outcome in outcomes:
        if isinstance(outcome, ImageResult):
            found.results.append(outcome)
            continue
        image, error = outcome.image, outcome.error
        verdict = pause_or_error(services.host_limits, settings, image, error, claimed_at=claim.claimed_at)
        if isinstance(verdict, HostPause):
            found.pauses.append(verdict)
        elif isinstance(verdict, InfrastructureError):
            found.outages.append(verdict)
        elif verdict.retryable and not is_last and not isinstance(verdict, HostUnavailable):
            found.again.append(verdict)
        else:
            found.results.append(failed(outcome.image, verdict, stages_ms=outcome.stages_ms))
    return found


def _waiting(found: _Sorted) -> Waiting | None:
    """The host that the product waits for: one that refused an image, else the one that is free first."""
    if not found.pauses:
        return None
    pause = min(found.pauses, key=lambda each: (each.refused is None, each.seconds))
    is_early = pause.refused is None and not (found.again or found.outages)
    return Waiting(pause.host, AT_LIMIT if is_early else pause.reason)


def _delay(claim: ProductClaim, found: _Sorted) -> float:
    """Seconds until the next attempt: the longest pause that a failure needs, else until the first host is free."""
    needed = [pause.seconds for pause in found.pauses if pause.refused]
    if found.outages:
        needed.append(OUTAGE_DELAY)
    if found.again:
        needed += [_backoff(claim.attempt), *(getattr(error, "retry_after", None) or 0.0 for error in found.again)]
    return max(needed) if needed else min(pause.seconds for pause in found.pauses)


def _backoff(attempt: int) -> float:
    """Seconds before the next attempt: 2, 4, 8 … at most 60, give or take a quarter, so that retries spread out."""
    return min(60.0, 2.0**attempt) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret


def _log_attempt(product_id: int, claim: ProductClaim, found: _Sorted, outcomes: list[ImageOutcome]) -> None:
    failures = [outcome for outcome in outcomes if isinstance(outcome, FailedAttempt)]
    # The database has a record of each success, and waits in line are many.
    write = log.info if len(failures) > len(found.pauses) or any(pause.refused for pause in found.pauses) else log.debug
    write(
        "product_attempted",
        request_id=claim.request_id,
        product_id=product_id,
        attempt=claim.attempt,
        completed=len(outcomes) - len(failures),
        codes=[failure.error.code for failure in failures],
    )
