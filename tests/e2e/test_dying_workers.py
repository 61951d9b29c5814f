"""Workers that crash or hang on a job, or are told to stop during one."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import requests

from tests.e2e.poisoned_up import PATIENCE, POISONED
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost, open_image_host
from tests.support.photographs import photo_file
from tests.support.processes import wait_until
from tests.support.stack import Stack, running_stack


def pool_of(stack: Stack) -> psutil.Process:
    """The process of the worker pool."""
    (pool,) = [child for child in stack.children("-m imgproc worker") if child.parent().pid == stack.process.pid]
    return pool


def restart_pool(stack: Stack) -> None:
    """Tell the pool to stop, as a rolling restart does, and wait until the stack has started another."""
    old = pool_of(stack)
    old.terminate()
    wait_until(lambda: not old.is_running() and bool(stack.children("-m imgproc worker")))


def log_of(folder: Path) -> str:
    """The log of the stack's processes."""
    return (folder.parent / f"{folder.name}.log").read_text()


def attempts(stack: Stack, request_id: str) -> list[int]:
    """The attempts of every product of a request, in row order."""
    with sqlite3.connect(stack.settings().data_dir / "imgproc.db") as connection:
        found = connection.execute(
            "SELECT attempt FROM products WHERE request_id = ? ORDER BY row", (UUID(request_id).hex,)
        )
        return [attempt for (attempt,) in found]


@dataclass(frozen=True)
class Poisoned:
    """A stack whose processes die of what is poisoned, with short leases; several tests share it."""

    stack: Stack
    folder: Path
    said: int  # characters of the log that were there before the test

    def log(self) -> str:
        """What the processes have said since the test began."""
        return log_of(self.folder)[self.said :]


@pytest.fixture(scope="module")
def poisoned_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """One stack for the tests whose settings are these."""
    folder = tmp_path_factory.mktemp("poisoned") / "var"
    with running_stack(folder, up=POISONED, LEASE_SECONDS="2") as stack:
        yield stack, folder


@pytest.fixture
def poisoned(poisoned_stack: tuple[Stack, Path]) -> Poisoned:
    """The shared stack, as the test finds it."""
    stack, folder = poisoned_stack
    return Poisoned(stack, folder, len(log_of(folder)))


@pytest.mark.parametrize(
    "fatal", [pytest.param("SIGSEGV", id="a crash in a decoder"), pytest.param("SIGKILL", id="memory exhausted")]
)
def test_a_picture_that_kills_three_workers_fails(poisoned: Poisoned, fatal: str) -> None:
    """It fails with `worker_lost` and a remedy; the pool logs each death. The first death may be of another's fault.

    So it and those that one process worked on are tried again, each alone. No other is made more than twice, or fails.
    """
    poison, stack = photo_file("chelsea.jpg") + f"POISON={fatal}".encode(), poisoned.stack
    with open_image_host() as shop:
        urls = [shop.says(f"/{n}.jpg", Answer(body=poison if n == 3 else photo_file("chelsea.jpg"))) for n in range(8)]
        status = stack.wait(stack.submit(csv_of(*urls))["requestId"])
        assert status["status"] == "completed_with_errors"
        errors = [product["images"][0]["error"] for product in stack.products(status["requestId"])]
        assert [error and error["code"] for error in errors] == [None] * 3 + ["worker_lost"] + [None] * 4
        assert "Replace the image" in errors[3]["detail"]
        asked = [shop.asked[f"/{n}.jpg"] for n in range(8)]
        assert (asked.pop(3), max(asked)) == (1 + 3, min(2, max(asked)))
        assert attempts(stack, status["requestId"]) == [1, 1, 1, 3, 1, 1, 1, 1]
        wait_until(lambda: poisoned.log().count("worker_died") >= 1 + 3)  # the pool looks once a second
        deaths = [line for line in poisoned.log().splitlines() if "worker_died" in line]
        assert len(deaths) == 1 + 3
        assert all(str(-signal.Signals[fatal]) in line for line in deaths)


def test_a_poisonous_picture_among_many_fails_alone(tmp_path: Path) -> None:
    """A process works on many products, and dies with all of them: no other fails, or is made a third time."""
    poison = photo_file("chelsea.jpg") + b"POISON=SIGKILL"
    environ = {
        "LEASE_SECONDS": "2",
        "WORKERS": "32",
        "WORKER_PROCESSES": "1",
        "MAX_ATTEMPTS": "1",
    }
    with open_image_host() as shop, running_stack(tmp_path / "var", up=POISONED, **environ) as stack:
        good = Answer(body=photo_file("chelsea.jpg"))
        slow = [shop.says(f"/{n}.jpg", replace(good, delay=1), good) for n in range(40)]  # at first, to be neighbours
        urls = [*slow[:20], shop.says("/poison.jpg", Answer(body=poison, delay=0.9)), *slow[20:]]
        status = stack.wait(stack.submit(csv_of(*urls))["requestId"])
        ends = [product["status"] for product in stack.products(status["requestId"])]
        assert (status["status"], ends) == (
            "completed_with_errors",
            ["completed"] * 20 + ["failed"] + ["completed"] * 20,
        )
        assert attempts(stack, status["requestId"]) == [1] * 41
        asked = [shop.asked[f"/{n}.jpg"] for n in range(40)]
        assert (min(asked), max(asked)) == (1, 2)  # it did have neighbours
        assert shop.asked["/poison.jpg"] == 1 + 1


def test_every_job_that_kills_its_workers_fails(tmp_path: Path) -> None:
    """A plan, a finalization and a delivery fail after three deaths each, with a reason; another file completes.

    The plan and the finalization have died once more before, among other work.
    """
    environ = {"LEASE_SECONDS": "2", "WORKERS": "4"}
    with open_image_host() as shop, running_stack(tmp_path / "var", up=POISONED, **environ) as stack:
        csv_ = csv_of(f"{shop.url}/chelsea.jpg")
        plan = stack.submit(csv_.replace("SKU 1", "POISON_PLAN"))["requestId"]
        finalize = stack.submit(csv_.replace("SKU 1", "POISON_FINALIZE"))["requestId"]
        deliver = stack.submit(csv_, webhookUrl=f"{shop.url}/POISON_DELIVER")["requestId"]
        assert stack.wait(stack.submit(csv_)["requestId"])["status"] == "completed"
        assert ended(stack, plan) == ("failed", "plan_failed", 0)
        assert ended(stack, finalize) == ("failed", "finalize_failed", 1)
        assert ended(stack, deliver) == ("completed", None, 1)
        wait_until(lambda: stack.status(deliver)["webhook"]["status"] == "failed", seconds=120, pause=0.2)
        assert stack.status(deliver)["webhook"]["attempts"] == 3
        wait_until(lambda: log_of(tmp_path / "var").count("worker_died") >= 4 + 4 + 3)  # the pool looks once a second
        assert log_of(tmp_path / "var").count("worker_died") == 4 + 4 + 3


def ended(stack: Stack, request_id: str) -> tuple[str, str | None, int]:
    """How a request ended: its status, why it failed, and how many images are completed."""
    status = stack.wait(request_id)
    return status["status"], (status["error"] or {}).get("code"), status["progress"]["images"]["completed"]


@pytest.mark.parametrize("how", [pytest.param("SPIN", id="computing"), pytest.param("SLEEP", id="waiting")])
def test_a_worker_stuck_in_c_is_killed(poisoned: Poisoned, how: str) -> None:
    """None of its threads can run: the pool kills it and logs where it hung; another request completes meanwhile."""
    poison, stack = photo_file("chelsea.jpg") + f"POISON={how}".encode(), poisoned.stack
    with open_image_host() as shop:
        stuck = shop.says("/stuck.jpg", Answer(body=poison))
        request_id = stack.submit(csv_of(stuck))["requestId"]
        wait_until(lambda: shop.asked["/stuck.jpg"] == 1)
        other = stack.submit(csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/chelsea.jpg"))["requestId"]
        assert stack.wait(other)["status"] == "completed"
        status = stack.wait(request_id)
        assert status["status"] == "failed"
        (product,) = stack.products(request_id)
        assert product["images"][0]["error"]["code"] == "worker_lost"
        assert (shop.asked["/stuck.jpg"], attempts(stack, request_id), attempts(stack, other)) == (4, [3], [1, 1])
        wait_until(lambda: poisoned.log().count("Fatal Python error: Aborted") == 4)
        assert "sent=SIGABRT" in poisoned.log()  # a dying worker may write into the middle of one such line
        assert "in _hang" in poisoned.log()


def test_a_web_process_stuck_in_c_is_replaced(poisoned: Poisoned) -> None:
    """Its main loop no longer runs, so gunicorn's master replaces it, and uploads are accepted again."""
    stack = poisoned.stack
    with open_image_host() as shop:
        csv_ = csv_of(f"{shop.url}/chelsea.jpg")
        poison = "".join(
            line + "," + cell + "\n" for line, cell in zip(csv_.splitlines(), ["POISON_SCAN", ""], strict=True)
        )
        with pytest.raises(requests.ConnectionError):
            stack.submit(poison)
        assert stack.wait(stack.submit(csv_)["requestId"])["status"] == "completed"


def test_a_worker_that_was_suspended_is_not_killed(tmp_path: Path) -> None:
    """It may be suspended for longer than the pool waits for a stuck worker, as when a laptop sleeps."""
    environ = {"LEASE_SECONDS": "2", "WORKERS": "1"}
    with open_image_host() as shop, running_stack(tmp_path / "var", up=POISONED, **environ) as stack:
        wait_until(lambda: len(pool_of(stack).children()) == 2)
        workers = pool_of(stack).children()  # that of images and that of webhooks
        for worker in workers:
            worker.suspend()
        time.sleep(PATIENCE * 2)
        for worker in workers:
            worker.resume()
        request_id = stack.submit(csv_of(f"{shop.url}/chelsea.jpg"))["requestId"]
        assert stack.wait(request_id)["status"] == "completed"
        assert pool_of(stack).children() == workers
        assert "worker_stuck" not in log_of(tmp_path / "var")


def test_rolling_restarts_lose_nothing_and_repeat_little(tmp_path: Path) -> None:
    """Workers finish what they process first, so at most 3 of 100 images are downloaded again."""
    images = 300
    with open_image_host() as shop, running_stack(tmp_path / "var", up=POISONED) as stack:
        csv_ = csv_of(*[[f"{shop.url}/chelsea.jpg?{row}-{n}" for n in range(2)] for row in range(images // 2)])
        request_id = stack.submit(csv_)["requestId"]
        for restart in range(1, 6):
            wait_until(lambda: done(stack, request_id) >= images * restart // 8)  # noqa: B023 - called in this round
            restart_pool(stack)
        status = stack.wait(request_id)
        assert (status["status"], done(stack, request_id)) == ("completed", images)
        assert images <= shop.asked["/chelsea.jpg"] <= images * 1.03
        assert set(attempts(stack, request_id)) == {1}


def done(stack: Stack, request_id: str) -> int:
    """How many images are completed."""
    completed: int = stack.status(request_id)["progress"]["images"]["completed"]
    return completed


def test_long_work_is_given_back_in_time(tmp_path: Path) -> None:
    """A worker can stop during a download that takes minutes, and no attempt of the product is counted."""
    with open_image_host() as shop, running_stack(tmp_path / "var", DOWNLOAD_TIMEOUT="600") as stack:
        slow = shop.says(
            "/slow.jpg", Answer(body=photo_file("chelsea.jpg"), delay=600), Answer(body=photo_file("chelsea.jpg"))
        )
        request_id = stack.submit(csv_of(slow))["requestId"]
        wait_until(lambda: shop.asked["/slow.jpg"] == 1)
        restart_pool(stack)
        assert stack.wait(request_id)["status"] == "completed"
        assert (shop.asked["/slow.jpg"], attempts(stack, request_id)) == (2, [1])
        log = log_of(tmp_path / "var")
        assert "work_given_back" in log
        assert "worker ended with status 0" in log


def test_a_request_survives_the_death_of_every_process(tmp_path: Path) -> None:
    """Every kind of process is killed once while a request runs, and the request still completes."""
    words = [("valkey-server",), ("serve", "s3"), ("sweep", "--loop"), ("-m imgproc worker",), ("gunicorn",)]
    with open_image_host() as shop, running_stack(tmp_path / "var", LEASE_SECONDS="2") as stack:
        request_id = stack.submit(csv_of(*[f"{shop.url}/chelsea.jpg?{row}" for row in range(100)]))["requestId"]
        for each in words:
            kill_one(stack, shop, *each)
        wait_until(lambda: status_at_last(stack, request_id) == "completed", seconds=180)


def kill_one(stack: Stack, shop: ImageHost, *words: str) -> None:
    """SIGKILL the first process with these words in its command line, once more images have been downloaded."""
    before = shop.asked["/chelsea.jpg"]
    wait_until(lambda: shop.asked["/chelsea.jpg"] > before or before >= 100)
    os.kill(stack.children(*words)[0].pid, signal.SIGKILL)


def status_at_last(stack: Stack, request_id: str) -> str | None:
    """The request's status; None while the web process is down or dies before it has answered."""
    try:
        return str(stack.status(request_id)["status"])
    except OSError:
        return None
