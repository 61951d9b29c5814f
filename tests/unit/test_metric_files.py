"""Processes keep what they count in files: none is lost, counted twice or left over when processes die."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from imgproc.core import metric_files
from tests.support.scrapes import parse

# Counts `argv[2]` images, says so, and waits to be killed.
COUNTER = """
import sys, time
from pathlib import Path
from imgproc.core import metric_files, metrics
metric_files.use(Path(sys.argv[1]))
metrics.IMAGES.labels("completed", "").inc(int(sys.argv[2]))
print("counted", flush=True)
time.sleep(600)
"""
FORKED = """
import os, sys
from pathlib import Path
from imgproc.core import metric_files, metrics
metric_files.use(Path(sys.argv[1]))
metrics.IMAGES.labels("completed", "").inc()
if os.fork() == 0:
    metrics.IMAGES.labels("completed", "").inc(10)
    os._exit(0)
os.wait()
metrics.IMAGES.labels("completed", "").inc(100)
"""


class Processes:
    """Processes that count in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[str]] = []

    def start(self, images: int) -> subprocess.Popen[str]:
        """Start a process, and return once it has counted `images` images."""
        command = [sys.executable, "-c", COUNTER, str(self.folder), str(images)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._running.append(process)
        assert process.stdout
        assert "counted\n" in iter(process.stdout.readline, "")
        return process

    def kill(self, *processes: subprocess.Popen[str]) -> None:
        """Kill some of them, or all."""
        for process in processes or self._running:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def count(self) -> float:
        """How many images a scrape shows."""
        return count_in(self.folder)

    def files(self) -> set[str]:
        """The names of the files with values."""
        return {file.name for file in self.folder.glob("*.db")}


def count_in(folder: Path) -> float:
    """How many images a scrape of the folder shows."""
    return parse(generate_latest(metric_files.registry_of(folder)).decode()).value("imgproc_images_total")


@pytest.fixture
def processes(tmp_path: Path) -> object:
    """Processes with a new folder."""
    made = Processes(tmp_path / "metrics")
    yield made
    made.kill()


def test_a_process_counts_on_where_a_killed_one_ended(processes: Processes) -> None:
    """It takes the slot, and so the files, of the dead one; what that one counted stays."""
    processes.start(1)
    second = processes.start(10)
    files = processes.files()
    processes.kill(second)
    assert processes.count() == 11
    processes.start(100)
    assert (processes.count(), processes.files()) == (111, files)


def test_the_first_process_deletes_the_counts_of_an_earlier_start(processes: Processes) -> None:
    """All processes of the machine have ended, so a new start begins at 0, and old names of metrics are gone."""
    processes.kill(processes.start(1), processes.start(10))
    processes.start(100)
    assert processes.count() == 100


def test_a_stopped_process_keeps_its_slot(processes: Processes) -> None:
    """A process that is suspended for long lives, and no other may write to its files."""
    stopped = processes.start(1)
    stopped.send_signal(signal.SIGSTOP)
    processes.start(10)
    assert (processes.count(), len(processes.files())) == (11, 4)


def test_a_forked_process_has_files_of_its_own(tmp_path: Path) -> None:
    """Parent and child count at once, and neither overwrites the other."""
    subprocess.run([sys.executable, "-c", FORKED, str(tmp_path)], check=True)
    assert count_in(tmp_path) == 111


EARLY = """
import sys
from pathlib import Path
from imgproc.core import metric_files, metrics
metrics.IMAGES.labels("completed", "").inc()
metric_files.use(Path(sys.argv[1]))
metrics.IMAGES.labels("completed", "").inc(10)
"""


def test_a_value_from_before_there_was_a_folder_counts_in_it(tmp_path: Path) -> None:
    """A library may have counted before the app named the folder."""
    subprocess.run([sys.executable, "-c", EARLY, str(tmp_path)], check=True)
    assert count_in(tmp_path) == 10


FULL = """
import os, sys
from pathlib import Path
from imgproc.core import metric_files, metrics
def full(*_):
    raise OSError(28, "No space left on device")
os.posix_fallocate = full
metric_files.use(Path(sys.argv[1]))
with metrics.timed("put"):
    print("worked")
metrics.IMAGES.labels("completed", "").inc()
"""


def test_a_full_disk_costs_the_counts_and_not_the_work(tmp_path: Path) -> None:
    """One line says so. A mapped file without blocks would kill the process at the first count."""
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "worked" in ran.stdout
    assert (ran.stdout + ran.stderr).count("metrics_not_kept") == 1
    assert (count_in(tmp_path), list(tmp_path.glob("*.db"))) == (0, [])


def test_a_folder_that_cannot_be_made_costs_the_counts_and_not_the_work(tmp_path: Path) -> None:
    """So a read-only file system stops nothing."""
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-c", COUNTER.replace("time.sleep(600)", ""), str(tmp_path / "file/metrics"), "1"]
    assert "counted" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_suspended_process_holds_up_neither_a_scrape_nor_the_work_of_others(processes: Processes) -> None:
    """It may be suspended at the moment in which it holds the lock of the folder."""
    processes.start(1)
    number = os.open(processes.folder / "folder.lock", os.O_RDWR)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        assert processes.count() == 1
        processes.start(10)
        assert processes.count() == 1
    finally:
        os.close(number)


def test_a_damaged_file_costs_the_counts_and_not_the_scrape(processes: Processes) -> None:
    """The rest of the scrape goes on."""
    processes.start(1)
    (processes.folder / "counter_99-damaged.db").write_bytes(b"\xff\xff\xff\x7f" + os.urandom(100))
    assert processes.count() == 0


def test_a_folder_without_files_is_an_empty_scrape(tmp_path: Path) -> None:
    """Nothing was counted yet."""
    assert generate_latest(metric_files.registry_of(tmp_path / "none")) == b""
