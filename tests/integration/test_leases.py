"""Workers that die, stall or come back: their lease expires, others take over, and their late results are refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from imgproc.core.errors import LeaseLost
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import RequestStatus
from imgproc.db.transitions import expiry, finalization, products, requests
from imgproc.journey import jobs, plan
from imgproc.journey.image_maker import ImageMaker
from imgproc.journey.lease import STUCK_EXIT_CODE, Lease, new_token
from imgproc.journey.services import services
from imgproc.worker import sweeper
from tests.integration.driver import (
    codes_of,
    drain,
    lose_queue,
    pass_time,
    queued_jobs,
    row,
    rows,
    status_of,
    statuses,
    submit,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("app")


class Killed(BaseException):
    """Stands for SIGKILL: no handler in the job catches it."""


def planned_upload(shop: ImageHost, *names: str, **options: str) -> str:
    """A request with one queued product for each name; its id."""
    request_id = submit(csv_of(*[f"{shop.url}/{name}" for name in names]), **options)
    work(most=1)
    return request_id


def die_holding(product_id: int) -> None:
    """Claim the product as a worker that then dies; sweep once its lease has expired."""
    assert products.claim(product_id, token=new_token(), lease_seconds=30, alone=row_of(product_id).alone)
    pass_time(60)
    sweeper.sweep()


def row_of(product_id: int) -> Any:
    """The row of a product."""
    return next(each for each in rows(Product) if each.id == product_id)


def test_the_work_of_a_dead_worker_is_taken_over(shop: ImageHost) -> None:
    """The sweep that expires the lease also enqueues the product. Other work may have killed it: no attempt counts."""
    request_id = planned_upload(shop, "chelsea.jpg", "rocket.webp")
    sweeper.sweep()
    first, _ = rows(Product)
    lose_queue()
    die_holding(first.id)
    assert f"process_product-{first.id}" in queued_jobs()
    assert drain(request_id)["status"] == "completed"
    assert [(each.attempt, each.alone) for each in rows(Product)] == [(1, True), (1, False)]


def test_a_sweep_keeps_a_lease_that_has_not_expired(shop: ImageHost) -> None:
    """Its worker is alive."""
    planned_upload(shop, "chelsea.jpg")
    products.claim(row(Product).id, token="alive", lease_seconds=3600)
    pass_time(60)
    sweeper.sweep()
    assert (row(Product).status.value, row(Product).lease_token) == ("processing", "alive")


def test_a_product_that_kills_its_workers_fails(shop: ImageHost) -> None:
    """It ends as `worker_lost` after three deaths without other work; other products are not affected."""
    request_id = planned_upload(shop, "chelsea.jpg", "astronaut.jpg", "rocket.webp")
    poison = rows(Product)[1].id
    for _ in range(1 + 3):
        assert statuses()[1] == "queued"
        die_holding(poison)
    assert drain(request_id)["status"] == "completed_with_errors"
    assert codes_of(request_id) == [[None], ["worker_lost"], [None]]
    assert [each.attempt for each in rows(Product)] == [1, 3, 1]


def test_a_request_is_finalized_when_every_product_kills_its_workers(shop: ImageHost) -> None:
    """No worker finishes the last product, so the sweeper elects the finalizer."""
    request_id = planned_upload(shop, "chelsea.jpg")
    for _ in range(1 + 3):
        die_holding(row(Product).id)
    assert drain(request_id)["status"] == "failed"


def test_a_worker_that_comes_back_too_late_is_refused(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker has claimed the product meanwhile: the job ends quietly, and nothing is counted."""
    planned_upload(shop, "chelsea.jpg")
    make_image = ImageMaker.make

    def stall(*arguments: Any, **options: Any) -> Any:
        pass_time(60)
        expiry.requeue_expired(max_attempts=3)
        products.claim(row(Product).id, token="successor", lease_seconds=3600, alone=True)
        return make_image(*arguments, **options)

    monkeypatch.setattr(ImageMaker, "make", stall)
    work()
    request = row(ProcessingRequest)
    assert (row(Product).status.value, row(Product).lease_token) == ("processing", "successor")
    assert (request.products_completed, request.images_completed, request.source_bytes) == (0, 0, 0)


def test_a_lease_is_renewed_while_the_work_lasts(app: Flask) -> None:
    """A thread renews it, and ends when the work ends."""
    renewals: list[int] = []

    def renew() -> bool:
        renewals.append(1)
        return True

    with Lease(renew, seconds=0.03, deadline=600) as lease:
        wait_until(lambda: len(renewals) > 3)
        lease.check()
    assert "lease" not in {thread.name for thread in threading.enumerate()}


def test_a_renewal_that_hangs_delays_no_other(app: Flask) -> None:
    """The database may hold a row for long; each renewal has a thread of its own."""
    hung, goes_on, renewals = threading.Event(), threading.Event(), []

    def hang() -> bool:
        hung.set()
        return goes_on.wait(60)

    def renew() -> bool:
        renewals.append(1)
        return True

    with Lease(renew, seconds=0.03, deadline=600), Lease(hang, seconds=0.03, deadline=600):
        assert hung.wait(60)
        already = len(renewals)
        wait_until(lambda: len(renewals) > already + 2)
        goes_on.set()


def test_work_whose_lease_is_lost_stops(app: Flask) -> None:
    """A renewal that finds no row means that another worker owns the work."""
    asked: list[int] = []

    def renew() -> bool:
        asked.append(1)
        return False

    with Lease(renew, seconds=0.03, deadline=600) as lease:
        wait_until(lambda: bool(asked))
        wait_until(lambda: _is_lost(lease))
    assert len(asked) == 1


def _is_lost(lease: Lease) -> bool:
    try:
        lease.check()
    except LeaseLost:
        return True
    return False


def test_a_resumed_worker_renews_its_lease_before_it_continues(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGSTOP the lease may have expired before the renewing thread runs again."""
    answers = iter([True, False])
    lease = Lease(lambda: next(answers), seconds=30, deadline=600)  # its thread never runs, as if it were late
    lease.check()
    for lost in (False, True):
        monkeypatch.setattr(lease, "_surely_until", 0.0)
        assert _is_lost(lease) is lost
    assert next(answers, "asked twice, then never again") == "asked twice, then never again"
    assert _is_lost(lease)


STOPPED = """
import sys, time
from pathlib import Path
from flask import Flask
from imgproc.journey import lease
lease.STOP_GRACE = 0.1
lease.stopping.set()
give_back = lambda: Path(sys.argv[1]).write_text("given back")
with Flask("stopped").app_context(), lease.Lease(lambda: True, seconds=30, deadline=600, give_back=give_back):
    time.sleep(600)
"""


def test_a_worker_that_must_stop_gives_back_long_work(tmp_path: Path) -> None:
    """It exits within the time that a supervisor allows, and another worker can claim the work at once."""
    note = tmp_path / "note"
    assert subprocess.run([sys.executable, "-c", STOPPED, note], check=False, timeout=120).returncode == 0
    assert note.read_text() == "given back"


STOPPED_TWICE = """
import sys, threading, time
from pathlib import Path
from flask import Flask
from imgproc.journey import lease
lease.STOP_GRACE = 0.1
app, both = Flask("stopped"), threading.Barrier(2)
def work(number, pause):
    def give_back():
        time.sleep(pause)
        Path(sys.argv[1], str(number)).write_text("given back")
    with app.app_context(), lease.Lease(lambda: True, seconds=30, deadline=600, give_back=give_back):
        both.wait()
        lease.stopping.set()
        time.sleep(600)
for each in (0, 1):
    threading.Thread(target=work, args=(each, each)).start()
"""


def test_a_process_of_several_threads_gives_back_the_work_of_all(tmp_path: Path) -> None:
    """It ends after the last: otherwise the others would have to expire, as if their sender had died."""
    assert subprocess.run([sys.executable, "-c", STOPPED_TWICE, tmp_path], check=False, timeout=120).returncode == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0", "1"]


def test_a_product_given_back_loses_no_attempt(shop: ImageHost) -> None:
    """It is pending again, and the next sweep enqueues it."""
    request_id = planned_upload(shop, "chelsea.jpg")
    product_id = row(Product).id
    claimed = products.claim(product_id, token="mine", lease_seconds=3600)
    assert claimed
    assert claimed.attempt == 1
    products.give_back(product_id, token="other")
    assert statuses() == ["processing"]
    products.give_back(product_id, token="mine")
    assert (statuses(), row(Product).attempt, row(Product).lease_token) == (["pending"], 0, None)
    assert drain(request_id)["status"] == "completed"


def test_no_lease_expires_because_the_database_was_down(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker can renew during an outage, so afterwards each has the time of one lease to do so."""
    planned_upload(shop, "chelsea.jpg")
    products.claim(row(Product).id, token="alive", lease_seconds=30)
    now = [1000.0]
    monkeypatch.setattr(sweeper.time, "monotonic", lambda: now[0])
    repairs = sweeper.Repairs()
    with monkeypatch.context() as outage:
        outage.setattr(sweeper.enqueue, "waiting", _raise_outage)
        for _ in range(2):
            now[0] += 60
            with pytest.raises(OperationalError):
                repairs()
    pass_time(60)
    for _ in range(services().settings.lease_seconds):
        now[0] += 1
        repairs()
        assert (row(Product).status.value, row(Product).lease_token) == ("processing", "alive")
    now[0] += 1
    repairs()
    assert statuses() == ["queued"]


def _raise_outage() -> None:
    raise OperationalError("SELECT 1", {}, Exception("the database is down"))


def test_a_worker_stuck_past_its_deadline_ends_itself() -> None:
    """A C call blocks signals, so the process exits and the pool starts another."""
    stuck = (
        "import ctypes; from flask import Flask; from imgproc.journey.lease import Lease\n"
        "with Flask('stuck').app_context(), Lease(lambda: True, seconds=0.1, deadline=0.1):\n"
        "    ctypes.CDLL(None).sleep(600)"
    )
    assert subprocess.run([sys.executable, "-c", stuck], check=False, timeout=120).returncode == STUCK_EXIT_CODE


STUCK_BESIDE_ANOTHER = """
import ctypes, sys, threading, time
from pathlib import Path
from flask import Flask
from imgproc.journey.lease import Lease
app, held = Flask("stuck"), threading.Event()
def work():
    give_back = lambda: Path(sys.argv[1]).write_text("given back")
    with app.app_context(), Lease(lambda: True, seconds=30, deadline=600, give_back=give_back):
        held.set()
        time.sleep(600)
threading.Thread(target=work).start()
held.wait()
with app.app_context(), Lease(lambda: True, seconds=0.1, deadline=0.1, give_back=lambda: Path(sys.argv[1]).unlink()):
    ctypes.CDLL(None).sleep(600)
"""


def test_a_stuck_worker_gives_back_the_other_work_of_its_process(tmp_path: Path) -> None:
    """It alone is at fault, so the others need not wait until their leases expire, nor run alone."""
    note, command = tmp_path / "note", [sys.executable, "-c", STUCK_BESIDE_ANOTHER]
    assert subprocess.run([*command, note], check=False, timeout=120).returncode == STUCK_EXIT_CODE
    assert note.read_text() == "given back"


@pytest.mark.usefixtures("finalized_by_jobs")
def test_a_dead_finalizer_is_superseded_and_its_late_result_refused(shop: ImageHost) -> None:
    """The second epoch ends the request, and one webhook is sent."""
    request_id = planned_upload(shop, "chelsea.jpg", webhookUrl=f"{shop.url}/webhook")
    work(most=1)
    assert queued_jobs() == [f"finalize-{request_id}-1"]
    assert finalization.claim_finalize(request_id, epoch=1, token="zombie", lease_seconds=30)
    assert not finalization.claim_finalize(request_id, epoch=1, token="other", lease_seconds=30)
    pass_time(60)
    sweeper.sweep()
    assert row(ProcessingRequest).finalize_epoch == 2
    for _ in range(2):
        with pytest.raises(LeaseLost):
            finalization.complete(
                request_id, epoch=1, token="zombie", status=RequestStatus.FAILED, values={}, announce=lambda _: {}
            )
        status = drain(request_id)
    assert status["status"] == "completed"
    assert [each.finalize_epoch for each in rows(WebhookDelivery)] == [2]
    assert shop.asked["/webhook"] == 1


@pytest.mark.parametrize("chunks", [pytest.param(0, id="at once"), pytest.param(2, id="after two chunks")])
def test_a_plan_that_died_is_resumed_without_duplicates(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    """Saved rows stay, the others follow, and every row is there once and in order."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 10))
    monkeypatch.setattr(plan, "PLAN_CHUNK", 3)
    add_products, saved = requests.add_products, iter(range(chunks))

    def die(*arguments: Any, **options: Any) -> None:
        if next(saved, None) is None:
            raise Killed
        add_products(*arguments, **options)

    monkeypatch.setattr(requests, "add_products", die)
    with pytest.raises(Killed):
        jobs.plan(request_id)
    monkeypatch.setattr(requests, "add_products", add_products)
    assert len(rows(Product)) == 3 * chunks
    work()
    assert status_of(request_id)["status"] == "processing"
    assert drain(request_id)["progress"]["products"] == {"total": 10, "completed": 10, "failed": 0}
    assert [each.row for each in rows(Product, by=Product.row)] == list(range(1, 11))
    assert shop.asked["/chelsea.jpg"] == 10


def test_a_plan_that_was_taken_over_saves_nothing_more(shop: ImageHost) -> None:
    """Its rows are refused, as its lease is lost."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert requests.claim_plan(request_id, token="zombie", lease_seconds=30)
    assert requests.claim_plan(request_id, token="other", lease_seconds=30) is None
    pass_time(60)
    assert requests.claim_plan(request_id, token="other", lease_seconds=30) is None
    sweeper.sweep()
    assert requests.claim_plan(request_id, token="successor", lease_seconds=30, alone=True)
    with pytest.raises(LeaseLost):
        requests.add_products(request_id, [], token="zombie", lease_seconds=30)
    assert not requests.renew_lease(request_id, token="zombie", lease_seconds=30)
    assert row(ProcessingRequest).lease_token == "successor"
