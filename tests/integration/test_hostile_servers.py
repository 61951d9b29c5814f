"""A hostile server does not block a download slot: the next download succeeds, and no socket or thread is left."""

from __future__ import annotations

import gc
import gzip
import ipaddress
import os
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from imgproc.core.errors import DownloadError
from imgproc.pipeline.download import Downloader
from tests.support.hostile_servers import (
    Behaviour,
    Server,
    answer,
    answer_then_drip,
    answer_then_flood,
    answer_then_reset,
    failure_over_tls,
    keep_alive,
    never_answer,
    read_request,
    self_signed,
    serving,
)

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024


def hang_up(_connection: socket.socket, _server: Server) -> None:
    """Accept, then close."""


def reset_at_once(connection: socket.socket, _server: Server) -> None:
    """Accept, then reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def redirect_slowly(connection: socket.socket, server: Server) -> None:
    """Redirect within the deadline; three hops exceed it."""
    while read_request(connection):
        server.stopped.wait(0.25)
        connection.sendall(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n")


def _packed(layers: int, size: int) -> bytes:
    body = bytes(size)
    for _ in range(layers):
        body = gzip.compress(body)
    return body


def _encoded(coding: str, body: bytes) -> Behaviour:
    return answer(OK, f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body)


LATE = {"timeout", "too_slow", "http_404"}  # what becomes of a download whose time is over
HOSTILE: dict[str, tuple[Behaviour, set[str]]] = {
    "accepts and is silent": (never_answer, {"timeout"}),
    "accepts and hangs up": (hang_up, {"connect_failed"}),
    "accepts and resets": (reset_at_once, {"connect_failed"}),
    "drips its status": (answer_then_drip(b"", b"H"), {"timeout"}),
    "drips a header": (answer_then_drip(OK, b"A"), {"timeout"}),
    "drips headers": (answer_then_drip(OK, b"A: b\r\n"), {"timeout", "connect_failed"}),
    "drips its body": (answer_then_drip(OK + b"Content-Length: 90000\r\n\r\n", b"x"), {"too_slow"}),
    "drips a chunk's size": (answer_then_drip(CHUNKED, b"0"), {"too_slow"}),
    "drips an error page": (answer_then_drip(b"HTTP/1.1 404 No\r\nContent-Length: 9999\r\n\r\n", b"x"), {"http_404"}),
    "redirects slowly": (redirect_slowly, {"timeout"}),
    "floods": (answer_then_flood(OK + b"\r\n", bytes(MIB)), {"file_too_large"}),
    "floods its headers": (answer_then_flood(OK, b"A: " + b"b" * 60_000 + b"\r\n"), {"connect_failed"}),
    "floods 100 Continue": (answer_then_flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), {"timeout"}),
    "floods its redirect": (
        answer_then_flood(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", bytes(65_536)),
        {"too_many_redirects"},
    ),
    "announces 1 byte and sends more": (answer(OK, b"Content-Length: 1\r\n\r\n", bytes(MIB)), set()),
    "announces 9 EiB": (answer(OK, b"Content-Length: 9999999999999999999\r\n\r\n"), {"file_too_large"}),
    "announces a negative length": (answer(OK, b"Content-Length: -5\r\n\r\nx"), set()),
    "announces a length that is not a number": (answer(OK, b"Content-Length: many\r\n\r\nx"), set()),
    "announces two lengths": (answer(OK, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), {"connect_failed"}),
    "announces a length and chunks": (
        answer(OK, b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        set(),
    ),
    "stops halfway": (answer(OK, b"Content-Length: 9\r\n\r\nhalf"), {"truncated_image"}),
    "resets halfway": (answer_then_reset(OK + b"Content-Length: 90000\r\n\r\nhalf"), {"connect_failed"}),
    "10,000 headers": (answer(OK, b"A: b\r\n" * 10_000, b"\r\n"), {"connect_failed"}),
    "a header of 1 MiB": (answer(OK, b"A: " + b"b" * MIB + b"\r\n\r\n"), {"connect_failed"}),
    # Servers do not compress an image more than once: the body is kept as it came, and is not an image.
    "64 MiB in gzip in gzip in gzip": (_encoded("gzip, gzip, gzip", _packed(3, 2**26)), set()),
    "gzip that unpacks to 64 MiB": (_encoded("gzip", _packed(1, 2**26)), {"file_too_large"}),
    "deflate that unpacks to 64 MiB": (_encoded("deflate", zlib.compress(bytes(2**26))), {"file_too_large"}),
    "100 encodings": (_encoded(", ".join(["gzip"] * 100), _packed(1, 9)), set()),
    "gzip with trailing garbage": (_encoded("gzip", _packed(1, 9) + b"garbage"), set()),
    "HTTP/0.9": (answer(b"<html>hello</html>"), {"connect_failed"}),
    "noise": (answer(bytes(range(256)) * 300), {"connect_failed"}),
    "HTTP/9.9": (answer(b"HTTP/9.9 200 OK\r\n\r\nx"), {"connect_failed"}),
    "a status of four digits": (answer(b"HTTP/1.1 2000 OK\r\n\r\nx"), {"connect_failed"}),
    "a redirect to nowhere": (answer(b"HTTP/1.1 302 Found\r\nLocation:\r\n\r\n"), {"http_302"}),
    "a redirect loop": (
        answer(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: ?again\r\n\r\n"),
        {"too_many_redirects"},
    ),
}


@contextmanager
def _downloader(seconds: float) -> Iterator[Downloader]:
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=seconds, max_bytes=100_000, pool_size=2)
    yield downloader
    downloader.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[Downloader]:
    """A downloader with a short timeout and two connections, shared by the cases that wait for it."""
    with _downloader(0.6) as downloader:
        yield downloader


@pytest.fixture(scope="module")
def patient() -> Iterator[Downloader]:
    """The same with a long timeout, which no case reaches on a busy machine, either."""
    with _downloader(20) as downloader:
        yield downloader


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough


@pytest.mark.parametrize("name", HOSTILE)
def test_the_slot_is_free_after_a_hostile_server(hasty: Downloader, patient: Downloader, name: str) -> None:
    """The download ends with an error code or with bytes; then another server is served at once."""
    behaviour, codes = HOSTILE[name]
    downloader = hasty if codes & LATE else patient
    with serving(keep_alive) as honest:
        downloader.download(honest.url)
        threads, descriptors = threading.active_count(), _descriptors()
        server = Server(behaviour)
        if codes:
            with pytest.raises(DownloadError) as caught:
                raise downloader.download(server.url).doubt or AssertionError("downloaded without doubt")
            assert caught.value.code in codes
            assert caught.value.detail.endswith(".")
        else:
            with suppress(DownloadError):
                downloader.download(server.url)
        server.stop()
        assert downloader.download(honest.url).body == b"ok"
        assert honest.connections == 1
    assert threading.active_count() <= threads
    assert _descriptors() <= descriptors + 1  # one connection to the hostile host may wait in the pool


# -- TLS ----------------------------------------------------------------------------------------------------------


def _old(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("certificate", "change"),
    [
        pytest.param({"name": "other.example"}, None, id="for another name"),
        pytest.param({"name": "127.0.0.2"}, None, id="for another address"),
        pytest.param({"days": -1}, None, id="expired"),
        pytest.param({}, _old, id="TLS 1.0"),
    ],
)
def test_refuses_invalid_tls(
    tmp_path: Path, certificate: dict[str, Any], change: Callable[[ssl.SSLContext], None] | None
) -> None:
    """The connection is refused even where the issuer is trusted."""
    context, trusted = self_signed(tmp_path, **certificate)
    if change:
        change(context)
    assert failure_over_tls(keep_alive, context, trusted, seconds=5) == "tls_failed"


@pytest.mark.parametrize(
    ("behaviour", "codes"),
    [
        pytest.param(never_answer, {"timeout"}, id="silence"),
        pytest.param(answer_then_drip(b"", b"\x16"), {"timeout", "tls_failed"}, id="dripped"),
        pytest.param(hang_up, {"tls_failed", "connect_failed"}, id="hung up"),
        pytest.param(reset_at_once, {"tls_failed", "connect_failed"}, id="reset"),
        pytest.param(answer_then_flood(b"", bytes(65536)), {"tls_failed", "connect_failed", "timeout"}, id="noise"),
    ],
)
# Python's ssl module leaves a connection that is reset before the handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_failed_handshake_has_a_code(hasty: Downloader, behaviour: Behaviour, codes: set[str]) -> None:
    """It ends by the deadline."""
    with serving(behaviour) as server, pytest.raises(DownloadError) as caught:
        hasty.download(server.url.replace("http:", "https:"))
    assert caught.value.code in codes
    del caught
    gc.collect()
