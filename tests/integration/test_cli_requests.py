"""The commands about requests, through the real binary, against one running stack."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from rich.cells import cell_len

from tests.support import preloaded
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost, open_image_host
from tests.support.processes import wait_until
from tests.support.stack import ROOT, Stack, running_stack
from tests.support.terminals import Terminal, start_on_terminal

UNKNOWN = "00000000-0000-4000-8000-000000000000"
UUID = r"[0-9a-f-]{36}"
HEADER = "S. No.,Product Name,Input Image Urls\n"


class Shop(NamedTuple):
    """A running stack, the host of its images, and the environment of a shell beside it."""

    stack: Stack
    host: ImageHost
    environ: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `imgproc` without a terminal."""
        return preloaded.run(["-m", "imgproc", *arguments], environ=self.environ)

    def start(self, *arguments: str, columns: int = 100) -> Terminal:
        """Start `imgproc` on a terminal."""
        return start_on_terminal(*arguments, environ=self.environ, columns=columns)

    def json(self, *arguments: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def file(self, path: Path, *images: str) -> Path:
        """Write a file whose products have one image each."""
        rows = (f"{number}.,Tasse Größe {number} 赤,{self.host.url}{image}\n" for number, image in enumerate(images, 1))
        path.write_text(HEADER + "".join(rows))
        return path

    def submit(self, file: Path, *options: str) -> str:
        """Submit a file and wait for its end; the id."""
        return self.run("submit", str(file), "--wait", *options).stdout.splitlines()[0]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The stack."""
    folder = tmp_path_factory.mktemp("shop")
    with open_image_host() as host, running_stack(folder / "var") as stack:
        yield Shop(stack, host, {**os.environ, "DATA_DIR": str(folder / "var")})


@pytest.fixture
def good(shop: Shop, tmp_path: Path) -> Path:
    """A file of two images."""
    return shop.file(tmp_path / "Frühling 赤.csv", "/astronaut.jpg", "/chelsea.jpg")


@pytest.fixture
def partly(shop: Shop, tmp_path: Path) -> Path:
    """A file of an image, and of a URL without one."""
    return shop.file(tmp_path / "partly.csv", "/astronaut.jpg", "/none.jpg")


def test_submit_prints_the_id_alone(shop: Shop, good: Path) -> None:
    """So that `id=$(imgproc submit FILE)` works."""
    submitted = shop.run("submit", str(good))
    assert re.fullmatch(UUID + "\n", submitted.stdout)
    assert (submitted.returncode, submitted.stderr) == (0, "")


def test_submit_saves_the_output(shop: Shop, good: Path, tmp_path: Path) -> None:
    """`--output` waits for the end; the file is that of the API."""
    out = tmp_path / "out.csv"
    submitted = shop.run("submit", str(good), "--output", str(out), "--format", "webp")
    request_id = submitted.stdout.splitlines()[0]
    assert submitted.returncode == 0, submitted.stderr
    assert "completed: 2 of 2 images, 0 failed" in submitted.stdout
    header, *rows = out.read_text().splitlines()
    assert header == HEADER.strip() + ",Output Image Urls"
    assert all(row.endswith(".webp") for row in rows)
    assert shop.run("download", request_id, "--output", "-").stdout == out.read_bytes().decode()


def test_standard_input_to_standard_output(shop: Shop, good: Path) -> None:
    """Standard output has the output CSV alone, so that commands can be joined by pipes."""
    command = [sys.executable, "-m", "imgproc", "submit", "-", "--filename", "a.csv", "--output", "-"]
    joined = subprocess.run(
        command, input=good.read_bytes(), env=shop.environ, cwd=ROOT, capture_output=True, check=True
    )
    assert joined.stdout.decode().splitlines()[0] == HEADER.strip() + ",Output Image Urls"
    assert re.search(UUID, joined.stderr.decode())


def test_the_name_of_a_workbook_asks_for_one(shop: Shop, good: Path, tmp_path: Path) -> None:
    """`--output out.xlsx` is enough."""
    out = tmp_path / "out.XLSX"
    assert shop.run("submit", str(good), "-o", str(out)).returncode == 0
    assert out.read_bytes().startswith(b"PK")


@pytest.mark.parametrize(
    ("name", "said"),
    [("there.csv", "exists; give --force"), ("folder", "is a folder"), ("no/such/out.csv", "There is no folder")],
)
def test_submit_refuses_an_output_before_it_uploads(
    shop: Shop, good: Path, tmp_path: Path, name: str, said: str
) -> None:
    """Hours of work must not end with a file that cannot be written."""
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "folder").mkdir()
    newest = shop.json("list", "--limit", "1")
    refused = shop.run("submit", str(good), "-o", str(tmp_path / name))
    assert (refused.returncode, said in refused.stderr) == (1, True)
    assert shop.json("list", "--limit", "1") == newest
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_force_replaces_the_output(shop: Shop, good: Path, tmp_path: Path) -> None:
    """Nothing else is left in the folder."""
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert shop.run("submit", str(good), "-o", str(out), "--force").returncode == 0
    assert out.read_text().startswith(HEADER.strip())
    assert {each.name for each in tmp_path.iterdir()} == {good.name, "out.csv"}


def test_some_failed_images_have_an_exit_status_of_their_own(shop: Shop, partly: Path, tmp_path: Path) -> None:
    """The output is saved all the same, with an empty place for what failed."""
    out = tmp_path / "out.csv"
    submitted = shop.run("submit", str(partly), "-o", str(out))
    assert submitted.returncode == 5
    assert "completed_with_errors: 1 of 2 images, 1 failed" in submitted.stdout
    assert "completed_with_errors: 1 of 2 images, 1 failed" in submitted.stderr, "the progress counts as the result"
    assert out.read_text().splitlines()[2].endswith(",")
    (why,) = re.findall("imgproc (products .*)", submitted.stderr)
    assert "http_404" in shop.run(*why.split()).stdout


def test_json_has_one_document(shop: Shop, partly: Path) -> None:
    """That of the upload, or of the end where it was waited for."""
    accepted = shop.json("submit", str(partly))
    ended = shop.json("submit", str(partly), "--wait")
    assert (accepted["status"], accepted["counts"]["images"]) == ("pending", 2)
    assert (ended["status"], ended["progress"]["images"]["failed"]) == ("completed_with_errors", 1)


def test_the_same_idempotency_key_gives_the_first_request(shop: Shop, good: Path) -> None:
    """A script that starts again uploads nothing twice."""
    first, second = (shop.run("submit", str(good), "--idempotency-key", "order 4711").stdout for _ in range(2))
    assert first == second


def test_validate_shows_how_a_file_is_read(shop: Shop, tmp_path: Path) -> None:
    """Its exit status is that of the upload; nothing is stored."""
    file = tmp_path / "odd.csv"
    file.write_text("Spring;;\nSKU;Titel;Bild\n1;Tasse;http://a.example/1.jpg\n2;;http://a.example/2.jpg\n")
    found = shop.run("validate", str(file))
    assert found.returncode == 1
    assert "header in line 2" in found.stdout
    assert "image URLs: Bild" in found.stdout
    assert "error, line 4, " in found.stdout
    assert shop.run("validate", str(file), "--invalid-rows", "skip").returncode == 0
    assert shop.json("validate", str(file))["errors"][0]["line"] == 4


def test_remarks_of_the_reader_are_on_standard_error(shop: Shop, tmp_path: Path) -> None:
    """What was skipped is never silent."""
    file = tmp_path / "odd.csv"
    file.write_text(f"{HEADER}1.,Mug,{shop.host.url}/astronaut.jpg\n2.,,{shop.host.url}/chelsea.jpg\n")
    submitted = shop.run("submit", str(file), "--invalid-rows", "skip")
    assert re.fullmatch(UUID + "\n", submitted.stdout)
    assert "skipped, line 3, Product Name: " in submitted.stderr


def test_products_say_where_images_are_and_why_they_failed(shop: Shop, partly: Path) -> None:
    """A line for each image, whole and separated by tabs where there is no terminal."""
    request_id = shop.submit(partly)
    (_, done), (_, failed) = (row.rsplit("\t", 1) for row in shop.run("products", request_id).stdout.splitlines())
    assert done.startswith(f"{shop.stack.url}/outputs/{request_id}/")
    assert failed.startswith("http_404: ")
    only = shop.run("products", request_id, "--status", "failed", "--limit", "5").stdout.splitlines()
    assert [line.split("\t")[:5] for line in only] == [["3", "2.", "Tasse Größe 2 赤", "1", "failed"]]
    assert [len(product["images"]) for product in shop.json("products", request_id)] == [1, 1]


def test_retry_waits_for_its_end(shop: Shop, tmp_path: Path) -> None:
    """An image that exists by now completes the request."""
    path = shop.host.says("/late.jpg", Answer(404))[len(shop.host.url) :]
    request_id = shop.submit(shop.file(tmp_path / "late.csv", path))
    shop.host.script.pop(path)
    shop.host.script[path] = [shop.host.answer("/astronaut.jpg")]
    assert "failed with that code" in shop.run("retry", request_id, "--code", "http_500").stderr
    retried = shop.run("retry", request_id, "--wait", "--code", "http_404", "--host", shop.host.url.partition("//")[2])
    assert (retried.returncode, "completed: 1 of 1 images" in retried.stdout) == (0, True)
    assert "nothing to retry" in shop.run("retry", request_id).stderr


def test_webhooks_are_listed_and_sent_again(shop: Shop, good: Path) -> None:
    """Without an id it is the newest."""
    hook = shop.host.says("/hook", Answer(204))
    request_id = shop.submit(good, "--webhook-url", hook)
    wait_until(lambda: shop.json("deliveries", request_id)[0]["status"] == "delivered")
    line = shop.run("deliveries", request_id).stdout
    assert re.match(rf"{UUID}\tdelivered\t.*\t1\t204 after \d+ ms\n", line)
    received = len(shop.host.announcements)
    assert shop.run("redeliver", request_id).returncode == 0
    wait_until(lambda: len(shop.host.announcements) > received)
    assert "no delivery with this id" in shop.run("redeliver", request_id, UNKNOWN).stderr


def test_a_receiver_is_tested(shop: Shop) -> None:
    """The exit status tells a script whether the test arrived."""
    good, bad = shop.host.says("/hook", Answer(204)), shop.host.says("/closed", Answer(404))
    arrived, refused = shop.run("webhook-test", good), shop.run("webhook-test", bad)
    assert (arrived.returncode, refused.returncode) == (0, 1)
    assert re.fullmatch(r"Arrived: HTTP 204 after \d+ ms\.\n", arrived.stdout)
    assert re.match(r"Did not arrive: HTTP 404 after \d+ ms\.\n.+", refused.stdout)
    assert shop.json("webhook-test", good)["request"]["headers"]["webhook-id"]
    assert shop.run("webhook-test", "ftp://example.com/").returncode == 1


def test_redeliver_without_a_webhook_says_so(shop: Shop, good: Path) -> None:
    """There is nothing to send."""
    refused = shop.run("redeliver", shop.submit(good))
    assert (refused.returncode, "no webhook to send again" in refused.stderr) == (1, True)


def test_download_names_the_file_after_the_upload(shop: Shop, partly: Path, tmp_path: Path) -> None:
    """The path is on standard output; a file that exists is not replaced."""
    request_id = shop.submit(partly)
    command = [sys.executable, "-m", "imgproc", "download", request_id]
    environ = shop.environ | {"PYTHONPATH": str(ROOT)}
    saved = [
        subprocess.run([*command, *more], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        for more in ([], [], ["--failed"])
    ]
    assert [each.stdout for each in saved] == ["partly-output.csv\n", "", "partly-failed.csv\n"]
    assert [each.returncode for each in saved] == [0, 1, 0]
    assert (tmp_path / "partly-failed.csv").read_text().splitlines()[0] == HEADER.strip() + ",Error"


def test_delete_asks_first(shop: Shop, good: Path) -> None:
    """Without a terminal it needs --yes."""
    request_id = shop.submit(good)
    unasked = shop.run("delete", request_id)
    assert (unasked.returncode, "give --yes" in unasked.stderr) == (2, True)
    asked = shop.start("delete", request_id)
    assert "Frühling 赤.csv with its 2 images" in asked.read_until("[y/N]")
    asked.type("n\n")
    assert asked.finish()[0] == 1
    interrupted = shop.start("delete", request_id)
    interrupted.read_until("[y/N]")
    # Python acts on a signal that comes just before it begins to read only once something is typed.
    wait_until(lambda: psutil.Process(interrupted.process.pid).status() == psutil.STATUS_SLEEPING)
    interrupted.process.send_signal(signal.SIGINT)
    assert interrupted.finish()[0] == 130
    assert shop.run("status", request_id).returncode == 0
    assert shop.run("delete", request_id, "--yes").stdout == "Deleted.\n"
    assert shop.run("status", request_id).returncode == 1


def test_lists_fit_a_terminal(shop: Shop, good: Path) -> None:
    """They have headings and are cut to its width, in columns of the terminal and not in characters."""
    request_id = shop.submit(good)
    status, shown = shop.start("products", request_id, columns=60).finish()
    heading, *lines = shown.splitlines()
    assert (status, heading.split()) == (0, ["LINE", "SERIAL", "PRODUCT", "IMAGE", "STATUS", "RESULT"])
    assert all(line.endswith("…") and cell_len(line) == 60 for line in lines)
    assert "No requests." in shop.start("list", "--status", "cancelled").finish()[1]


@pytest.mark.parametrize("columns", [20, 40, 100])
def test_progress_fits_a_terminal(shop: Shop, good: Path, columns: int) -> None:
    """The line is redrawn in its place, so it never wraps."""
    status, shown = shop.start("submit", str(good), "--wait", columns=columns).finish()
    drawn = re.findall(r"\x1b\[2K([^\r\n]*)", shown)
    assert status == 0
    assert "2 of 2 images"[: columns - 1] in "".join(drawn)
    assert max(cell_len(re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", line)) for line in drawn) <= columns


def test_ctrl_c_leaves_the_request(shop: Shop, tmp_path: Path) -> None:
    """It says how to come back to it, or how to stop it; then `cancel` stops it."""
    path = shop.host.says("/slow.jpg", Answer(200, delay=3))[len(shop.host.url) :]
    waiting = shop.start("submit", str(shop.file(tmp_path / "slow.csv", *[path] * 40)), "--wait")
    waiting.read_until("0 of 40")
    waiting.process.send_signal(signal.SIGINT)
    status, shown = waiting.finish()
    (request_id,) = set(re.findall(UUID, shown))
    assert (status, f"imgproc status --watch {request_id}" in shown) == (130, True), shown
    assert "Traceback" not in shown
    cancelled = shop.run("cancel", request_id)
    assert (cancelled.returncode, "What is done stays" in cancelled.stdout) == (0, True)
    ended = shop.run("status", request_id, "--watch")
    assert (ended.returncode, ended.stdout.startswith("cancelled: ")) == (1, True)


def test_a_log_gets_few_lines(shop: Shop, tmp_path: Path) -> None:
    """It gets one for each status and each tenth of the images, not one for each poll."""
    file = shop.file(tmp_path / "many.csv", *["/astronaut.jpg"] * 60)
    forced = shop._replace(environ=shop.environ | {"FORCE_COLOR": "1"})  # as services for CI set it
    said = forced.run("submit", str(file), "--wait").stderr.splitlines()
    assert said[-1] == "completed: 60 of 60 images"
    assert len(said) <= 14


def test_check_finds_nothing_wrong_beside_a_running_stack(shop: Shop) -> None:
    """It finds the stack by its data folder. Nothing is left of what it stores."""
    wait_until(lambda: "No sweeper" not in shop.run("check").stdout)  # its first pass may come after the start
    checked = shop.run("check")
    assert checked.returncode == 0, checked.stdout
    assert "wrong" not in checked.stdout
    assert {row["part"] for row in shop.json("check")["findings"]} >= {"database", "redis", "workers", "buckets", "web"}
    objects = Path(shop.environ["DATA_DIR"]) / "objects"
    assert [*objects.rglob("check.txt")] == []


def test_init_beside_a_running_stack_changes_nothing(shop: Shop) -> None:
    """Everything is there."""
    made = shop.run("init")
    assert made.returncode == 0, made.stdout
    assert "up to date" in made.stdout
    assert made.stdout.count("was there") == 2
