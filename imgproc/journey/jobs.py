"""The four jobs of the journey, and the only place that knows its order: plan → process_product → finalize → deliver.

A job takes ids, claims what they name, and stops where there is nothing to claim; so it can be rung twice, or late.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from itertools import islice
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import ImgprocError, InfrastructureError, LeaseLost
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import RequestStatus
from imgproc.db.timeouts import LONG, allow, is_away, is_outage
from imgproc.db.transitions import deliveries, finalization, products, requests
from imgproc.db.transitions.products import ProductClaim
from imgproc.db.transitions.requests import PlannedRow
from imgproc.db.transitions.results import ImageResult, Settled
from imgproc.db.transitions.window import release
from imgproc.journey import outcome, turns
from imgproc.journey.delete import leaving_nothing
from imgproc.journey.delivery import attempt
from imgproc.journey.lease import Lease, check_stopping, insist, new_token
from imgproc.journey.making import OUTAGE_PATIENCE, ImageOutcome, failed
from imgproc.journey.reuse import ProductImages
from imgproc.journey.services import Toolbox, toolbox
from imgproc.pipeline.table.read import Row, read_csv
from imgproc.queue import enqueue

PLAN_CHUNK = 500  # products saved in one transaction
ENCODE_SECONDS = 60.0  # what one image may take beside its download
OUTAGE_DELAY = 5.0  # seconds until work returned by an outage is tried again
LONG_JOB_SECONDS = 6 * 3600.0  # deadline of planning or finalizing the largest file
SENDING_SECONDS = 25.0  # lease of a delivery
NO_ROOM_DELAY = 5.0  # seconds until a delivery is tried again whose owner has as many under way as allowed
ATTEMPT_SECONDS = 15.0  # by then an attempt at a delivery has ended
Job = TypeVar("Job", bound=Callable[..., None])

log = structlog.get_logger(__name__)


def _entry(job: Job) -> Job:
    """Let a job stop quietly where another worker took over or a server is away: the sweeper enqueues it again."""

    @wraps(job)
    def run(*arguments: Any) -> None:
        try:
            job(*arguments)
        except LeaseLost as error:
            log.warning("lease_lost", job=job.__name__, arguments=arguments, detail=error.detail)
        except InfrastructureError as error:
            log.warning("job_delayed", job=job.__name__, arguments=arguments, code=error.code, detail=error.detail)
        except DBAPIError as error:
            if not is_outage(error):
                raise
            log.warning("database_away", job=job.__name__, arguments=arguments, error=str(error.orig))

    return run  # type: ignore[return-value]  # the same signature


@contextmanager
def _request_lease(request_id: str, *, token: str, seconds: int) -> Iterator[Lease]:
    """Hold a request while it is planned or finalized; an outage gives it back, and does not count as an attempt.

    Raises:
        InfrastructureError, sqlalchemy.exc.DBAPIError: what the body raised.
    """
    renew = partial(requests.renew_lease, request_id, token=token, lease_seconds=seconds)
    give_back = partial(requests.return_lease, request_id, token=token, delay=0)
    with allow(LONG), Lease(renew, seconds=seconds, deadline=LONG_JOB_SECONDS, give_back=give_back) as lease:
        try:
            yield lease
        except (InfrastructureError, DBAPIError) as error:
            if isinstance(error, InfrastructureError) or is_away(error):
                insist(partial(requests.return_lease, request_id, token=token, delay=OUTAGE_DELAY))
            raise


# -- plan ---------------------------------------------------------------------------------------------------------


@_entry
def plan(request_id: str) -> None:
    """Read the stored file again and save its products, a chunk at a time; the first are processed meanwhile."""
    tools, token = toolbox(), new_token()
    seconds = tools.settings.lease_seconds
    claim = requests.claim_plan(request_id, token=token, lease_seconds=seconds)
    if claim is None:
        return
    with _request_lease(request_id, token=token, seconds=seconds) as lease:
        try:
            with tools.store.open_input(claim.input_key) as stream:
                rows = read_csv(stream, limits=tools.csv_limits).rows
                for chunk in _chunks(row for row in rows if row.row > claim.last_row):
                    lease.check()
                    check_stopping()
                    planned = [_planned(row) for row in chunk]
                    requests.add_products(request_id, planned, token=token, lease_seconds=seconds)
                    turns.enqueue_products(release(request_id, window=tools.settings.dispatch_window))
        except (InfrastructureError, LeaseLost):
            raise
        except ImgprocError as error:
            _fail_request(request_id, error, token=token)
            return
        insist(partial(requests.mark_planned, request_id, token=token))
    _finalize_if_ended(request_id)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, PLAN_CHUNK)):
        yield chunk


def _planned(row: Row) -> PlannedRow:
    error = row.errors[0] if row.errors else None
    return PlannedRow(
        row=row.row,
        line=row.line,
        serial_number=row.serial_number,
        product_name=row.product_name,
        input_cell=row.input_cell,
        urls=row.urls,
        error_code=error.code if error else None,
        error_detail=" ".join(fault.detail for fault in row.errors) if error else None,
    )


def _fail_request(request_id: str, error: ImgprocError, *, token: str) -> None:
    """End a request whose file is gone or no longer valid: nothing of ours can mend that."""
    log.error("request_failed", request_id=request_id, code=error.code, detail=error.detail)
    request = reads.get_request(request_id)
    if request is None:
        return
    payload = outcome.announcement(request, RequestStatus.FAILED, output_url=None, failed_url=None)
    end = partial(finalization.fail, request_id, token=token, code=error.code, detail=error.detail, payload=payload)
    if delivery_id := insist(end):
        enqueue.deliveries([delivery_id])


# -- process_product ----------------------------------------------------------------------------------------------


@_entry
def process_product(product_id: int) -> None:
    """Download, compress and store every image of a product that is not done yet, then settle the product."""
    tools, token = toolbox(), new_token()
    settings = tools.settings
    seconds = settings.lease_seconds
    claim = products.claim(product_id, token=token, lease_seconds=seconds)
    if claim is None:
        return
    # Two rounds more than there are full ones: to wait for other workers, and for what did not come of that.
    rounds = -(-len(claim.images) // settings.image_threads) + 2
    deadline = rounds * (settings.download_timeout + ENCODE_SECONDS + OUTAGE_PATIENCE)
    renew = partial(products.renew_lease, product_id, token=token, lease_seconds=seconds)
    give_back = partial(products.give_back, product_id, token=token)
    lease = Lease(renew, seconds=seconds, deadline=deadline, give_back=give_back)
    with leaving_nothing(claim.request_id), lease:
        outcomes = ProductImages(tools, claim, lease.check).make()
        settled = insist(partial(_settle, product_id, claim, outcomes, token=token, tools=tools))
    turns.enqueue_products(settled.released)
    if settled.all_ended:
        _finalize_if_ended(settled.request_id)


def _settle(
    product_id: int, claim: ProductClaim, outcomes: list[ImageOutcome], *, token: str, tools: Toolbox
) -> Settled:
    """End the product, or postpone it where an outage or a host's passing trouble leaves images to be tried again."""
    done = [each for each in outcomes if isinstance(each, ImageResult)]
    failures = [each for each in outcomes if not isinstance(each, ImageResult)]
    last_attempt = claim.attempt >= tools.settings.max_attempts
    outages = [pair for pair in failures if isinstance(pair[1], InfrastructureError)]
    again = [pair for pair in failures if pair[1].retryable and not last_attempt]
    final = [pair for pair in failures if pair not in outages and pair not in again]
    results = done + [failed(image, error) for image, error in final]
    say = log.info if failures else log.debug  # the database tells of what went well
    say(
        "product_attempted", request_id=claim.request_id, product_id=product_id, attempt=claim.attempt,
        completed=len(done), codes=[error.code for _, error in failures],
    )  # fmt: skip
    window = tools.settings.dispatch_window
    if not outages and not again:
        return products.finish(product_id, results, token=token, window=window)
    asked = [getattr(error, "retry_after", None) or 0.0 for _, error in again]
    return products.postpone(
        product_id,
        results,
        token=token,
        window=window,
        delay=OUTAGE_DELAY if outages else max(_backoff(claim.attempt), *asked),
        counts_as_attempt=not outages,
    )


def _backoff(attempt: int) -> float:
    """Seconds before the next attempt: 2, 4, 8 … at most 60, give or take a quarter so as not to march in step."""
    return min(60.0, 2.0**attempt) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret


# -- finalize -----------------------------------------------------------------------------------------------------


def _finalize_if_ended(request_id: str) -> None:
    """Elect the one finalizer of a request whose products have all ended, and ring for it."""
    epoch = insist(partial(finalization.elect_finalizer, request_id))
    if epoch is not None:
        enqueue.finalization(request_id, epoch=epoch)


@_entry
def finalize(request_id: str, epoch: int) -> None:
    """Write the output CSV and the failed CSV to the bucket, then end the request and announce it."""
    tools, token = toolbox(), new_token()
    seconds = tools.settings.lease_seconds
    if not finalization.claim_finalize(request_id, epoch=epoch, token=token, lease_seconds=seconds):
        return
    with leaving_nothing(request_id), _request_lease(request_id, token=token, seconds=seconds) as lease:
        request = reads.get_request(request_id)
        if request is None:
            return
        files = outcome.write_csvs(tools, request, lease.check)
        delivery_id = insist(partial(_complete, tools, request, token=token, files=files))
    log.info("request_ended", request_id=request_id, epoch=epoch)
    if delivery_id:
        enqueue.deliveries([delivery_id])


def _complete(tools: Toolbox, request: ProcessingRequest, *, token: str, files: outcome.CsvFiles) -> str | None:
    status = outcome.end_of(request)
    output_url, failed_url = outcome.csv_urls(tools, request, files)
    nothing = status is RequestStatus.FAILED
    return finalization.complete(
        request.id,
        epoch=request.finalize_epoch,
        token=token,
        status=status,
        values={
            "output_key": files.output_key,
            "failed_key": files.failed_key,
            "csv_private": files.private,
            "error_code": "no_image_succeeded" if nothing else None,
            "error_detail": "No image could be processed; the failed CSV says why for each." if nothing else None,
        },
        payload=outcome.announcement(request, status, output_url=output_url, failed_url=failed_url),
    )


# -- deliver ------------------------------------------------------------------------------------------------------


@_entry
def deliver(delivery_id: str) -> None:
    """Make one attempt at a webhook that is due, and write down what came of it."""
    tools, token = toolbox(), new_token()
    # However few workers there are, one tenant's webhooks leave half of them for other work.
    most = min(tools.settings.deliveries_at_once, max(1, tools.settings.workers // 2))
    claim = deliveries.claim(delivery_id, token=token, lease_seconds=SENDING_SECONDS, most_of_owner=most)
    if claim is None:
        deliveries.step_back(delivery_id, delay=NO_ROOM_DELAY)
        return
    renew = partial(deliveries.renew_lease, delivery_id, token=token, lease_seconds=SENDING_SECONDS)
    give_back = partial(deliveries.give_back, delivery_id, token=token)
    with Lease(renew, seconds=SENDING_SECONDS, deadline=ATTEMPT_SECONDS, give_back=give_back):
        attempted = attempt(tools, delivery_id, claim)
    log.info("delivery_attempted", delivery_id=delivery_id, status=attempted.status.value, code=attempted.error_code)
    insist(partial(deliveries.record, delivery_id, attempted, token=token))
