"""How many large files are read at a time, and which other uploads wait or are refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from imgproc.api.slots import Slots
from imgproc.core.errors import ServerBusy, TooManyUploads


def slots(*, total: int = 4, waiting: int = 0, patience: float = 0.05) -> Slots:
    """Slots without places to wait by default."""
    return Slots(total, waiting=waiting, patience=patience)


@contextmanager
def holding(some: Slots, *owners: str) -> Iterator[ExitStack]:
    """Hold a slot for each owner."""
    with ExitStack() as stack:
        for owner in owners:
            stack.enter_context(some.hold(owner))
        yield stack


def test_one_owner_may_have_half_of_the_slots() -> None:
    """A further upload of the owner gets 429, while other owners can still upload."""
    some = slots()
    with holding(some, "a", "a"):
        with pytest.raises(TooManyUploads, match="2 of your large files"), some.hold("a"):
            pass
        with holding(some, "b", "b"):
            pass


def test_an_upload_gets_503_when_all_slots_are_in_use() -> None:
    """The server is busy, and the caller is not over a limit of its own."""
    some = slots()
    with holding(some, "a", "a", "b", "b"), pytest.raises(ServerBusy), some.hold("c"):
        pass


def test_a_call_that_does_not_wait_is_refused_at_once() -> None:
    """Although there is a place to wait, for an hour."""
    some = slots(total=1, waiting=1, patience=3600)
    with holding(some, "a"), pytest.raises(ServerBusy), some.hold("b", waits=False):
        pass


def test_any_owner_may_have_a_single_slot() -> None:
    """Half of one slot is rounded up to one."""
    some = slots(total=1)
    with holding(some, "a"), pytest.raises(TooManyUploads), some.hold("a"):
        pass
    with holding(some, "b"):
        pass


def test_releases_the_slot_after_an_error() -> None:
    """The next upload gets the slot."""
    some = slots(total=1)
    for _ in range(3):
        with pytest.raises(MemoryError), some.hold("a"):
            raise MemoryError
    assert not some._held


def test_waits_for_a_slot_if_there_is_a_place_to_wait() -> None:
    """The upload continues if a slot is released in time."""
    some = slots(total=1, waiting=1, patience=30)
    got_it = threading.Event()

    def wait() -> None:
        with some.hold("b"):
            got_it.set()

    with holding(some, "a"):
        waiter = threading.Thread(target=wait)
        waiter.start()
        while some._places:
            pass
        with pytest.raises(ServerBusy), some.hold("c"):  # the one place is taken
            pass
        assert not got_it.is_set()
    waiter.join(30)
    assert got_it.is_set()
    places: int = some._places
    assert places == 1


def test_a_wait_without_success_releases_its_place() -> None:
    """The wait ends after `patience` seconds."""
    some = slots(total=1, waiting=1)
    with holding(some, "a"):
        for _ in range(2):
            with pytest.raises(ServerBusy), some.hold("b"):
                pass
    places: int = some._places
    assert places == 1
