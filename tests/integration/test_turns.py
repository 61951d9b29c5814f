"""Owners take turns: the backlog of one owner does not delay a small file of another."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from imgproc.db.transitions import products, window
from imgproc.journey import turns
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.queue.rq_classes import JobQueue
from tests.integration.driver import planned

pytestmark = pytest.mark.usefixtures("app")

MANY = 3 * turns.EXPRESS_PRODUCTS


def queued(*, count: int, owner: str) -> tuple[int, ...]:
    """Enqueue all products of a new request of the owner; their ids."""
    ids = window.release(planned(products=count, owner=owner), window=count)
    turns.enqueue_products(ids)
    return ids


def taken(count: int) -> list[Any]:
    """Take the next `count` jobs as workers do; the first argument of each."""
    queues = [JobQueue(name, connection=redis_client()) for name in enqueue.QUEUES]
    found = [JobQueue.dequeue_any(queues, None, redis_client()) for _ in range(count)]
    return [each[0].args[0] for each in found if each is not None]


def end(ids: Sequence[int]) -> None:
    """Claim the products and finish them."""
    for product_id in ids:
        token = f"token-{product_id}"
        assert products.claim(product_id, token=token, lease_seconds=30)
        products.finish(product_id, [], token=token, window=1)


def test_a_small_file_overtakes_the_large_files_of_another_owner() -> None:
    """Three large files fill the queue, yet both products of the small file are among the next six jobs."""
    for _ in range(3):
        queued(count=MANY, owner="large")
    end(taken(2 * turns.EXPRESS_PRODUCTS))
    small = queued(count=2, owner="small")
    assert set(small) <= set(taken(6))


def test_a_large_file_goes_on_while_small_ones_keep_coming() -> None:
    """Every eighth job is one that has waited longer."""
    large = queued(count=MANY, owner="large")
    end(taken(MANY // 2))
    for number in range(MANY):
        queued(count=1, owner=f"small-{number}")
    of_large = set(taken(MANY)) & set(large)
    assert len(of_large) >= MANY // 8


def test_many_control_jobs_do_not_block_products() -> None:
    """The webhooks of one owner may keep the control queue full; products are still taken."""
    enqueue.deliveries([str(uuid.uuid4()) for _ in range(40)])
    ours = set(queued(count=2, owner="small"))
    assert ours <= set(taken(16))


def test_every_product_is_enqueued_once_and_only_the_first_of_an_owner_go_express() -> None:
    """A second request of the owner gets no express places of its own; an unknown id is enqueued as well."""
    ids = [*queued(count=5, owner="one"), *queued(count=MANY, owner="one"), 2**62]
    turns.enqueue_products(ids[-1:])
    lengths = enqueue.queue_lengths()
    assert lengths["express"] == turns.EXPRESS_PRODUCTS
    assert sorted(taken(len(ids) + 1)) == sorted(ids)


def test_enqueues_products_while_the_database_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of a product is unknown then, so the product goes to the common queue."""

    def away(*_: object, **__: object) -> set[int]:
        raise OperationalError("SELECT", {}, Exception("gone"), connection_invalidated=True)

    monkeypatch.setattr(turns, "first_of_owners", away)
    monkeypatch.setattr(turns, "is_outage", lambda _error: True)
    turns.enqueue_products([1, 2])
    assert enqueue.queue_lengths()["products"] == 2
