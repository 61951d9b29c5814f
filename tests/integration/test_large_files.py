"""Large files are planned and finalized a few at a time, and leave the other workers to everything else."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import RequestStatus
from imgproc.db.transitions import finalization, requests
from imgproc.db.transitions.requests import LARGE_ROWS
from imgproc.journey import jobs
from imgproc.worker import sweeper
from tests.integration.driver import configure, pass_time, planned, queued_jobs, rows

pytestmark = pytest.mark.usefixtures("app")


def a_request(*, rows_total: int, finalizing: bool = False) -> str:
    """A request of so many rows that no worker holds, to be planned or finalized; its id."""
    request_id = planned(products=1, planned=False)
    values: dict[str, Any] = {"rows_total": rows_total, "lease_token": None, "lease_until": None, "started_at": None}
    if finalizing:
        values |= {"status": RequestStatus.FINALIZING, "finalize_epoch": 1, "planned_at": sa.func.now()}
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).where(ProcessingRequest.id == request_id).values(values))
    return request_id


def plans(request_id: str, *, token: str) -> bool:
    """Whether a worker gets the plan, where two large files are enough."""
    return requests.claim_plan(request_id, token=token, lease_seconds=30, most_large=2) is not None


def finalizes(request_id: str, *, token: str) -> bool:
    """Whether a worker gets the finalization, where two large files are enough."""
    return finalization.claim_finalize(request_id, epoch=1, token=token, lease_seconds=30, most_large=2) is not None


def test_large_files_are_worked_on_a_few_at_a_time() -> None:
    """Plans and finalizations count together; small files are not held up, and a free place is taken again."""
    large = [a_request(rows_total=LARGE_ROWS + 1) for _ in range(2)]
    last = a_request(rows_total=LARGE_ROWS + 1, finalizing=True)
    small = a_request(rows_total=LARGE_ROWS), a_request(rows_total=LARGE_ROWS, finalizing=True)
    assert plans(large[0], token="a")
    assert finalizes(last, token="b")
    assert not plans(large[1], token="c")
    assert plans(large[0], token="a"), "the response to the first claim was lost"
    assert plans(small[0], token="d")
    assert finalizes(small[1], token="e")
    requests.mark_planned(large[0], token="a")
    assert plans(large[1], token="c")


@pytest.mark.parametrize("finalizing", [False, True], ids=["plan", "finalize"])
def test_a_large_file_waits_without_a_worker_and_is_enqueued_again(*, finalizing: bool) -> None:
    """Its job ends at once and counts no attempt; a sweep enqueues it a few seconds later."""
    configure(workers=8)
    assert plans(a_request(rows_total=LARGE_ROWS + 1), token="a")
    waiting = a_request(rows_total=LARGE_ROWS + 1, finalizing=finalizing)
    before = {each.id: each.attempt for each in rows(ProcessingRequest)}
    if finalizing:
        jobs.finalize(waiting, 1)
    else:
        jobs.plan(waiting)
    assert {each.id: each.attempt for each in rows(ProcessingRequest)} == before
    sweeper.sweep()
    assert not [each for each in queued_jobs() if waiting in each]
    pass_time(jobs.LARGE_DELAY + 1)
    sweeper.sweep()
    assert [each for each in queued_jobs() if waiting in each]
