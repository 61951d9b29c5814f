"""Owners take turns, and so do the requests of an owner: no backlog delays a small file by more than its share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from imgproc.db.transitions import window
from imgproc.journey import turns
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.queue.fair_order import MAX_SORTED_IDS, Turn, owners_key
from imgproc.queue.rq_classes import TURN_ROUND, JobQueue
from tests.integration.driver import planned, queued_jobs

pytestmark = pytest.mark.usefixtures("app")

LARGE = 200  # products of a large file that are queued
RESERVED, GENERAL = ("express",), ("bulk", "express")  # the queues of both kinds of workers


def queue_large(*, owner: str = "", flow: str = "large", first: int) -> range:
    """Enqueue products from the bulk of a large file; their ids."""
    ids = range(first, first + LARGE)
    enqueue.products(ids, dict.fromkeys(ids, Turn(owner, flow, is_bulk=True)))
    return ids


def queue_file(*, products: int, owner: str = "") -> tuple[int, ...]:
    """Plan a file of the owner and enqueue its products; their ids."""
    ids = window.release(planned(products=products, owner=owner), window=products)
    turns.enqueue_products(ids)
    return ids


def taken(count: int, *names: str) -> list[Any]:
    """Take the next `count` jobs as one worker of these queues does; the first argument of each."""
    queues = [JobQueue(name, connection=redis_client()) for name in names or enqueue.QUEUES]
    found = [JobQueue.dequeue_any(queues, None, redis_client()) for _ in range(count)]
    return [each[0].args[0] for each in found if each is not None]


@pytest.mark.parametrize("backlogs", [1, 3])
@pytest.mark.parametrize("owner", ["", "another"], ids=["of the same owner", "of others"])
def test_a_small_file_does_not_wait_for_large_ones(owner: str, backlogs: int) -> None:
    """The next jobs of reserved workers are its own, though the large files came first."""
    for number in range(backlogs):
        queue_large(owner=owner and f"{owner}-{number}", flow=f"large-{number}", first=10_000 * (number + 1))
    taken(20, *GENERAL)
    small = queue_file(products=10)
    assert taken(len(small), *RESERVED) == list(small)


def test_the_beginning_of_a_large_file_is_express() -> None:
    """Its later products are not."""
    file = queue_file(products=turns.EXPRESS_ROWS + 3)
    assert enqueue.queue_lengths() == {"express": turns.EXPRESS_ROWS, "bulk": 3, "alone": 0, "deliveries": 0}
    assert taken(3, "bulk") == list(file[turns.EXPRESS_ROWS :])


@pytest.mark.parametrize("products", [turns.EXPRESS_ROWS, turns.EXPRESS_ROWS + 1])
def test_plans_and_finalizations_of_large_files_are_bulk(products: int) -> None:
    """So they leave the reserved workers to small files."""
    request_id = planned(products=products)
    turns.enqueue_plans([request_id])
    turns.enqueue_finalization(request_id, epoch=1)
    queue = "bulk" if products > turns.EXPRESS_ROWS else "express"
    assert enqueue.queue_lengths()[queue] == 2


@pytest.mark.parametrize("names", [GENERAL, GENERAL[::-1]], ids=["bulk first", "express first"])
def test_no_queue_waits_for_ever(names: tuple[str, ...]) -> None:
    """A worker of both queues takes some jobs of each, also while the other queue is never empty."""
    large = queue_large(first=10_000)
    ids = range(1, 201)
    enqueue.products(ids)
    found = set(taken(4 * TURN_ROUND, *names))
    assert len(found & set(large)) >= 4
    assert len(found & set(ids)) >= 4


def test_a_medium_file_gets_the_same_share_as_a_backlog_of_another() -> None:
    """One owner has three large files, another one; both owners get half."""
    backlog = {
        each for number in range(3) for each in queue_large(owner="a", flow=f"{number}", first=1000 * number + 1)
    }
    medium = set(queue_large(owner="b", first=5000))
    found = taken(100, "bulk")
    assert abs(len(set(found) & backlog) - len(set(found) & medium)) <= 4


def test_the_requests_of_an_owner_share_alike() -> None:
    """Three files of one owner advance side by side, each in its own order."""
    files = [queue_large(flow=f"{number}", first=1000 * number + 1) for number in range(3)]
    found = taken(60, "bulk")
    for ids in files:
        of_file = [each for each in found if each in ids]
        assert of_file == list(ids)[: len(of_file)]
        assert 18 <= len(of_file) <= 23


def test_an_owner_whose_jobs_come_one_by_one_does_not_overtake_a_backlog() -> None:
    """Each new job is enqueued while the owner has no other, and the backlog advances as fast."""
    backlog = queue_large(owner="backlog", first=1000)
    found: list[Any] = []
    for number in range(1, 41):
        enqueue.products([number], {number: Turn("trickle", f"request-{number}", is_bulk=True)})
        found += taken(1, "bulk")
    assert len(set(found) & set(backlog)) >= len(found) // 2


def test_an_owner_with_a_thousand_small_files_does_not_delay_another_owner() -> None:
    """The two take turns, however many requests one of them has."""
    enqueue.plans([f"many-{each}" for each in range(5)])  # malformed ids are dropped on the way
    ids = range(10_001, 11_001)
    enqueue.products(ids, {each: Turn("many", f"request-{each}") for each in ids})
    small = queue_file(products=10, owner="small")
    sorting = len(ids) // MAX_SORTED_IDS + 1  # calls until the last new jobs have their places
    taken_ids = taken(2 * len(small) + sorting)
    assert Counter(each in small for each in taken_ids)[True] == len(small)


def test_deliveries_have_a_queue_of_their_own() -> None:
    """Workers of the other queue do not see them, however many there are."""
    enqueue.deliveries([f"00000000-0000-4000-8000-{number:012}" for number in range(40)])
    ours = queue_file(products=2)
    assert taken(10, *GENERAL) == list(ours)
    assert enqueue.queue_lengths()["deliveries"] == 40


def test_the_receivers_of_an_owner_take_turns() -> None:
    """A thousand webhooks to one receiver do not delay the one to another."""
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(100)]
    enqueue.deliveries(ids, {each: Turn("owner", "slow.example:443") for each in ids})
    other = "00000000-0000-4000-9000-000000000000"
    enqueue.deliveries([other], {other: Turn("owner", "fast.example:443")})
    assert other in taken(3)


def test_every_job_is_enqueued_once_and_taken_once() -> None:
    """More than one call of the script sorts, of several files and of no row at all."""
    ids = [*queue_file(products=5), *queue_file(products=MAX_SORTED_IDS + 1), 2**62]
    turns.enqueue_products(ids[-1:])
    assert len(queued_jobs()) == sum(enqueue.queue_lengths().values()) == len(ids)
    assert sorted(taken(len(ids) + 1)) == sorted(ids)
    assert redis_client().keys("*[jt][ou][br][ns]*") == []  # neither jobs nor turns


def test_enqueues_products_while_the_database_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owners are unknown then, so the products have no turns, and none is missing."""

    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"), connection_invalidated=True)

    monkeypatch.setattr("sqlalchemy.engine.Connection.execute", away)
    turns.enqueue_products([1, 2])
    assert sorted(taken(2)) == [1, 2]


FORGED = {
    "a ring of owners": owners_key("bulk"),
    "a ring of requests": f"{owners_key('bulk')} owner",
    "the jobs of a request": f"{owners_key('bulk')} owner large",
}


@pytest.mark.parametrize("key", FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("content", ["a string", "nothing"])
def test_jobs_of_forged_or_deleted_keys_can_be_enqueued_again(key: str, content: str) -> None:
    """What no ring leads to is not waiting, so the sweeper enqueues it; a key of another type is replaced."""
    ids = queue_large(owner="owner", first=1)
    taken(1)
    redis_client().delete(key)
    if content == "a string":
        redis_client().set(key, content)
    assert queued_jobs() == []
    enqueue.products(ids, dict.fromkeys(ids, Turn("owner", "large", is_bulk=True)))
    assert set(taken(2 * LARGE)) >= set(ids)


@pytest.mark.parametrize(
    "description",
    ["", "flow", " owner", "flow owner more", "\xff", "f" * 1000 + " owner"],
)
def test_a_forged_turn_counts_as_none(description: str) -> None:
    """The job runs all the same."""
    enqueue.products([7])
    redis_client().hset("rq:job:process_product-7", "description", description)
    assert taken(1) == [7]
