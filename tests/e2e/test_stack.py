"""The whole journey of a user: start the stack, upload a file, poll, and read the results."""

from __future__ import annotations

import csv
import io
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image
from standardwebhooks import Webhook

from imgproc.demo.catalogue import PICTURES, catalogue_csv
from imgproc.demo.site import Site, serve_site
from tests.support.processes import wait_until
from tests.support.stack import Stack, running_stack

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests here."""
    with running_stack(tmp_path_factory.mktemp("stack") / "var") as running:
        yield running


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that serves the pictures and receives the webhook."""
    with serve_site(PICTURES) as serving:
        yield serving


@contextmanager
def highest_rss(process: psutil.Process) -> Iterator[list[int]]:
    """Sample the memory of a process, in bytes, while the block runs and once more at its end."""
    sizes: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            sizes.append(process.memory_info().rss)
        sizes.append(process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield sizes
    finally:
        done.set()
        looking.join()


def test_a_csv_becomes_a_csv_of_compressed_images(stack: Stack, site: Site) -> None:
    """The upload ends in a verified webhook, and each public URL serves a JPEG of half the size."""
    accepted = stack.submit(catalogue_csv(f"{site.url}/pictures"), webhookUrl=f"{site.url}/webhook")
    assert accepted["status"] == "pending"
    status = stack.wait(accepted["requestId"])
    assert (status["status"], status["progress"]["percent"], status["failedCsvUrl"]) == ("completed", 100, None)

    rows = list(csv.DictReader(io.StringIO(requests.get(status["outputCsvUrl"], timeout=30).text)))
    sources = list(csv.DictReader(io.StringIO(catalogue_csv(f"{site.url}/pictures"))))
    assert [row["S. No."] for row in rows] == [row["S. No."] for row in sources]
    for row in rows:
        for source, output in zip(row["Input Image Urls"].split(","), row["Output Image Urls"].split(","), strict=True):
            width, height = PICTURES[source.rpartition("/")[2]].size
            response = requests.get(output, timeout=30)
            assert response.headers["Content-Type"] == "image/jpeg"
            with Image.open(io.BytesIO(response.content)) as rendition:
                rendition.load()
                assert (rendition.format, rendition.size) == ("JPEG", (width // 2, height // 2))

    announcement = site.announcements.get(timeout=60)
    secret = stack.settings().webhook_secret or ""
    payload = Webhook(secret).verify(announcement.body, dict(announcement.headers))
    assert (payload["type"], payload["data"]["requestId"]) == ("request.completed", accepted["requestId"])
    assert payload["data"]["outputCsvUrl"] == status["outputCsvUrl"]
    with pytest.raises(queue.Empty):
        site.announcements.get_nowait()


def test_polling_with_an_etag_costs_nothing_when_nothing_changed(stack: Stack, site: Site) -> None:
    """An ended request answers 304 to its own ETag."""
    request_id = stack.submit(catalogue_csv(f"{site.url}/pictures"))["requestId"]
    stack.wait(request_id)
    first = requests.get(f"{stack.url}/api/status/{request_id}", timeout=30)
    again = requests.get(first.url, headers={"If-None-Match": first.headers["ETag"]}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")


def test_workers_give_way_to_the_web_server(stack: Stack) -> None:
    """Workers run at a lower priority, so that polls stay fast; the pool's own process does not."""
    workers = sorted(process.nice() for process in stack.children("-m imgproc worker"))
    assert workers == [0, *[5] * (stack.settings().worker_processes + 1)]  # and that of the deliveries
    assert {process.nice() for process in stack.children("gunicorn")} == {0}


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session")
def test_workers_give_way_to_other_sessions(stack: Stack) -> None:
    """Their session has a lower priority than the others, because `nice` counts within a session only."""
    assert {_session_niceness(process) for process in stack.children("-m imgproc worker")} == {"8"}
    for name in ("gunicorn", "valkey", "rclone"):
        assert {_session_niceness(process) for process in stack.children(name)} == {"0"}


def _session_niceness(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/autogroup").read_text().split()[-1]


def test_accepts_a_hundred_thousand_rows_in_bounded_memory(stack: Stack) -> None:
    """The web process grows by less than 100 MB, and cancelling ends the request with every row in the output."""
    rows = "".join(f'{row}.,SKU {row},"http://127.0.0.1:1/{row}.jpg"\n' for row in range(1, 100_001))
    (web,) = [process for process in stack.children("gunicorn") if "gunicorn" in " ".join(process.parent().cmdline())]
    before = web.memory_info().rss
    with highest_rss(web) as sizes:
        request_id = stack.submit(f"S. No.,Product Name,Input Image Urls\n{rows}")["requestId"]
    assert max(sizes) - before < 100 * MIB
    assert requests.post(f"{stack.url}/api/requests/{request_id}/cancel", timeout=60).status_code == 202
    status = stack.wait(request_id)
    assert status["status"] == "cancelled"
    output = requests.get(status["outputCsvUrl"], timeout=60).text
    assert output.count("\r\n") == 100_001


def test_the_data_is_there_after_a_restart(tmp_path: Path) -> None:
    """A second start on the same folder finds the request, and its public URLs still work."""
    with serve_site(PICTURES) as site, running_stack(tmp_path / "var") as first:
        request_id = first.submit(catalogue_csv(f"{site.url}/pictures"))["requestId"]
        status = first.wait(request_id)
        port = first.environ["PORT"]
    with running_stack(tmp_path / "var", PORT=port) as second:
        assert second.status(request_id) == status
        wait_until(lambda: requests.get(status["outputCsvUrl"], timeout=30).status_code == 200)
