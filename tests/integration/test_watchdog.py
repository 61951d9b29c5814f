"""The watchdog tells stuck workers from slow ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from imgproc.worker import watchdog
from imgproc.worker.watchdog import LEAST_PATIENCE, Pulse, Watch, all_asleep, computed_seconds
from tests.support.processes import is_alive, wait_until

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the state of threads")


@pytest.mark.parametrize(
    ("beats", "asleep", "computes", "every", "stuck"),
    [
        pytest.param(1, True, 0.0, 1, False, id="idle, and its pulse beats"),
        pytest.param(0, True, 0.0, 1, True, id="asleep with the GIL"),
        pytest.param(0, False, 1.0, 1, True, id="computing with the GIL"),
        pytest.param(0, False, 4.0, 1, True, id="computing with four threads"),
        pytest.param(0, False, 0.0, 1, False, id="stopped, or waiting for a disk or a processor"),
        pytest.param(0, False, 0.1, 1, False, id="given a tenth of a processor for a minute"),
    ],
)
def test_counts_only_time_in_which_the_worker_could_run(
    monkeypatch: pytest.MonkeyPatch, beats: int, asleep: bool, computes: float, every: float, stuck: bool
) -> None:
    """The pool checks a worker for a minute, with a patience of ten seconds."""
    now, pulse = [1000.0], SimpleNamespace(beats=0)
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(watchdog, "all_asleep", lambda _pid: asleep)
    monkeypatch.setattr(watchdog, "computed_seconds", lambda _pid: (now[0] - 1000) * computes)
    watch = Watch(pulse, patience=10)  # type: ignore[arg-type]  # only its beats are read
    checks = []
    for _ in range(60):
        checks.append(watch.is_stuck(0))
        now[0] += every
        pulse.beats += beats
    assert any(checks) is stuck
    assert not any(checks[:11])


def test_does_not_count_time_without_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a frozen container wakes, the pool may check before the worker has beaten."""
    now, pulse = [1000.0], SimpleNamespace(beats=0)
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(watchdog, "all_asleep", lambda _pid: True)
    watch = Watch(pulse, patience=10)  # type: ignore[arg-type]  # only its beats are read
    for _ in range(3):
        assert not watch.is_stuck(0)
        now[0] += 36_000


@contextmanager
def child(body: Callable[[], object]) -> Iterator[tuple[Pulse, int]]:
    """A forked process with a pulse that runs `body`."""
    pulse = Pulse()

    def run() -> None:
        pulse.start()
        time.sleep(watchdog.BEAT_SECONDS * 2)
        body()

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    try:
        assert process.pid
        wait_until(lambda: pulse.beats > 0)
        yield pulse, process.pid
    finally:
        process.kill()
        process.join()


def test_the_parent_sees_the_pulse() -> None:
    """The pulse beats as long as the child can run Python."""
    with child(lambda: time.sleep(60)) as (pulse, _pid):
        before = pulse.beats
        wait_until(lambda: pulse.beats > before + 2)


@LINUX_ONLY
def test_linux_reports_the_state_of_a_process() -> None:
    """A process is asleep, stopped or computing."""
    with child(lambda: time.sleep(60)) as (_pulse, pid):
        wait_until(lambda: all_asleep(pid))
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: not all_asleep(pid))
        assert computed_seconds(pid) == computed_seconds(pid)
    with child(lambda: sum(range(10**12))) as (_pulse, pid):
        before = computed_seconds(pid)
        wait_until(lambda: computed_seconds(pid) > before + 0.2)


def test_a_process_that_has_ended_is_not_stuck() -> None:
    """It may end between two checks."""
    with child(lambda: None) as (pulse, pid):
        pass
    watch = Watch(pulse, patience=0)
    for _ in range(3):
        assert not watch.is_stuck(pid)
    assert [watch.end(pid) for _ in range(3)] == [signal.SIGABRT, None, None]


def _ignore_sigabrt() -> None:
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    time.sleep(60)


def test_a_child_that_survives_its_abort_is_killed() -> None:
    """The handler of SIGABRT may be stuck as well."""
    with child(_ignore_sigabrt) as (pulse, pid):
        watch = Watch(pulse, patience=0)
        wait_until(lambda: watch.end(pid) is signal.SIGKILL)
        wait_until(lambda: not is_alive(pid))


def test_patience_has_a_lower_bound() -> None:
    """With a short lease, a call that takes a second on a busy machine must not end the worker."""
    assert Watch(Pulse(), patience=0.1)._patience == LEAST_PATIENCE
