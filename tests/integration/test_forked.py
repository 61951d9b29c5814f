"""A service that is forked from the supervisor behaves like one with an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import preloaded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux are services forked")

# Says what it finds, then ends with a message.
CHILD = """
import json, os, signal, sys
from pathlib import Path

facts = {
    "name": __name__,
    "arguments": sys.argv[1:],
    "command": Path("/proc/self/cmdline").read_text().rstrip("\\0").split("\\0")[1:],
    "folder": os.getcwd(),
    "environment": os.environ["GIVEN"],
    "own session": os.getsid(0) == os.getpid(),
    "input": sys.stdin.read(),
    "files": [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")],
    "handlers": [signal.getsignal(number).name for number in (signal.SIGTERM, signal.SIGHUP)],
    "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
}
print(json.dumps(facts), flush=True)
sys.exit("The child has ended.")
"""

# Has a handler of each signal, and a lock, which no child may hold.
PARENT = """
import fcntl, os, signal, sys, threading
from pathlib import Path
from imgproc.core.process import stop_on_signals
from imgproc.embedded.supervisor import Service, ServiceFailed, Supervisor

folder, forked = Path(sys.argv[1]), sys.argv[2] == "True"
sys.path.insert(0, str(folder))
with open(folder / "lock", "w") as lock, Supervisor(stop_on_signals()) as supervisor:
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        supervisor.start(
            Service(
                "child",
                [sys.executable, "-m", "child", "a", "b c"],
                environ={"GIVEN": "yes", "PYTHONPATH": str(folder)},
                folder=folder,
                log_file=folder / "child.log",
                ready=lambda: False,
                forked=forked,
            )
        )
    except ServiceFailed as failure:
        print(str(failure).splitlines()[0])
"""


def facts_of_child(folder: Path, *, forked: bool) -> dict[str, Any]:
    """What a child finds that a supervisor has started in this way."""
    (folder / "child.py").write_text(CHILD)
    (folder / "parent.py").write_text(PARENT)
    done = preloaded.run([str(folder / "parent.py"), str(folder), str(forked)], environ=os.environ)
    log = folder / "child.log"
    assert (done.stdout, done.stderr) == ("child ended with status 1\n", ""), log.read_text()
    facts, message = log.read_text().splitlines()
    log.unlink()
    assert message == "The child has ended."
    found: dict[str, Any] = json.loads(facts)
    return found


def test_a_forked_child_is_as_an_executed_one(tmp_path: Path) -> None:
    """It has its own arguments, environment, folder, session and output, and no file, handler or mask of its parent."""
    executed = facts_of_child(tmp_path, forked=False)
    assert (executed["arguments"], executed["folder"], executed["input"]) == (["a", "b c"], str(tmp_path), "")
    assert facts_of_child(tmp_path, forked=True) == executed


# Collects garbage beside 50 MB of its parent's objects, then says how many kilobytes became its own.
COLLECTOR = """
import gc
from pathlib import Path

gc.collect()
lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("Private_Dirty")), flush=True)
"""
OWNER = """
import sys
from pathlib import Path
from imgproc.embedded.forked import ForkedProcess

objects = [{number: []} for number in range(200_000)]
sys.path.insert(0, sys.argv[1])
ForkedProcess(["collector"], environ={}, log_file=Path(sys.argv[1]) / "log").wait()
"""

# Makes an object that its child finds in memory, and ends with the status of the child.
MAKER = """
import sys
from pathlib import Path
from imgproc.embedded.forked import ForkedProcess

made = {"by": "the parent"}

def main():
    print(made, sys.argv[1:], Path("/proc/self/cmdline").read_text().rstrip("\\0").split("\\0"), flush=True)
    sys.exit(7)

log = Path(sys.argv[1]) / "log"
sys.exit(ForkedProcess(["service", "--loop"], environ={}, log_file=log, main=main).wait())
"""


def test_a_child_runs_a_function_with_what_its_parent_made(tmp_path: Path) -> None:
    """It has the arguments and the command line of the command that the function stands for, and its exit status."""
    done = subprocess.run([sys.executable, "-c", MAKER, str(tmp_path)], check=False)
    expected = "{'by': 'the parent'} ['--loop'] ['python', '-m', 'service', '--loop']\n"
    assert (done.returncode, (tmp_path / "log").read_text()) == (7, expected)


def test_a_child_that_collects_garbage_shares_the_memory_of_its_parent(tmp_path: Path) -> None:
    """A collection writes to every object that is not frozen, and a page that is written is copied."""
    (tmp_path / "collector.py").write_text(COLLECTOR)
    subprocess.run([sys.executable, "-c", OWNER, str(tmp_path)], check=True)
    assert int((tmp_path / "log").read_text()) < 10_000


# Counts before the fork, as a first sweep does that finds work, and ends with the status of a child that counts, too.
COUNTER = """
import sys
from pathlib import Path
from imgproc.core import metric_files, metrics
from imgproc.embedded.forked import ForkedProcess

folder = Path(sys.argv[1])
metric_files.use(folder / "metrics")
with metric_files.in_memory():
    metrics.LEASES_EXPIRED.labels("plan").inc()

def main():
    metrics.start_at_zero(metrics.JOB_FAILURES, "express")
    metrics.LEASES_EXPIRED.labels("product").inc(3)
    lines = [str(sample) for metric in metric_files.merged(folder / "metrics") for sample in metric.samples]
    print(*lines, sep="\\n", flush=True)

log = folder / "log"
sys.exit(ForkedProcess(["service"], environ={}, log_file=log, main=main).wait())
"""


def test_a_child_counts_although_its_parent_has_counted(tmp_path: Path) -> None:
    """It has closed the files of its parent, and prometheus_client would write to them."""
    done = subprocess.run([sys.executable, "-c", COUNTER, str(tmp_path)], check=False)
    counted = (tmp_path / "log").read_text()
    assert (done.returncode, "'work': 'product'}, value=3.0" in counted) == (0, True), counted
