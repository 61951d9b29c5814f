"""Uploads that try to exhaust a web process: each is refused cheaply and leaves no file; other calls are served."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask, current_app

from imgproc.api import bodies, uploads
from imgproc.core.errors import StorageUnavailable
from imgproc.db.transitions import actions, reservations
from imgproc.journey import accept
from imgproc.journey.services import Services, services
from tests.integration.api.answers import UNKNOWN, AppFactory, problem, unavailable
from tests.integration.driver import at_once, configure, drain, pass_time, post, submit, the_app, upload
from tests.support.csv_files import csv_of

MIB = 1024 * 1024
CSV = csv_of("https://shop.example/1.jpg")
HEADER = "S. No.,Product Name,Input Image Urls"
FORM = "multipart/form-data; boundary=x"
URL_ENCODED = "application/x-www-form-urlencoded"

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


class Pieces(io.RawIOBase):
    """A body produced piece by piece as it is read, never whole in memory."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        """The body can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the next piece."""
        self._rest = self._rest or next(self._pieces, b"")
        found, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)


def part(headers: str, content: str = "") -> bytes:
    """One part of a form."""
    return f"--x\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}\r\n".encode()


def repeated(piece: bytes, size: int) -> Iterator[bytes]:
    """Pieces with this many bytes in total."""
    block = piece * max(1, 65536 // len(piece))
    return repeat(block, size // len(block))


FILE = part('name="file"; filename="a.csv"', CSV)
FIELD = b'--x\r\nContent-Disposition: form-data; name="quality"\r\n\r\n'
Body = tuple[str, Callable[[], Iterator[bytes]], int, str]
BODIES: dict[str, Body] = {
    "100,000 fields": (FORM, lambda: repeated(part('name="a"', "b"), 6 * MIB), 413, "file_too_large"),
    "100,000 files": (FORM, lambda: repeated(part('name="a"; filename="a"', "b"), 6 * MIB), 422, "invalid_option"),
    "three files": (FORM, lambda: iter([FILE * 3, b"--x--"]), 422, "invalid_option"),
    "a large field": (FORM, lambda: chain([FIELD], repeated(b"1", 100 * MIB)), 413, "file_too_large"),
    "a large header of a part": (FORM, lambda: chain([b"--x\r\nA: "], repeated(b"b", 10 * MIB)), 413, "file_too_large"),
    "many headers of a part": (
        FORM,
        lambda: chain([b"--x\r\n"], repeated(b"A: b\r\n", 10 * MIB)),
        413,
        "file_too_large",
    ),
    "blank lines before the first part": (FORM, lambda: repeated(b"\r\n", 10 * MIB), 413, "file_too_large"),
    "a large URL-encoded form": (URL_ENCODED, lambda: repeated(b"a&", 100 * MIB), 413, "file_too_large"),
    "a large URL-encoded value": (
        URL_ENCODED,
        lambda: chain([b"a="], repeated(b"%ff", 100 * MIB)),
        413,
        "file_too_large",
    ),
    "5,000 URL-encoded fields": (URL_ENCODED, lambda: iter([b"a&" * 5000]), 413, "file_too_large"),
    "a large bare file": ("text/csv", lambda: repeated(b"1,", 102 * MIB), 413, "file_too_large"),
    "a URL-encoded file": (URL_ENCODED, lambda: iter([b"file=a"]), 400, "missing_file"),
    "unclosed JSON": ("application/json", lambda: repeated(b"[", 10 * MIB), 400, "missing_file"),
}


def open_files() -> int:
    """The number of deleted temporary files that this process holds open."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if os.path.lexists(link)]
    return sum(link.endswith("(deleted)") for link in links)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@on_one_database
@pytest.mark.parametrize("path", ["/api/upload", "/api/validate"])
@pytest.mark.parametrize("name", BODIES)
def test_refuses_a_body_made_to_exhaust_us(name: str, path: str) -> None:
    """The refusal takes the memory of a few blocks and leaves no temporary file open."""
    content_type, make, status, code = BODIES[name]
    before = open_files()
    tracemalloc.start()
    response = send(path, make(), content_type)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    problem(response, status, code)
    assert peak < 8 * MIB
    assert open_files() == before


def send(
    path: str, pieces: Iterator[bytes], content_type: str = FORM, *, app: Flask | None = None, address: str = "::1"
) -> Any:
    """Post a chunked body of these pieces; the test client makes no temporary file for it."""
    headers = {"CONTENT_TYPE": content_type, "HTTP_TRANSFER_ENCODING": "chunked", "REMOTE_ADDR": address}
    environ = {"wsgi.input": Pieces(pieces), "wsgi.input_terminated": True, **headers}
    return (app or current_app).test_client().post(path, environ_overrides=environ)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@on_one_database
@pytest.mark.parametrize("error", [ConnectionResetError(errno.ECONNRESET, "gone"), OSError("gone"), EOFError()])
def test_an_aborted_upload_leaves_no_file(error: Exception, make_app: AppFactory) -> None:
    """The temporary file is closed whichever error the server raises."""

    def pieces() -> Iterator[bytes]:
        yield FILE[:-2] + b"\r\nx" * MIB  # more than is kept in memory
        assert open_files() == before + 1
        raise error

    app = make_app()
    app.testing, before = False, open_files()
    assert send("/api/upload", pieces(), app=app).status_code in {400, 500}
    assert open_files() == before


@on_one_database
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE])
def test_a_full_disk_is_answered_with_503(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller may retry, as space may become free."""

    class Full(io.BytesIO):
        """A file on a disk without room."""

        def write(self, _: Any) -> int:
            """Raise the error of a full disk."""
            raise OSError(number, "full")

    monkeypatch.setattr(bodies, "default_stream_factory", lambda *_: Full())
    unavailable(upload(CSV), "out_of_resources")


@on_one_database
@pytest.mark.parametrize(
    "value", ["1e999999999", "1" * 5000, "1" * 200_000, "-" * 200_000, "e" * 5000, "1e" * 50, "NaN"]
)
@pytest.mark.parametrize("name", ["quality", "scale"])
def test_refuses_a_huge_number_by_name(name: str, value: str) -> None:
    """422 names the option, and the detail stays short."""
    body = problem(upload(CSV, **cast("dict[str, Any]", {name: value})), 422, "invalid_option")
    assert body["errors"][0]["option"] == name
    assert len(body["detail"]) < 200


@on_one_database
def test_refuses_a_wide_file_at_once() -> None:
    """The error has the line, the count and the remedy; validation reports the same error."""
    wide = HEADER + ",x" * 9_997 + "\n1,Mug,https://shop.example/1.jpg" + ",y" * 9_997 + "\n"
    tracemalloc.start()
    body = problem(upload(wide), 422, "invalid_csv")
    assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    tracemalloc.stop()
    (fault,) = body["errors"]
    assert (fault["line"], fault["code"]) == (1, "too_many_columns")
    assert "line 1 has 10,000 columns, more than the 1,000 allowed: remove" in fault["detail"]
    assert validate(wide)["errors"] == [fault]


def validate(csv: str, **options: str) -> Any:
    """Validate a file; the JSON of the answer."""
    form = {"file": (io.BytesIO(csv.encode()), "a.csv"), **options}
    return current_app.test_client().post("/api/validate", data=form).json


@on_one_database
def test_stops_reading_a_file_that_is_refused_anyway() -> None:
    """Reading stops at a hundred errors; where bad rows are skipped, all are counted."""
    csv = csv_of("https://shop.example/1.jpg") + "\n" + "x\n" * 5000
    body = problem(upload(csv), 422, "invalid_csv")
    assert (len(body["errors"]), body["errorsTruncated"]) == (100, True)
    found = validate(csv)
    assert (found["valid"], len(found["errors"]), found["errorsTruncated"]) == (False, 100, True)
    assert found["counts"]["rows"] < 110
    assert validate(csv, invalidRows="skip")["counts"]["rows"] == 5001
    assert upload(csv, invalidRows="skip").json["counts"]["skippedRows"] == 5000


def test_limits_the_open_bytes_of_an_owner() -> None:
    """429 names the remedy; requests that were cancelled or deleted do not count."""
    configure(max_open_bytes=2 * len(CSV))
    first, second = submit(CSV), submit(CSV)
    over = upload(CSV)
    body = problem(over, 429, "quota_exceeded")
    assert "wait until some requests have ended, or cancel some" in body["detail"]
    assert int(over.headers["Retry-After"]) > 0
    assert actions.cancel(first)
    drain(first)
    third = submit(CSV)
    assert current_app.test_client().delete(f"/api/requests/{second}").status_code == 204
    submit(CSV)
    assert upload(CSV).status_code == 429
    assert len({first, second, third}) == 3


def test_a_retry_counts_the_bytes_of_its_file() -> None:
    """Otherwise a caller could restart ended requests without limit."""
    configure(max_open_bytes=2 * len(CSV))
    ended = submit(CSV)
    assert actions.cancel(ended)
    drain(ended)
    running = [submit(CSV), submit(CSV)]
    problem(post(f"/api/requests/{ended}/retry"), 429, "quota_exceeded")
    assert actions.cancel(running[0])
    drain(running[0])
    assert post(f"/api/requests/{ended}/retry").status_code == 202


def test_concurrent_uploads_share_the_byte_limit() -> None:
    """Uploads that are still being stored count too: of eight at once, only those that find room are accepted."""
    configure(max_open_bytes=2 * len(CSV))
    app = the_app()

    def one() -> int:
        form = {"file": (io.BytesIO(CSV.encode()), "a.csv")}
        return int(app.test_client().post("/api/upload", data=form).status_code)

    answers = at_once(*[one] * 8)
    assert set(answers) == {202, 429}
    assert 2 <= answers.count(202) <= 4


def test_a_reservation_counts_until_its_upload_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that fail in an outage of the object store use up no bytes of their owner."""
    configure(max_open_bytes=len(CSV))
    common: dict[str, Any] = {"filename": "a.csv", "input_key": "a", "options": {}, "fingerprint": ""}
    assert reservations.reserve(id=UNKNOWN, input_bytes=len(CSV), max_open_bytes=len(CSV), **common)
    assert upload(CSV).status_code == 429
    reservations.withdraw(UNKNOWN)
    pass_time(1)

    def fail(*_: Any) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(type(services().store), "put_input", fail)
        for _ in range(3):
            unavailable(upload(CSV), "storage_unavailable")
            pass_time(1)
    assert upload(CSV).status_code == 202


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Make the reading of large files block until the test ends; the semaphore counts the readers."""
    begun, go_on = threading.Semaphore(0), threading.Event()
    inspect = accept.inspect

    def slowly(services: Services, given: accept.Upload) -> Any:
        if given.size > uploads.SMALL_FILE:
            begun.release()
            assert go_on.wait(60)
        return inspect(services, given)

    monkeypatch.setattr(accept, "inspect", slowly)
    monkeypatch.setattr(uploads, "PATIENCE", 0.1)
    yield begun
    go_on.set()


@on_one_database
@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"MAX_SCANS": "2", "WEB_THREADS": "8"}, id="scans"),
        pytest.param({"MAX_SCANS": "8", "WEB_THREADS": "4"}, id="threads"),
    ],
)
def test_large_files_leave_room_for_other_calls(
    make_app: AppFactory, stuck: threading.Semaphore, limits: dict[str, str]
) -> None:
    """A large file over its caller's share or over the total is refused; small files and reads are served."""
    app = make_app(**limits)
    large = CSV + "\n" * (uploads.SMALL_FILE + 1)

    def send_file(content: str, address: str) -> Any:
        body = part('name="file"; filename="a.csv"', content) + b"--x--"
        return send("/api/upload", iter([body]), app=app, address=address)

    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda address=f"198.51.100.{n}": answers.append(send_file(large, address)))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
        assert stuck.acquire(timeout=30)
    own = send_file(large, "198.51.100.0")
    problem(own, 429, "too_many_uploads")
    assert int(own.headers["Retry-After"]) > 0
    unavailable(send_file(large, "198.51.100.9"), "server_busy")
    assert send_file(CSV, "198.51.100.0").status_code == 202
    for path in ("/healthz", "/api/requests"):
        assert app.test_client().get(path).status_code == 200


MEMORY = """
import io, sys
from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.core.process import limit_memory
from imgproc.journey import accept
app = create_app(load_settings({environ!r}))
read = accept.inspect
def greedy(services, upload):
    hoard = bytearray(10**9)
    return read(services, upload)
def post():
    return app.test_client().post("/api/upload", data={{"file": (io.BytesIO({csv!r}), "a.csv")}})
limit_memory(600 * 1024 * 1024)
assert post().status_code == 202, post().text
accept.inspect = greedy
answer = post()
assert (answer.status_code, answer.json["code"]) == (503, "out_of_memory"), answer.text
assert answer.headers["Retry-After"]
assert app.test_client().get("/healthz").status_code == 200
accept.inspect = read
assert post().status_code == 202
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts mapped memory in RLIMIT_DATA")
@on_one_database
def test_a_call_over_the_memory_limit_gets_503_and_the_process_survives(
    make_app: AppFactory, environ: dict[str, str], tmp_path: Path
) -> None:
    """It runs in its own process, under the limit that gunicorn's workers set."""
    make_app()  # creates the tables
    code = MEMORY.format(environ=environ | {"DATA_DIR": str(tmp_path)}, csv=CSV.encode())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
