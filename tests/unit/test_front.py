"""The HTTP server refuses ambiguous requests, and reads the others in linear time."""

from __future__ import annotations

import errno
import time

import pytest
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer

from imgproc.server.parser import MAX_CHUNK_LINE, Parser

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
RECEIVED = 65536  # bytes at a time


def parse(data: bytes, *, piece: int = RECEIVED) -> Parser:
    """Parse the first request in `data`, which arrives in pieces."""
    parser = Parser(Adjustments(max_request_header_size=32 * 1024))
    start = 0
    while start < len(data) and not parser.completed:
        start += parser.received(data[start : start + piece])
    return parser


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", id="two framings"),
        pytest.param(POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", id="two lengths"),
        pytest.param(POST + b"Content-Length: 3, 3\r\n\r\nabc", id="two lengths in a line"),
        pytest.param(POST + b"Content-Length: +3\r\n\r\nabc", id="a signed length"),
        pytest.param(POST + b"Content-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(POST + b"Content-Length: 0x3\r\n\r\nabc", id="a hexadecimal length"),
        pytest.param(POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", id="a length of 5,000 digits"),
        pytest.param(POST + b"Content-Length : 3\r\n\r\nabc", id="a space before the colon"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", id="two encodings"),
        pytest.param(POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", id="chunked twice"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="another encoding too"),
        pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n", id="another encoding"),
        pytest.param(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", id="an encoding behind a control character"),
        pytest.param(b"POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunked in HTTP/1.0"),
        pytest.param(CHUNKED + b"-1\r\n\r\n", id="a negative chunk"),
        pytest.param(CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", id="a prefixed chunk size"),
        pytest.param(CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", id="a signed chunk size"),
        pytest.param(CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", id="a space after the chunk size"),
        pytest.param(CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", id="a chunk longer than its size"),
        pytest.param(CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n", id="a bare newline in an extension"),
        pytest.param(GET + b"Host: other\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /a HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(GET + b"A: b\r\n c\r\n\r\n", id="a folded header"),
        pytest.param(GET + b"A: b\nC: d\r\n\r\n", id="a bare newline"),
        pytest.param(GET + b"A: b\rC: d\r\n\r\n", id="a bare carriage return"),
        pytest.param(GET + b"A\x00B: c\r\n\r\n", id="a NUL in a name"),
        pytest.param(GET + b": c\r\n\r\n", id="no name"),
        pytest.param(b"GET http://[ HTTP/1.1\r\nHost: h\r\n\r\n", id="an invalid address"),
        pytest.param(b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", id="HTTP/2"),
        pytest.param(b"GET /a\r\nHost: h\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", id="a space in the path"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
    ],
)
@pytest.mark.parametrize("piece", [1, RECEIVED])
def test_refuses_ambiguous_requests(request_: bytes, piece: int) -> None:
    """A proxy in front might read such a request differently (request smuggling)."""
    assert parse(request_, piece=piece).error.code in {400, 501}


def test_names_the_remedy_for_letters_beyond_ascii() -> None:
    """A file name in the query of a bare upload is easily written as it is."""
    error = parse("POST /a?filename=ü.csv HTTP/1.1\r\nHost: h\r\n\r\n".encode()).error
    assert (error.code, "percent-encode them" in error.body) == (400, True)


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        pytest.param(GET + b"\r\n", b"", id="no body"),
        pytest.param(b"\r\n\r\n" + GET + b"\r\n", None, id="empty lines before it"),
        pytest.param(b"GET /a HTTP/1.0\r\n\r\n", b"", id="HTTP/1.0 without a host"),
        pytest.param(POST + b"content-length:3\r\n\r\nabc", b"abc", id="a length"),
        pytest.param(
            POST + b"Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n", b"abc", id="chunks"
        ),
    ],
)
@pytest.mark.parametrize("piece", [1, RECEIVED])
def test_reads_ordinary_requests(request_: bytes, body: bytes | None, piece: int) -> None:
    """The size of the pieces makes no difference."""
    parser = parse(request_, piece=piece)
    assert (parser.completed, parser.error) == (True, None)
    if body is not None:
        assert parser.get_body_stream().read() == body


def test_the_host_in_the_request_line_overrides_the_header() -> None:
    """RFC 9112, 3.2.2 requires this."""
    parser = parse(b"GET http://evil.example/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (parser.headers["HOST"], parser.path) == ("evil.example", "/a")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(CHUNKED + b"3;a=", id="a chunk's size line"),
        pytest.param(CHUNKED + b"0\r\nX: ", id="a trailer"),
        pytest.param(GET + b"X: ", id="a header"),
    ],
)
def test_a_line_without_an_end_is_refused_early(start: bytes) -> None:
    """The line is not buffered, nor searched again for each packet."""
    endless = start + b"a" * 10_000_000
    parser = parse(endless)
    assert parser.error.code in {400, 431}
    assert parser.header_bytes_received + parser.body_bytes_received < len(start) + MAX_CHUNK_LINE + RECEIVED


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"1\r\na\r\n", id="of a byte"),
        pytest.param(b"1;" + b"a" * 1000 + b"\r\na\r\n", id="with an extension"),
    ],
)
def test_small_chunks_take_linear_time(chunk: bytes) -> None:
    """Four times as many bytes take less than eight times the CPU time."""

    def seconds(size: int) -> float:
        body = CHUNKED + chunk * (size // len(chunk)) + b"0\r\n\r\n"
        begun = time.process_time()
        parser = parse(body)
        took = time.process_time() - begun
        assert (parser.completed, parser.error) == (True, None)
        parser.close()
        return took

    once = min(seconds(250_000) for _ in range(3))
    assert min(seconds(1_000_000) for _ in range(2)) < 8 * once


@pytest.mark.parametrize("framing", [b"Content-Length: 3\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3\r\n"])
def test_a_body_is_refused_when_the_disk_is_full(framing: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets 503 rather than a reset connection."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OverflowableBuffer, "append", full)
    parser = parse(POST + framing + b"abc", piece=8)
    assert (parser.completed, parser.error.code) == (True, 503)
