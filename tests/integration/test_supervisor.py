"""Children are started in order, kept alive, stopped together, and never outlive the supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imgproc.embedded.supervisor import Service, ServiceFailed, Stopped, Supervisor
from tests.support.processes import Children, is_alive, wait_until

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals children when their parent dies")


def script(name: str, body: str, **options: Any) -> Service:
    """A service that runs a piece of Python."""
    return Service(name, [sys.executable, "-c", textwrap.dedent(body)], **options)


WRITER = """
import signal, sys, time
name, journal, *others = sys.argv[1:]

def note(word):
    with open(journal, "a") as out: out.write(f"{name} {word}\\n")

def stop(*_):
    note("stops")
    while not all(f"{other} stops" in open(journal).read() for other in others): time.sleep(0.01)
    note("ends")
    sys.exit()

signal.signal(signal.SIGTERM, stop)
note("starts")
time.sleep(600)
"""


def writer(name: str, journal: Path, *, ends_after: tuple[str, ...] = (), stops_last: bool = False) -> Service:
    """A service that notes its start and end in `journal`, and ends once the services `ends_after` are asked to."""
    return Service(
        name,
        [sys.executable, "-c", WRITER, name, str(journal), *ends_after],
        ready=lambda: journal.exists() and f"{name} starts" in journal.read_text(),
        stops_last=stops_last,
    )


def run_until(condition: Callable[[], bool], supervisor: Supervisor, stop: threading.Event) -> None:
    """Run the supervisor until `condition` holds."""

    def watch() -> None:
        try:
            wait_until(condition)
        finally:
            stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    supervisor.run()
    watcher.join()
    assert condition()


@pytest.fixture
def children() -> Children:
    """The processes that the test has started."""
    return Children()


@pytest.fixture
def running() -> Iterator[tuple[Supervisor, threading.Event]]:
    """A supervisor with a short deadline, and the event that stops it."""
    stop = threading.Event()
    with Supervisor(stop, stop_timeout=3) as supervisor:
        yield supervisor, stop


def test_starts_in_order_and_stops_what_others_use_last(tmp_path: Path) -> None:
    """A service that others use starts first and stops last."""
    journal = tmp_path / "journal"
    with Supervisor(threading.Event()) as supervisor:
        supervisor.start(writer("redis", journal, stops_last=True))
        supervisor.start(writer("web", journal))
    lines = ["redis starts", "web starts", "web stops", "web ends", "redis stops", "redis ends"]
    assert journal.read_text().splitlines() == lines


@pytest.mark.parametrize("stops_last", [False, True], ids=["our processes", "the servers they use"])
def test_stops_all_of_a_kind_together(tmp_path: Path, *, stops_last: bool) -> None:
    """Each child ends only when all are asked to: if they were stopped in turn, the first would be killed."""
    journal, names = tmp_path / "journal", ("web", "sweeper", "worker")
    with Supervisor(threading.Event(), stop_timeout=60) as supervisor:
        for name in names:
            supervisor.start(writer(name, journal, ends_after=names, stops_last=stops_last))
    assert sorted(journal.read_text().splitlines()[-3:]) == sorted(f"{name} ends" for name in names)


def test_restarts_a_dead_child_and_logs_it(
    tmp_path: Path, running: tuple[Supervisor, threading.Event], caplog: pytest.LogCaptureFixture, children: Children
) -> None:
    """A killed child is started again, and the log names the child and the signal."""
    caplog.set_level("INFO")
    supervisor, stop = running
    journal = tmp_path / "journal"
    supervisor.start(writer("worker", journal))
    children()[0].kill()
    run_until(lambda: journal.read_text().count("worker starts") == 2, supervisor, stop)
    assert "worker was killed by SIGKILL; starting it again in 0.5 s" in caplog.text


def test_waits_longer_before_each_restart(
    running: tuple[Supervisor, threading.Event], caplog: pytest.LogCaptureFixture
) -> None:
    """A child that fails again and again does not keep the machine busy."""
    caplog.set_level("INFO")
    supervisor, stop = running
    supervisor.start(script("worker", "import time; time.sleep(0.2); raise SystemExit(3)"))
    run_until(lambda: "worker ended with status 3; starting it again in 1 s" in caplog.text, supervisor, stop)
    assert "worker ended with status 3; starting it again in 0.5 s" in caplog.text


def test_a_service_that_ends_before_it_is_ready_has_failed(
    tmp_path: Path, running: tuple[Supervisor, threading.Event]
) -> None:
    """The error names the service, its exit status and its last output."""
    service = script("s3", "raise SystemExit('no such folder')", log_file=tmp_path / "s3.log", ready=lambda: False)
    with pytest.raises(ServiceFailed, match=r"s3 ended with status 1\n  no such folder"):
        running[0].start(service)


def test_a_service_that_is_not_ready_in_time_is_stopped(
    running: tuple[Supervisor, threading.Event], children: Children
) -> None:
    """A service that fails to start leaves no process."""
    service = script("web", "import time; time.sleep(600)", ready=lambda: False, ready_timeout=0.5)
    with pytest.raises(ServiceFailed, match="web was not ready in time"):
        running[0].start(service)
    assert children() == []


def test_a_stop_interrupts_the_start(running: tuple[Supervisor, threading.Event]) -> None:
    """Ctrl-C does not wait for a service that is slow to become ready."""
    supervisor, stop = running
    stop.set()
    with pytest.raises(Stopped):
        supervisor.start(script("web", "import time; time.sleep(600)", ready=lambda: False))


def test_kills_what_ignores_sigterm_and_its_children(tmp_path: Path) -> None:
    """After the deadline no process of the service's group is left."""
    pids = tmp_path / "pids"
    stubborn = f"""
    import os, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork()
    if child:
        with open({str(pids)!r}, "w") as out: out.write(f"{{os.getpid()}} {{child}}\\n")
    time.sleep(600)
    """
    with Supervisor(threading.Event(), stop_timeout=0.1) as supervisor:
        supervisor.start(script("worker", stubborn, ready=lambda: pids.exists() and pids.read_text().endswith("\n")))
    wait_until(lambda: not any(is_alive(int(pid)) for pid in pids.read_text().split()))


@LINUX_ONLY
def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    """The supervisor cannot clean up after SIGKILL, so the kernel ends its children."""
    pid_file = tmp_path / "pid"
    parent = f"""
    import os, sys, threading
    from pathlib import Path
    from imgproc.embedded.supervisor import Service, Supervisor
    pid_file = Path({str(pid_file)!r})
    body = "import os, time; from pathlib import Path; "
    body += f"Path({{str(pid_file)!r}}).write_text(str(os.getpid())); time.sleep(600)"
    with Supervisor(threading.Event()) as supervisor:
        supervisor.start(Service("child", [sys.executable, "-c", body]))
        supervisor.run()
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent)])
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    process.kill()
    process.wait()
    wait_until(lambda: not is_alive(int(pid_file.read_text())))


def test_secrets_of_a_service_are_not_shown(running: tuple[Supervisor, threading.Event], children: Children) -> None:
    """The environment of a service is neither in its repr nor in its command line."""
    service = script("s3", "import time; time.sleep(600)", environ={"KEY": "hunter2"})
    running[0].start(service)
    assert "hunter2" not in repr(service)
    assert all("hunter2" not in " ".join(child.cmdline()) for child in children())


def test_ctrl_c_reaches_the_parent_alone(running: tuple[Supervisor, threading.Event], children: Children) -> None:
    """A terminal signals our process group: children have groups of their own, so the supervisor stops them."""
    running[0].start(script("redis", "import time; time.sleep(600)"))
    child = children()[0].pid
    assert os.getpgid(child) != os.getpgrp()
