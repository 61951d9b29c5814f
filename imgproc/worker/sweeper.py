"""Recovers from crashes. A pass is a few set-based statements, and any number of sweepers may run at once.

The database says which work is due; the sweeper enqueues what Redis has lost of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError

from imgproc.core import metrics
from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.reads import ids_of
from imgproc.db.statuses import IN_FLIGHT, UNFINALIZED, ProductStatus, RequestStatus
from imgproc.db.timeouts import is_wait
from imgproc.db.transitions import actions, deliveries, delivery_crowds, finalization
from imgproc.db.transitions.window import release
from imgproc.journey import outcome, turns
from imgproc.journey.delete import remove_due
from imgproc.journey.host_waits import enqueue_due, wake_idle_hosts
from imgproc.journey.isolation import isolated
from imgproc.journey.services import services
from imgproc.queue import enqueue, presence
from imgproc.queue.calls import JobName, job_id
from imgproc.queue.connection import redis_client
from imgproc.queue.rq_classes import drop_forged_keys
from imgproc.worker import expired_leases
from imgproc.worker.expired_leases import BATCH
from imgproc.worker.passes import repeat

WAIT_INTERVAL = 0.2  # seconds between two looks at products that wait for a host; its pauses may be as short
QUEUED = 100_000  # queued products that a pass reads; the oldest may all be in Redis, and windows keep them few
STALE_SECONDS = 5.0  # seconds that work may be queued before a pass checks that Redis still has its job
CROWD_DELAY = 15.0  # seconds that a delivery waits in a crowd of its owner or receiver; as long as an attempt may take
CROWDS = 20  # batches of such deliveries that one pass delays at most

log = structlog.get_logger(__name__)


def run_forever(app: Flask, stop: threading.Event) -> None:
    """Repair and remove every SWEEP_INTERVAL seconds, until `stop` is set. An outage delays the next pass.

    Removals run in a thread of their own, because they wait for the object store, and repairs must not. Another thread
    enqueues the products whose host may be asked again, because those are due more often.
    """
    metrics.start_at_zero(metrics.JOB_FAILURES, "sweeper")
    for counter in (metrics.LEASES_EXPIRED, metrics.REPAIRS):
        metrics.start_at_zero(counter, *(name.value for name in JobName))
    removals = threading.Thread(target=repeat, args=(app, stop, remove_due), name="removals")
    waits = threading.Thread(target=repeat, args=(app, stop, enqueue_waiting, WAIT_INTERVAL), name="waits")
    removals.start()
    waits.start()
    repeat(app, stop, Repairs(), beat=True)
    removals.join()
    waits.join()


def enqueue_waiting() -> None:
    """Enqueue the products that need not wait for their host any longer."""
    enqueue_due()
    wake_idle_hosts()


class Repairs:
    """Sweeps, but expires no lease just after an outage: no worker could renew one while the database was away."""

    def __init__(self) -> None:
        self._away_since: float | None = None
        self._patient_until = 0.0

    def __call__(self) -> None:
        """Run one pass."""
        started = time.monotonic()
        try:
            sweep(expire_leases=self._away_since is None and started >= self._patient_until)
        except DBAPIError as error:
            if not is_wait(error):  # otherwise the database answered, and one row was locked
                self._away_since = self._away_since or started
            raise
        lease_seconds = services().settings.lease_seconds
        if self._away_since is not None and started - self._away_since > lease_seconds / 2:
            self._patient_until = started + lease_seconds
        self._away_since = None


def sweep(*, expire_leases: bool = True) -> None:
    """Run one pass over all work that a crash, a lost job or the passing of time has left undone.

    An exception in one step, or with one request, holds up no other.

    Raises:
        sqlalchemy.exc.DBAPIError, InfrastructureError: a server is away.
    """
    settings = services().settings
    drop_forged_keys(redis_client(), enqueue.KEY_TYPES)
    flushed = enqueue.mark_running()
    if flushed:
        log.info("redis_flushed", detail="Enqueueing all work that is due.")
    queued = enqueue.waiting()
    stale_after = 0.0 if flushed else STALE_SECONDS
    steps: list[Callable[[], None]] = [
        _cancel_stragglers,
        partial(_fill_windows, window=settings.dispatch_window),
        partial(
            _enqueue_missing, _stale_products(stale_after), JobName.PROCESS_PRODUCT, queued, turns.enqueue_products
        ),
        partial(_enqueue_missing, _unplanned(stale_after), JobName.PLAN, queued, turns.enqueue_plans),
        _elect_finalizers,
        partial(_enqueue_finalizers, queued),
        partial(
            _postpone_deliveries,
            most_of_owner=settings.deliveries_at_once,
            most_of_receiver=settings.deliveries_per_receiver,
        ),
        partial(_enqueue_missing, _due_deliveries(), JobName.DELIVER, queued, turns.enqueue_deliveries),
    ]
    if expire_leases:
        steps = [partial(step, settings) for step in expired_leases.STEPS] + steps
    for step in steps:
        with isolated(getattr(step, "func", step).__name__):
            step()
    presence.report_pass()


def _cancel_stragglers() -> None:
    """Cancel the products that workers returned unfinished after their request was cancelled."""
    unstarted = sa.exists().where(
        Product.request_id == ProcessingRequest.id,
        Product.status.in_([ProductStatus.PENDING, ProductStatus.QUEUED]),
    )
    cancelled = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.status == RequestStatus.PROCESSING)
        .where(ProcessingRequest.cancel_requested_at.is_not(None), unstarted)
        .limit(BATCH)
    )
    for request_id in ids_of(cancelled):
        with isolated("cancel_stragglers", request_id=request_id):
            actions.cancel_stragglers(request_id)


def _fill_windows(*, window: int) -> None:
    """Release products that are due in requests with room in their window."""
    due = sa.exists().where(
        Product.request_id == ProcessingRequest.id,
        Product.status == ProductStatus.PENDING,
        sa.or_(Product.not_before.is_(None), Product.not_before <= db_now()),
    )
    in_flight = (
        sa.select(sa.func.count())
        .where(Product.request_id == ProcessingRequest.id, Product.status.in_(IN_FLIGHT))
        .scalar_subquery()
    )
    with_room = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.status == RequestStatus.PROCESSING, ProcessingRequest.cancel_requested_at.is_(None))
        .where(due, in_flight < window)
        .limit(BATCH)
    )
    for request_id in ids_of(with_room):
        with isolated("fill_windows", request_id=request_id):
            turns.enqueue_products(release(request_id, window=window))


def _stale_products(seconds: float) -> Select[Any]:
    """Products that have been queued for longer than `seconds`."""
    return (
        sa.select(Product.id)
        .where(Product.status == ProductStatus.QUEUED, Product.queued_at < db_now(-seconds))
        .order_by(Product.queued_at)
        .limit(QUEUED)
    )


def _unplanned(seconds: float) -> Select[Any]:
    """Requests older than `seconds` that no worker plans, and those whose plan was given back and is due again."""
    unclaimed = sa.and_(ProcessingRequest.lease_until.is_(None), ProcessingRequest.created_at < db_now(-seconds))
    return (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.status.in_(UNFINALIZED), ProcessingRequest.lease_token.is_(None))
        .where(ProcessingRequest.planned_at.is_(None), sa.or_(unclaimed, ProcessingRequest.lease_until < db_now()))
        .limit(BATCH)
    )


def _due_deliveries() -> Select[Any]:
    """Deliveries whose next attempt is due."""
    due = sa.select(WebhookDelivery.id).where(deliveries.is_due())
    return due.order_by(WebhookDelivery.next_attempt_at).limit(BATCH)


def _postpone_deliveries(**most: int) -> None:
    """Keep the webhooks of one owner, or to one receiver, from crowding out the others in this pass."""
    for _ in range(CROWDS):
        if delivery_crowds.postpone(**most, delay=CROWD_DELAY, limit=BATCH) < BATCH // 2:
            return


def _elect_finalizers() -> None:
    """Elect a finalizer for each request whose products have all ended."""
    ended = sa.select(ProcessingRequest.id).where(
        ProcessingRequest.status == RequestStatus.PROCESSING, finalization.all_products_ended()
    )
    for request_id in ids_of(ended.limit(BATCH)):
        with isolated("elect_finalizers", request_id=request_id):
            outcome.finalize_if_ended(request_id)


def _enqueue_finalizers(queued: set[str]) -> None:
    """Enqueue again the finalizations whose job was lost, and those that were given back."""
    unclaimed = (
        sa.select(ProcessingRequest.id, ProcessingRequest.finalize_epoch)
        .where(ProcessingRequest.status == RequestStatus.FINALIZING, ProcessingRequest.lease_token.is_(None))
        .where(sa.or_(ProcessingRequest.lease_until.is_(None), ProcessingRequest.lease_until < db_now()))
        .limit(BATCH)
    )
    found = db.session.execute(unclaimed).all()
    db.session.rollback()
    for request_id, epoch in found:
        if job_id(JobName.FINALIZE, (request_id, epoch)) not in queued:
            metrics.REPAIRS.labels(JobName.FINALIZE.value).inc()
            turns.enqueue_finalization(request_id, epoch=epoch)


def _enqueue_missing(
    due: Select[Any], name: JobName, queued: set[str], enqueue_again: Callable[[list[Any]], None]
) -> None:
    """Enqueue the work that is due and has no job in Redis."""
    missing = [key for key in ids_of(due) if job_id(name, (key,)) not in queued]
    if missing:
        log.info("jobs_enqueued_again", job=name.value, count=len(missing))
        metrics.REPAIRS.labels(name.value).inc(len(missing))
        enqueue_again(missing)
