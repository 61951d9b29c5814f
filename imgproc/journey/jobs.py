"""The four jobs of the journey, in order: plan → process_product → finalize → deliver. Only this file knows the order.

A job takes ids, claims what they name, and stops if there is nothing to claim. So a job may run twice, or late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import signature
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError
from structlog.contextvars import bind_contextvars

from imgproc.core import metrics, tracing
from imgproc.core.errors import ImgprocError, InfrastructureError, LeaseLost
from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.db.statuses import RequestStatus
from imgproc.db.transitions import deliveries, finalization, products, requests
from imgproc.journey import outcome, output_files, turns
from imgproc.journey.delete import clean_up_if_removed
from imgproc.journey.host_waits import wake_waiting
from imgproc.journey.images import ProductImages
from imgproc.journey.job_leases import delivery_lease, product_lease, request_lease
from imgproc.journey.lease import new_token, runs_alone
from imgproc.journey.outage import describe, is_outage, retry_on_outage
from imgproc.journey.plan import save_products
from imgproc.journey.services import Services, services
from imgproc.journey.settle import settle
from imgproc.journey.traced_product import traced_product
from imgproc.journey.webhook import attempt
from imgproc.queue import enqueue
from imgproc.queue.calls import JobName

SENDING_SECONDS = 25.0  # lease of a delivery
LARGE_SHARE = 8  # large files are planned or finalized by one worker of so many
LARGE_DELAY = 2.0  # seconds that a large file waits while so many others are planned or finalized
CROWDED_DELAY = 5.0  # seconds that a delivery waits while too many others of its owner or receiver are being sent

log = structlog.get_logger(__name__)


def _entry(job: Callable[..., None]) -> Callable[..., None]:
    """Give a job the services, and end it quietly if another worker took over or a server is away.

    The sweeper enqueues the work again. Every line that is logged meanwhile carries the ids of the work, until the
    worker clears them.
    """
    name = JobName(job.__name__).value
    _, first, *_ = signature(job).parameters  # request_id, product_id or delivery_id

    @wraps(job)
    def run(*arguments: Any) -> None:
        bind_contextvars(**{first: arguments[0]})
        try:
            job(services(), *arguments)
        except LeaseLost as error:
            log.warning("lease_lost", job=name, arguments=arguments, detail=error.detail)
        except (InfrastructureError, DBAPIError) as error:
            if not is_outage(error):
                raise
            log.warning("job_delayed", job=name, arguments=arguments, error=describe(error))

    return run


@_entry
def plan(services: Services, request_id: str) -> None:
    """Save the rows of the stored file as products. The first products are processed meanwhile."""
    token, seconds = new_token(), services.settings.lease_seconds
    claim = requests.claim_plan(
        request_id, token=token, lease_seconds=seconds, most_large=_most_large(services), alone=runs_alone.get()
    )
    if claim is None:
        requests.postpone(request_id, delay=LARGE_DELAY)
        return
    with (
        tracing.joined(claim.traceparent, "plan", attributes={"imgproc.request_id": request_id}),
        request_lease(request_id, token=token, seconds=seconds) as lease,
    ):
        try:
            save_products(services, request_id, claim, lease, token=token)
        except (InfrastructureError, LeaseLost):
            raise
        except ImgprocError as error:
            _fail_request(request_id, error, token=token)
            return
        retry_on_outage(partial(requests.mark_planned, request_id, token=token))
    _finalize_if_ended(request_id)


@_entry
def process_product(services: Services, product_id: int) -> None:
    """Download, compress and store every image of a product that is not done yet, then settle the product."""
    token, seconds = new_token(), services.settings.lease_seconds
    claim = products.claim(product_id, token=token, lease_seconds=seconds, alone=runs_alone.get())
    if claim is None:
        return
    bind_contextvars(request_id=claim.request_id)
    with (
        traced_product(product_id, claim),
        clean_up_if_removed(services, claim.request_id),
        product_lease(product_id, claim, token=token, settings=services.settings) as lease,
    ):
        outcomes = ProductImages(services, claim, lease.check).make()
        settled = retry_on_outage(partial(settle, services, product_id, claim, outcomes, token=token))
    turns.enqueue_products(settled.released)
    wake_waiting(services)
    if settled.all_ended:
        _finalize_if_ended(settled.request_id)


@_entry
def finalize(services: Services, request_id: str, epoch: int) -> None:
    """Store the output CSV and the failed CSV, then end the request and announce it."""
    token, seconds = new_token(), services.settings.lease_seconds
    most_large, alone = _most_large(services), runs_alone.get()
    claim = finalization.claim_finalize(
        request_id, epoch=epoch, token=token, lease_seconds=seconds, most_large=most_large, alone=alone
    )
    if claim is None:
        requests.postpone(request_id, delay=LARGE_DELAY)
        return
    with (
        tracing.joined(claim.traceparent, "finalize", attributes={"imgproc.request_id": request_id}),
        clean_up_if_removed(services, request_id),
        request_lease(request_id, token=token, seconds=seconds) as lease,
    ):
        request = reads.get_request(request_id)
        if request is None:
            return
        files = output_files.write_csvs(services, request, lease.check)
        delivery_id = retry_on_outage(partial(outcome.complete, services, request, files, token=token))
    log.info("request_ended", request_id=request_id, epoch=epoch)
    if delivery_id:
        turns.enqueue_deliveries([delivery_id])


@_entry
def deliver(services: Services, delivery_id: str) -> None:
    """Make one attempt at a webhook that is due, and record its outcome."""
    token, settings = new_token(), services.settings
    claim = deliveries.claim(
        delivery_id,
        token=token,
        lease_seconds=SENDING_SECONDS,
        # Half of the workers stay free for the webhooks of others, however slow those of one owner are.
        most_of_owner=min(settings.deliveries_at_once, max(1, settings.delivery_workers // 2)),
        most_of_receiver=settings.deliveries_per_receiver,
    )
    if claim is None:
        deliveries.postpone(delivery_id, delay=CROWDED_DELAY)
        return
    bind_contextvars(request_id=claim.request_id)
    ids = {"imgproc.request_id": claim.request_id, "imgproc.delivery_id": delivery_id}
    with (
        tracing.joined(claim.traceparent, "deliver", attributes=ids) as span,
        delivery_lease(delivery_id, token=token, seconds=SENDING_SECONDS),
    ):
        attempted = attempt(services, delivery_id, claim)
        span.note({"http.response.status_code": attempted.response_status})
        if attempted.error_code:
            span.fail(attempted.error_code)
    log.info("delivery_attempted", delivery_id=delivery_id, status=attempted.status.value, code=attempted.error_code)
    if retry_on_outage(partial(deliveries.record, delivery_id, attempted, token=token)):
        metrics.DELIVERIES.labels(attempted.status.value, attempted.error_code or "").inc()


# -- the steps between the jobs ------------------------------------------------------------------------------------


def _finalize_if_ended(request_id: str) -> None:
    """Finalize a small file at once if no product is left, and enqueue the finalization of a large one.

    If this process dies in between, the sweeper enqueues it. The database may be away meanwhile.
    """
    epoch = retry_on_outage(partial(finalization.elect_finalizer, request_id))
    if epoch is None:
        return
    turn = turns.turn_of(request_id)
    if turn.is_bulk:
        enqueue.finalization(request_id, epoch=epoch, turn=turn)
    else:
        finalize(request_id, epoch)


def _fail_request(request_id: str, error: ImgprocError, *, token: str) -> None:
    """End a request whose file is gone or no longer valid, because no retry can succeed."""
    log.error("request_failed", request_id=request_id, code=error.code, detail=error.detail)
    request = reads.get_request(request_id)
    if request is None:
        return
    db.session.expunge(request)
    db.session.rollback()  # a job has one connection at a time
    announce = outcome.announcement(request, RequestStatus.FAILED, code=error.code, detail=error.detail)
    fail = partial(finalization.fail, request_id, token=token, code=error.code, detail=error.detail, announce=announce)
    delivery_id = retry_on_outage(fail)
    metrics.REQUESTS.labels(RequestStatus.FAILED.value, error.code).inc()
    if delivery_id:
        turns.enqueue_deliveries([delivery_id])


def _most_large(services: Services) -> int:
    """How many large files may be planned or finalized at a time: each holds a worker for seconds or minutes."""
    most = max(1, services.settings.workers // LARGE_SHARE)
    # SQLite has one writer at a time, and two plans leave others half of its time.
    return min(most, 2) if services.settings.database_url.startswith("sqlite") else most
