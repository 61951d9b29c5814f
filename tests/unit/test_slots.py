"""How many large files are read at a time, and who waits, or is refused, meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from imgproc.api.slots import Slots
from imgproc.core.errors import ServerBusy, TooManyUploads


def slots(*, total: int = 4, waiting: int = 0, patience: float = 0.05) -> Slots:
    """Slots for which nobody waits, unless told otherwise."""
    return Slots(total, waiting=waiting, patience=patience)


@contextmanager
def holding(some: Slots, *owners: str) -> Iterator[ExitStack]:
    """A slot for each."""
    with ExitStack() as stack:
        for owner in owners:
            stack.enter_context(some.hold(owner))
        yield stack


def test_one_owner_has_half_of_the_slots() -> None:
    """And is told so, while others have room."""
    some = slots()
    with holding(some, "a", "a"):
        with pytest.raises(TooManyUploads, match="2 of your large files"), some.hold("a"):
            pass
        with holding(some, "b", "b"):
            pass


def test_all_slots_in_use_is_nobodys_fault() -> None:
    """503, not 429."""
    some = slots()
    with holding(some, "a", "a", "b", "b"), pytest.raises(ServerBusy), some.hold("c"):
        pass


def test_a_single_slot_is_anybodys() -> None:
    """Half of one is one."""
    some = slots(total=1)
    with holding(some, "a"), pytest.raises(TooManyUploads), some.hold("a"):
        pass
    with holding(some, "b"):
        pass


def test_gives_the_slot_back_however_its_use_ends() -> None:
    """An error included."""
    some = slots(total=1)
    for _ in range(3):
        with pytest.raises(MemoryError), some.hold("a"):
            raise MemoryError
    assert not some._held


def test_waits_for_a_slot_where_there_is_a_place_to_wait() -> None:
    """As long as one comes free in time."""
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


def test_whoever_waits_in_vain_gives_up_the_place() -> None:
    """After the patience it was made with."""
    some = slots(total=1, waiting=1)
    with holding(some, "a"):
        for _ in range(2):
            with pytest.raises(ServerBusy), some.hold("b"):
                pass
    places: int = some._places
    assert places == 1
