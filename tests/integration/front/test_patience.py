"""Slow clients and too many connections: which are cut off or refused, with a patience of 2 seconds instead of 30."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from imgproc.embedded.ports import DEMO_PORTS, free_port, listens
from tests.support import preloaded
from tests.support.processes import wait_until
from tests.support.slow_clients import CSV, HEAD, UPLOAD, get, read_all, status_of_answer
from tests.support.stack import ROOT, Stack, running_stack

MIB = 1024 * 1024
BIG = 30_000_000
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + CSV.encode() + b"\r\n--x--\r\n"
LIMITS = {
    "SLOW_CLIENT_SECONDS": "2",
    "SLOW_CLIENT_RATE": "1000",
    "WEB_CONNECTIONS": "60",
    "MAX_UPLOAD_BYTES": str(2 * MIB),
    "WEB_BODY_BYTES": "1",  # raised to one upload
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with low limits for time, connections and bodies."""
    folder = tmp_path_factory.mktemp("patience") / "var"
    with running_stack(folder, LOG_LEVEL="ERROR", **LIMITS) as running:
        (folder / "objects/outputs/big.csv").write_bytes(b"0" * BIG)
        yield running


class Connect(Protocol):
    """Connects to the stack from a loopback address, and sends these bytes."""

    def __call__(self, sent: bytes = b"", *, source: str = "127.0.0.1") -> socket.socket:
        """The connection."""


@pytest.fixture
def connect(stack: Stack) -> Iterator[Connect]:
    """Connections from an address of loopback, closed after the test."""
    clients: list[socket.socket] = []

    def connected(sent: bytes = b"", *, source: str = "127.0.0.1") -> socket.socket:
        client = socket.socket()
        clients.append(client)
        client.bind((source, 0))
        client.settimeout(30)
        client.connect(("127.0.0.1", urlsplit(stack.url).port))
        client.sendall(sent)
        return client

    yield connected
    for client in clients:
        client.close()


def problem(answer: bytes) -> tuple[int, str]:
    """The status and the code of a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    found = json.loads(body)
    assert head.split()[1].decode() == str(found["status"])
    return found["status"], found["code"]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n\r\n\r\n", id="empty lines"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: loc", id="half a header"),
    ],
)
def test_a_slow_header_is_cut_off(connect: Connect, sent: bytes) -> None:
    """One more byte now and then does not extend the deadline."""
    client = connect(sent)
    client.settimeout(0.2)
    ended = time.monotonic() + 60
    while time.monotonic() < ended:
        try:
            if sent:
                client.send(sent[-1:])
            if client.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    assert time.monotonic() < ended


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000\r\n\r\n--x\r\n", b"Transfer-Encoding: chunked\r\n\r\nfff\r\n--x"]
)
def test_a_slow_body_is_refused(connect: Connect, framing: bytes) -> None:
    """The client gets 408 `too_slow`."""
    client = connect(UPLOAD + framing)
    assert problem(read_all(client)) == (408, "too_slow")


def is_held(stack: Stack, client: socket.socket) -> bool:
    """Whether the web process has this connection."""
    ours = client.getsockname()
    return any(each.raddr == ours for web in stack.children("gunicorn") for each in web.net_connections())


def test_a_slow_reader_is_cut_off(stack: Stack, connect: Connect) -> None:
    """The client does not get the whole answer."""
    client = connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(get(b"/outputs/big.csv"))
    wait_until(lambda: is_held(stack, client))
    wait_until(lambda: not is_held(stack, client), pause=0.2)
    assert len(read_all(client)) < BIG


def test_an_honest_client_on_a_slow_line_succeeds(connect: Connect) -> None:
    """An upload and a download may take far longer than the patience, as both exceed the minimum rate."""
    body = PART.replace(b"\r\n--x--", b"\r\n" * 7_500 + b"\r\n--x--")
    client = connect(UPLOAD + b"Content-Length: %d\r\n\r\n" % len(body))
    for start in range(0, len(body), 1000):
        client.sendall(body[start : start + 1000])
        time.sleep(0.3)
    assert status_of_answer(client) == 202

    reader = connect()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    reader.sendall(get(b"/static/swagger-ui/swagger-ui-bundle.js", b"Connection: close\r\n"))
    received = 0
    while piece := reader.recv(20_000):
        received += len(piece)
        time.sleep(0.06)
    assert received > (ROOT / "imgproc/web/static/swagger-ui/swagger-ui-bundle.js").stat().st_size


def test_too_many_connections_close_those_of_the_busiest_address(connect: Connect) -> None:
    """A client that opens many connections takes no place from other addresses."""
    other = connect(get(b"/healthz"), source="127.2.0.1")
    assert status_of_answer(other) == 200
    greedy: list[socket.socket] = []
    for _ in range(10):  # the other connection would be closed after two seconds without a request
        greedy += [connect(get(b"/healthz")) for _ in range(10)]
        assert status_of_answer(greedy[-1]) == 200
        other.sendall(get(b"/healthz"))
        assert status_of_answer(other) == 200
    assert read_all(greedy[0]).count(b"HTTP/1.1 200") == 1


def test_too_many_bodies_refuse_those_of_the_busiest_address(stack: Stack, connect: Connect) -> None:
    """Unfinished uploads of other addresses succeed, and the disk does not fill."""
    other = connect(UPLOAD + b"Content-Length: %d\r\n\r\n" % len(PART) + PART[:-20], source="127.2.0.2")
    head = UPLOAD + b"Content-Length: %d\r\n\r\n" % (2 * MIB)
    greedy = [connect(head + b"0" * MIB) for _ in range(6)]
    assert problem(read_all(greedy[0])) == (503, "server_busy")
    other.sendall(PART[-20:])
    assert status_of_answer(other) == 202


@pytest.mark.parametrize("chunked", [False, True])
def test_a_too_large_upload_gets_413_while_it_is_sent(stack: Stack, chunked: bool) -> None:
    """The connection is not reset before the client can read the answer."""
    body = (b"0" * 65536 for _ in range(16 * 20)) if chunked else b"0" * 20 * MIB
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = requests.post(f"{stack.url}/api/upload", data=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")


def test_a_too_large_upload_of_a_form_gets_a_page(stack: Stack) -> None:
    """The console's form without JavaScript; the API answers browsers with problems as well."""
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Accept": "text/html,*/*;q=0.8"}
    answers = [
        requests.post(f"{stack.url}{path}", data=b"0" * 20 * MIB, headers=headers, timeout=60)
        for path in ("/", "/api/upload")
    ]
    assert [(answer.status_code, answer.headers["Content-Type"]) for answer in answers] == [
        (413, "text/html; charset=utf-8"),
        (413, "application/problem+json"),
    ]
    assert "<h1>The file is too large</h1>" in answers[0].text


@pytest.mark.parametrize(
    ("length", "status"),
    [
        pytest.param(len(PART), 100, id="an acceptable body"),
        pytest.param(50 * MIB, 413, id="a body that is too large"),
        pytest.param(0, 400, id="no body"),
    ],
)
def test_answers_expect_100_continue_before_the_body(connect: Connect, length: int, status: int) -> None:
    """With `Expect: 100-continue` (RFC 9110, 10.1.1) a client need not send a body that is refused."""
    client = connect(UPLOAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
    assert status_of_answer(client) == status
    if length == len(PART):
        client.sendall(PART)
        assert status_of_answer(client) == 202


def test_a_stop_finishes_open_uploads(stack: Stack, tmp_path: Path) -> None:
    """After SIGTERM no connection is accepted; an upload that has begun is answered, an idle connection is closed."""
    port = free_port(DEMO_PORTS)
    environ = {**os.environ, **stack.environ, "PORT": str(port), "SLOW_CLIENT_SECONDS": "30"}
    with ExitStack() as cleanup:
        log = cleanup.enter_context((tmp_path / "log").open("wb"))
        process = preloaded.start(["-m", "gunicorn", "wsgi:app"], environ=environ, output=log)
        cleanup.callback(process.wait)
        cleanup.callback(process.kill)
        wait_until(lambda: listens(port) and bool(psutil.Process(process.pid).children()))
        idle = cleanup.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        upload = cleanup.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        idle.sendall(get(b"/healthz"))
        assert status_of_answer(idle) == 200
        upload.sendall(UPLOAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(PART))
        assert status_of_answer(upload) == 100  # it has begun
        upload.sendall(PART[:50])
        process.send_signal(signal.SIGTERM)
        assert read_all(idle) == b""
        upload.sendall(PART[50:])
        assert status_of_answer(upload) == 202
        assert process.wait(30) == 0


def test_refuses_headers_that_are_too_large(connect: Connect) -> None:
    """A line of 10 MB and 100,000 lines are refused after 32 KiB."""
    for headers in (b"X-A: " + b"a" * 10 * MIB, b"".join(b"X-%d: a\r\n" % number for number in range(100_000))):
        client = connect()
        with suppress(OSError):
            client.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + headers + b"\r\n\r\n")
        assert problem(read_all(client)) == (431, "headers_too_large")
