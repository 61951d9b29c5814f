"""How xdist spreads the tests over its processes (a file at a time, the longest first), and what coverage traces."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from imgproc.core.process import WORKER_NICENESS, yield_to_other_sessions
from tests.support.parts import part_of

# Tests that take longest, the longest first: no process is left with one of these when the others have ended.
LONGEST = (
    "tests/chaos/test_short_run.py",
    "tests/e2e/test_dying_workers.py",
    "tests/unit/test_hostile_images.py",
    "tests/chaos/test_network_cuts.py",
    "tests/chaos/test_mutations.py",
    "tests/e2e",
    "tests/integration/front",
    "tests/integration/test_cli.py",
    "tests/unit/test_hostile_files.py",
    "tests/integration",
)
# Tests that start many processes and mostly wait for them.
STACKS = ("tests/chaos", "tests/e2e", "tests/integration/front", "tests/integration/test_cli.py")
# Files whose tests share no fixture: several processes may take parts of them.
BY_TEST = ("tests/chaos/test_short_run.py", "tests/chaos/test_mutations.py")
# Functions of a file that have a slow fixture or a stack of their own.
BY_FUNCTION = (
    "tests/unit/test_hostile_images.py::test_a_hostile_image_stays_in_bounds_in_every_format",
    "tests/e2e/test_dying_workers.py::test_every_job_that_kills_its_workers_fails",
    "tests/e2e/test_dying_workers.py::test_a_worker_that_was_suspended_is_not_killed",
    "tests/e2e/test_dying_workers.py::test_rolling_restarts_lose_nothing_and_repeat_little",
    "tests/e2e/test_dying_workers.py::test_long_work_is_given_back_in_time",
    "tests/e2e/test_dying_workers.py::test_a_request_survives_the_death_of_every_process",
)
# Functions whose cases are measured in parts.
BY_PART = (
    "tests/unit/test_hostile_images.py::test_a_hostile_image_ends_as_it_should",
    "tests/unit/test_hostile_images.py::test_a_hostile_image_ends_as_it_should_in_smart_mode",
)

STOPPED = pytest.StashKey[object]()

# A shell ignores Ctrl-C in what it runs in the background, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Else every process would compile all of our modules again, and pytest all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


class LongestFirst(LoadScopeScheduling):
    """Gives each process a file, a function, a part of its cases or a single test, in the order of collection.

    Every second process takes those of `STACKS` first, and the others the rest. So few stacks run at once, which makes
    none miss a deadline, and the processor has work while they wait.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        takes_stacks = self.nodes.index(node) % 2 == 0
        scope = next((each for each in self.workqueue if each.startswith(STACKS) == takes_stacks), None)
        if scope is not None:
            self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in BY_TEST:
            return nodeid
        function, _, case = nodeid.partition("[")
        if function in BY_PART:
            return f"{function} {part_of(case[:-1])}"
        return function if function in BY_FUNCTION else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: WorkerController) -> LongestFirst | None:
    """Replace `--dist loadfile`."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # it would put the files with most tests first
    return LongestFirst(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop the coverage that pytest-cov starts in a process of xdist by mistake, as in its controller.

    It then starts the right one. Where `no_cover` stopped that one, the other went on: every test was traced, which
    makes Python code take three times as long.

    The tests also yield as much as the workers of their stacks do, or these would hardly get the processor.
    """
    if not hasattr(session.config, "workerinput"):
        yield_to_other_sessions(WORKER_NICENESS)
    plugin = session.config.pluginmanager.getplugin("_cov")
    if hasattr(session.config, "workerinput") and plugin and plugin.cov_controller:
        plugin.cov_controller.cov.stop()
        session.config.stash[STOPPED] = plugin.cov_controller  # Its end would warn of an open database.


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the session of the shell its priority back."""
    if not hasattr(session.config, "workerinput"):
        yield_to_other_sessions(0)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from the thousands of tests and modules, which stay until the end.

    Else it looks through all of them while they are made, and again in every full collection of every test.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first, and trace none whose many cases run the same lines: tracing makes them slower."""
    items.sort(key=lambda item: _rank(item.nodeid))
    for item in items:
        if item.get_closest_marker("exhaustive"):
            item.add_marker("no_cover")


def _rank(nodeid: str) -> int:
    return next((rank for rank, begin in enumerate(LONGEST) if nodeid.startswith(begin)), len(LONGEST))
