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
from imgproc.queue.fair_order import HEAVY, MAX_SORTED_IDS, Turn, rings_key
from imgproc.queue.rq_classes import JobQueue
from tests.integration.driver import planned, queued_jobs

pytestmark = pytest.mark.usefixtures("app")

LARGE = 200  # products of a large file that are queued
KEYS = ("rq:queue:work", rings_key("work"))


def queue_large(*, owner: str = "", flow: str = "large", first: int) -> range:
    """Enqueue products from the bulk of a large file; their ids."""
    ids = range(first, first + LARGE)
    enqueue.products(ids, dict.fromkeys(ids, Turn(owner, flow, HEAVY)))
    return ids


def queue_file(*, products: int, owner: str = "") -> tuple[int, ...]:
    """Plan a file of the owner and enqueue its products; their ids."""
    ids = window.release(planned(products=products, owner=owner), window=products)
    turns.enqueue_products(ids)
    return ids


def taken(count: int, *, names: tuple[str, ...] = enqueue.QUEUES) -> list[Any]:
    """Take the next `count` jobs as workers do; the first argument of each."""
    queues = [JobQueue(name, connection=redis_client()) for name in names]
    found = [JobQueue.dequeue_any(queues, None, redis_client()) for _ in range(count)]
    return [each[0].args[0] for each in found if each is not None]


@pytest.mark.parametrize("backlogs", [1, 3])
@pytest.mark.parametrize("owner", ["", "another"], ids=["of the same owner", "of others"])
def test_a_small_file_hardly_waits_for_large_ones(owner: str, backlogs: int) -> None:
    """Most of the next jobs are its own, though the large files were there first; callers without a key are one."""
    for number in range(backlogs):
        queue_large(owner=owner and f"{owner}-{number}", flow=f"large-{number}", first=10_000 * (number + 1))
    taken(20)
    small = queue_file(products=10)
    assert set(small) <= set(taken(len(small) * 2))


def test_a_medium_file_gets_the_same_share_as_a_backlog_of_another() -> None:
    """One owner has three large files, another one; both owners get half."""
    backlog = {each for number in range(3) for each in queue_large(owner="a", flow=f"{number}", first=1000 * number + 1)}
    medium = set(queue_large(owner="b", first=5000))
    found = taken(100)
    assert abs(len(set(found) & backlog) - len(set(found) & medium)) <= HEAVY


def test_the_requests_of_an_owner_share_alike() -> None:
    """Three files of one owner advance side by side, each in its own order."""
    files = [queue_large(flow=f"{number}", first=1000 * number + 1) for number in range(3)]
    found = taken(60)
    for ids in files:
        of_file = [each for each in found if each in ids]
        assert of_file == list(ids)[: len(of_file)]
        assert 19 <= len(of_file) <= 21


def test_a_large_file_goes_on_while_small_ones_keep_coming() -> None:
    """Two other owners at a time get eight times as much each, and no more."""
    large = queue_large(owner="large", first=10_000)
    found: list[Any] = []
    for number in range(60):
        queue_file(products=1, owner=f"small-{number % 7}")
        queue_file(products=1, owner=f"other-{number}")
        found += taken(2)
    assert len(set(found) & set(large)) >= len(found) // (3 * HEAVY)


def test_an_owner_with_a_thousand_small_files_does_not_delay_another_owner() -> None:
    """The two take turns, however many requests one of them has."""
    enqueue.plans([f"many-{each}" for each in range(5)])  # malformed ids are dropped on the way
    ids = range(1, 1001)
    enqueue.products(ids, {each: Turn("many", f"request-{each}") for each in ids})
    small = queue_file(products=10, owner="small")
    taken_ids = taken(2 * len(small) + 2)
    assert set(small) <= {*taken_ids} - {*ids[500:]} | {*small}
    assert Counter(each in small for each in taken_ids)[True] == len(small)


def test_deliveries_have_a_queue_of_their_own() -> None:
    """Workers of the other queue do not see them, however many there are."""
    enqueue.deliveries([f"00000000-0000-4000-8000-{number:012}" for number in range(40)])
    ours = queue_file(products=2)
    assert taken(10, names=(enqueue.WORK,)) == list(ours)
    assert enqueue.queue_lengths() == {enqueue.WORK: 0, enqueue.DELIVERIES: 40}


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
    assert redis_client().exists(*KEYS) == 0


def test_enqueues_products_while_the_database_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owners are unknown then, so the products have no turns, and none is missing."""

    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"), connection_invalidated=True)

    monkeypatch.setattr("sqlalchemy.engine.Connection.execute", away)
    turns.enqueue_products([1, 2])
    assert sorted(taken(2)) == [1, 2]


FORGED = {
    "a ring of owners": rings_key("work"),
    "a ring of requests": f"{rings_key('work')} owner",
    "the jobs of a request": f"{rings_key('work')} owner large",
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
    enqueue.products(ids, dict.fromkeys(ids, Turn("owner", "large", HEAVY)))
    assert set(taken(2 * LARGE)) >= set(ids)


@pytest.mark.parametrize(
    "description",
    ["", "no turn", "999 flow owner", "1  owner", "1 flow owner more", "\xff", "8 " + "f" * 1000 + " owner"],
)
def test_a_forged_turn_counts_as_none(description: str) -> None:
    """The job runs all the same."""
    enqueue.products([7])
    redis_client().hset("rq:job:process_product-7", "description", description)
    assert taken(1) == [7]
