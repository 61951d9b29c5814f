"""The thread that looks at all leases of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from imgproc.journey.lease_keeper import Keeper
from tests.support.processes import wait_until


class Looked:
    """Something held, which counts how often it is looked at."""

    def __init__(self, tick: float, raised: BaseException | None = None) -> None:
        self.tick, self.looks, self.raised = tick, 0, raised
        self.give_back: Callable[[], None] = lambda: None

    def look(self, _now: float) -> None:
        """Count, and raise what there is to raise."""
        self.looks += 1
        if self.raised:
            raise self.raised


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    """A keeper whose thread has nothing to look at after the test."""
    made = Keeper()
    yield made
    for each in list(made._held):
        made.release(each)


def test_one_thread_looks_at_all(keeper: Keeper) -> None:
    """However many leases a process holds."""
    before, held = threading.active_count(), [Looked(0.001) for _ in range(20)]
    for each in held:
        keeper.hold(each)
    wait_until(lambda: all(each.looks > 2 for each in held))
    assert threading.active_count() == before + 1
    assert [keeper.release(each) for each in held] == list(range(19, -1, -1))


def test_a_shorter_lease_does_not_wait_for_a_longer_pause(keeper: Keeper) -> None:
    """The thread sleeps for the longer one when the shorter one comes."""
    patient, hasty = Looked(3600), Looked(0.001)
    keeper.hold(patient)
    wait_until(lambda: keeper._tick == 3600)
    keeper.hold(hasty)
    wait_until(lambda: hasty.looks > 2)


def test_looks_again_after_a_time_without_leases(keeper: Keeper) -> None:
    """Then the thread waits without a clock."""
    first, second = Looked(0.001), Looked(0.001)
    keeper.hold(first)
    wait_until(lambda: first.looks > 0)
    keeper.release(first)
    wait_until(lambda: keeper._tick == 0)
    keeper.hold(second)
    wait_until(lambda: second.looks > 2)


@pytest.mark.parametrize("raised", [MemoryError(), RuntimeError("can't start new thread")])
def test_one_that_fails_is_looked_at_again_and_the_others_too(keeper: Keeper, raised: BaseException) -> None:
    """A process at its memory limit starts no thread for a renewal, until images have ended."""
    failing, other = Looked(0.001, raised), Looked(0.001)
    keeper.hold(failing)
    keeper.hold(other)
    wait_until(lambda: failing.looks > 2 and other.looks > 2)


def test_what_cannot_be_held_is_not_looked_at_later(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body never runs, so no thread may renew it; the next one is looked at."""
    refused, accepted = Looked(0.001), Looked(0.001)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            keeper.hold(refused)
    keeper.hold(accepted)
    wait_until(lambda: accepted.looks > 2)
    assert refused.looks == 0
