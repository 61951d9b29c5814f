"""Puts right what a crash left. A pass is a few set-based statements; any number of sweepers may run at once.

Nothing here decides by Redis: the database says what should be under way, and what is missing is rung again.
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
from redis.exceptions import RedisError
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import InfrastructureError
from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.reads import ids_of
from imgproc.db.statuses import IN_FLIGHT, UNFINALIZED, ProductStatus, RequestStatus
from imgproc.db.timeouts import LONG, allow, is_wait
from imgproc.db.transitions import actions, deliveries, finalization
from imgproc.db.transitions.window import release
from imgproc.journey import turns
from imgproc.journey.delete import remove_due
from imgproc.journey.isolation import isolated
from imgproc.journey.services import toolbox
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.queue.rq_classes import drop_forged_keys
from imgproc.worker import losses
from imgproc.worker.losses import BATCH

QUEUED = 100_000  # the oldest of them may all wait in Redis, so a pass must see beyond them; windows keep them few
STALE_SECONDS = 5.0  # how long a ring may go unanswered before we look whether it is still there
CROWD_DELAY = 15.0  # seconds a delivery waits where too many of its owner are due; as long as one attempt may take

log = structlog.get_logger(__name__)


def run_forever(app: Flask, stop: threading.Event) -> None:
    """Until `stop` is set: repair every SWEEP_INTERVAL seconds, and beside it remove; an outage only delays.

    Removals talk to the object store, and no repair shall wait for that.
    """
    removals = threading.Thread(target=_repeat, args=(app, stop, remove_due), name="removals")
    removals.start()
    _repeat(app, stop, Repairs())
    removals.join()


def _repeat(app: Flask, stop: threading.Event, one_pass: Callable[[], None]) -> None:
    with app.app_context():
        interval = toolbox().settings.sweep_interval
    while not stop.wait(interval):
        with app.app_context():
            try:
                with allow(LONG):
                    one_pass()
            except (DBAPIError, RedisError, InfrastructureError) as error:
                log.warning("sweep_delayed", error=str(error))
            except Exception:  # a thread that ended would sweep nothing any more, and no other would notice
                log.exception("sweep_failed")


class Repairs:
    """Sweeps, but lets no lease run out just after an outage: nobody could renew one while the database was away."""

    def __init__(self) -> None:
        self._away_since: float | None = None
        self._patient_until = 0.0

    def __call__(self) -> None:
        """One pass."""
        started = time.monotonic()
        try:
            sweep(expire_leases=self._away_since is None and started >= self._patient_until)
        except DBAPIError as error:
            if not is_wait(error):  # else it was there, and one row was locked
                self._away_since = self._away_since or started
            raise
        lease_seconds = toolbox().settings.lease_seconds
        if self._away_since is not None and started - self._away_since > lease_seconds / 2:
            self._patient_until = started + lease_seconds
        self._away_since = None


def sweep(*, expire_leases: bool = True) -> None:
    """One pass over everything that a crash, a lost ring or the passing of time may have left undone.

    What goes wrong with one request or one step holds up no other.
    """
    drop_forged_keys(redis_client(), enqueue.KEY_TYPES)
    flushed = enqueue.mark_running()
    if flushed:
        log.info("redis_was_empty", detail="Ringing again for all that is under way.")
    waiting = enqueue.waiting()
    stale_after = 0.0 if flushed else STALE_SECONDS
    steps: list[Callable[[], None]] = losses.STEPS if expire_leases else []
    steps = [
        *steps,
        _cancel_stragglers,
        _fill_windows,
        partial(_enqueue_missing, _stale_products(stale_after), "process_product", waiting, turns.enqueue_products),
        partial(_enqueue_missing, _unplanned(stale_after), "plan", waiting, enqueue.plans),
        _elect_finalizers,
        partial(_enqueue_finalizers, waiting),
        _put_off_deliveries,
        partial(_enqueue_missing, _due_deliveries(), "deliver", waiting, enqueue.deliveries),
    ]
    for step in steps:
        with isolated(_name_of(step)):
            step()


def _name_of(step: Callable[[], None]) -> str:
    return str(getattr(step, "func", step).__name__)


def _cancel_stragglers() -> None:
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


def _fill_windows() -> None:
    """Release products that are due in requests with room in their window."""
    window = toolbox().settings.dispatch_window
    request, product = ProcessingRequest, Product
    due = sa.exists().where(
        product.request_id == request.id,
        product.status == ProductStatus.PENDING,
        sa.or_(product.not_before.is_(None), product.not_before <= db_now()),
    )
    in_flight = (
        sa.select(sa.func.count())
        .where(product.request_id == request.id, product.status.in_(IN_FLIGHT))
        .scalar_subquery()
    )
    with_room = (
        sa.select(request.id)
        .where(request.status == RequestStatus.PROCESSING, request.cancel_requested_at.is_(None))
        .where(due, in_flight < window)
        .limit(BATCH)
    )
    for request_id in ids_of(with_room):
        with isolated("fill_windows", request_id=request_id):
            turns.enqueue_products(release(request_id, window=window))


def _stale_products(seconds: float) -> Select[Any]:
    return (
        sa.select(Product.id)
        .where(Product.status == ProductStatus.QUEUED, Product.queued_at < db_now(-seconds))
        .order_by(Product.queued_at)
        .limit(QUEUED)
    )


def _unplanned(seconds: float) -> Select[Any]:
    request = ProcessingRequest
    unclaimed = sa.and_(request.lease_until.is_(None), request.created_at < db_now(-seconds))
    return (
        sa.select(request.id)
        .where(request.status.in_(UNFINALIZED), request.lease_token.is_(None))
        .where(request.planned_at.is_(None), sa.or_(unclaimed, request.lease_until < db_now()))
        .limit(BATCH)
    )


def _due_deliveries() -> Select[Any]:
    due = sa.select(WebhookDelivery.id).where(deliveries.is_due())
    return due.order_by(WebhookDelivery.next_attempt_at).limit(BATCH)


def _put_off_deliveries() -> None:
    """Keep one tenant's webhooks from crowding out the others' in this pass."""
    most = toolbox().settings.deliveries_at_once
    deliveries.put_off(most_of_owner=most, delay=CROWD_DELAY, limit=BATCH)


def _elect_finalizers() -> None:
    """Elect a finalizer for each request whose products have all ended."""
    request = ProcessingRequest
    ended = sa.select(request.id).where(request.status == RequestStatus.PROCESSING, finalization.all_products_ended())
    for request_id in ids_of(ended.limit(BATCH)):
        with isolated("elect_finalizers", request_id=request_id):
            epoch = finalization.elect_finalizer(request_id)
            if epoch is not None:
                enqueue.finalization(request_id, epoch=epoch)


def _enqueue_finalizers(waiting: set[str]) -> None:
    """Enqueue again the finalizations whose job was lost, and those that were given back."""
    request = ProcessingRequest
    unclaimed = (
        sa.select(request.id, request.finalize_epoch)
        .where(request.status == RequestStatus.FINALIZING, request.lease_token.is_(None))
        .where(sa.or_(request.lease_until.is_(None), request.lease_until < db_now()))
        .limit(BATCH)
    )
    found = db.session.execute(unclaimed).all()
    db.session.rollback()
    for request_id, epoch in found:
        if enqueue.job_id("finalize", (request_id, epoch)) not in waiting:
            enqueue.finalization(request_id, epoch=epoch)


def _enqueue_missing(
    expected: Select[Any],
    function: str,
    waiting: set[str],
    enqueue_again: Callable[[list[Any]], None],
) -> None:
    missing = [key for key in ids_of(expected) if enqueue.job_id(function, (key,)) not in waiting]
    if missing:
        log.info("enqueued_again", job=function, count=len(missing))
        enqueue_again(missing)
