"""Gives work whose lease has expired to another worker: the one that held it died, stalled or raised.

The other work of that process may have been the reason, so the next worker has no other work. Work that has failed
`MAX_ATTEMPTS` such workers would fail every further one, so it ends as failed. An orderly stop and an outage of our
servers are not attempts: the work is given back, and they do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from structlog.contextvars import bound_contextvars

from imgproc.core import metrics, tracing
from imgproc.core.config import Settings
from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.reads import ids_of
from imgproc.db.statuses import UNFINALIZED, RequestStatus
from imgproc.db.transitions import deliveries, expiry, finalization
from imgproc.db.transitions.leases import is_used_up
from imgproc.journey import outcome, turns
from imgproc.journey.isolation import isolated
from imgproc.queue.calls import JobName

BATCH = 1000  # rows that a statement of one pass reads; the next pass comes within a second
PRODUCT_LOST = (
    "The worker died while processing this product, {attempts} times; "
    "one of its images probably exhausts memory or crashes the decoder. Replace the image, then retry the request."
)
PLAN_LOST = (
    "The file could not be read to its end: the worker died, {attempts} times, probably because the file needs too "
    "much memory. Split it into smaller files and upload those; or retry the request, which goes on where it stopped."
)
FINALIZE_LOST = (
    "The images are done, but the output CSV could not be written: the worker died, {attempts} times. Retry the "
    "request to write it; no finished image is made again, and the list of products has the address of each."
)
DELIVERY_LOST = "The worker died while sending this webhook; its log says why."

log = structlog.get_logger(__name__)


def return_products(settings: Settings) -> None:
    """Give products another attempt, or end them as failed after the last one."""
    expired = expiry.requeue_expired(max_attempts=settings.max_attempts)
    if expired:
        log.warning("leases_expired", products=len(expired))
        _count(JobName.PROCESS_PRODUCT, len(expired))
    turns.enqueue_products(expired)
    is_last = is_used_up(Product, max_attempts=settings.max_attempts)
    used_up = sa.select(Product.id).where(expiry.is_expired(), is_last).limit(BATCH)
    for product_id in ids_of(used_up):
        with isolated("return_products", product_id=product_id):
            _fail_product(settings, product_id)


def _fail_product(settings: Settings, product_id: int) -> None:
    lost = expiry.lose(
        product_id,
        max_attempts=settings.max_attempts,
        window=settings.dispatch_window,
        code="worker_lost",
        detail=PRODUCT_LOST.format(attempts=settings.max_attempts),
    )
    if lost:
        with _traced(lost.request_id):
            log.error("product_failed", product_id=product_id, code="worker_lost")
        _count(JobName.PROCESS_PRODUCT)
        metrics.IMAGES.labels("failed", "worker_lost").inc(lost.images)
        turns.enqueue_products(lost.released)


def return_plans(settings: Settings) -> None:
    """Give plans another attempt, or end their requests as failed after the last one."""
    expired = expiry.requeue_plans(max_attempts=settings.max_attempts)
    if expired:
        log.warning("leases_expired", plans=len(expired))
        _count(JobName.PLAN, len(expired))
    turns.enqueue_plans(expired)
    used_up = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.status.in_(UNFINALIZED), finalization.has_expired())
        .where(is_used_up(ProcessingRequest, max_attempts=settings.max_attempts))
        .limit(BATCH)
    )
    for request_id in ids_of(used_up):
        with isolated("return_plans", request_id=request_id):
            _fail_request(settings, request_id, step=RequestStatus.PROCESSING, code="plan_failed", detail=PLAN_LOST)


def return_finalizations(settings: Settings) -> None:
    """Supersede finalizers, or end their requests as failed after the last attempt."""
    is_last = is_used_up(ProcessingRequest, max_attempts=settings.max_attempts)
    expired = (
        sa.select(ProcessingRequest.id, ProcessingRequest.finalize_epoch, is_last)
        .where(ProcessingRequest.status == RequestStatus.FINALIZING, finalization.has_expired())
        .limit(BATCH)
    )
    found = db.session.execute(expired).all()
    db.session.rollback()
    for request_id, epoch, used_up in found:
        with isolated("return_finalizations", request_id=request_id):
            _return_finalization(settings, request_id, epoch=epoch, used_up=used_up)


def _return_finalization(settings: Settings, request_id: str, *, epoch: int, used_up: bool) -> None:
    if used_up:
        step, code = RequestStatus.FINALIZING, "finalize_failed"
        _fail_request(settings, request_id, step=step, code=code, detail=FINALIZE_LOST)
        return
    next_epoch = finalization.supersede_finalizer(request_id, epoch=epoch, max_attempts=settings.max_attempts)
    if next_epoch:
        _count(JobName.FINALIZE)
        turns.enqueue_finalization(request_id, epoch=next_epoch)


def _fail_request(settings: Settings, request_id: str, *, step: RequestStatus, code: str, detail: str) -> None:
    request = reads.get_request(request_id)
    if request is None:
        return
    detail = detail.format(attempts=settings.max_attempts)
    failed = finalization.lose(
        request_id,
        step=step,
        max_attempts=settings.max_attempts,
        code=code,
        detail=detail,
        announce=outcome.announcement(request, RequestStatus.FAILED, code=code, detail=detail),
    )
    db.session.rollback()
    if failed:
        with _traced(request_id):
            log.error("request_failed", code=code)
        _count(JobName.FINALIZE if step is RequestStatus.FINALIZING else JobName.PLAN)
        metrics.REQUESTS.labels(RequestStatus.FAILED.value, code).inc()
        turns.enqueue_deliveries([failed.delivery_id] if failed.delivery_id else [])


def return_deliveries(settings: Settings) -> None:
    """Record deliveries as attempts that failed; they are due again, or end after the last attempt."""
    max_attempts = settings.max_attempts
    for delivery_id in ids_of(sa.select(WebhookDelivery.id).where(deliveries.is_expired()).limit(BATCH)):
        with isolated("return_deliveries", delivery_id=delivery_id):
            status = deliveries.lose(delivery_id, max_attempts=max_attempts, code="worker_lost", detail=DELIVERY_LOST)
            if status:
                with _traced(reads.request_of(delivery_id)):
                    log.warning("delivery_lost", delivery_id=delivery_id, status=status.value)
                _count(JobName.DELIVER)
                metrics.DELIVERIES.labels(status.value, "worker_lost").inc()


@contextmanager
def _traced(request_id: str | None) -> Iterator[None]:
    """Log the ids of the request and of its trace, as its own jobs do."""
    request = reads.get_request(request_id) if request_id else None
    ids = {"request_id": request_id, "trace_id": tracing.trace_id_of(request.traceparent) if request else None}
    db.session.rollback()
    with bound_contextvars(**ids):
        yield


def _count(work: JobName, leases: int = 1) -> None:
    metrics.LEASES_EXPIRED.labels(work.value).inc(leases)


STEPS: list[Callable[[Settings], None]] = [return_products, return_plans, return_finalizations, return_deliveries]
