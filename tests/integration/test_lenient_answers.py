"""Answers that browsers cope with: interim ones, wrong lengths, compressions, refused conditions, 202 and 206."""

from __future__ import annotations

import gzip
import ipaddress
import zlib
from collections.abc import Iterator

import pytest

from imgproc.core.errors import DownloadError
from imgproc.pipeline.download import Download, Downloader
from imgproc.pipeline.http.body import Pace
from imgproc.pipeline.http.validators import UNKNOWN, Validators
from tests.support.hostile_servers import Behaviour, answer, answer_then_drip, serving
from tests.support.scripted_server import Script, reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"3\r\npic\r\n4;a=b\r\nture\r\n0\r\n\r\n"
PACKED = gzip.compress(b"picture")
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
KNOWN = Validators('"1"', "")


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    """A downloader that is patient for half a second."""
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=5, max_bytes=100_000, pace=Pace(0.5))
    yield downloader
    downloader.close()


def download(downloader: Downloader, behaviour: Behaviour, known: Validators = UNKNOWN) -> Download:
    """Download from a server of this behaviour."""
    with serving(behaviour) as server:
        return downloader.download(server.url, known=known)


WHOLE: dict[str, Behaviour] = {
    "a hint": answer(HINTS, reply()),
    "20 interim answers": answer(HINTS * 10, b"HTTP/1.1 102 Processing\r\n\r\n" * 10, reply()),
    "100 and 103": answer(b"HTTP/1.1 100 Continue\r\n\r\n", HINTS, reply()),
    "a repeated length": Script(reply(length="7, 7")),
    "a length repeated in two headers": Script(reply(b"picture", "Content-Length: 7")),
    "one byte not announced": answer(reply(length="6")),
    "two bytes not announced": Script(reply(length="5")),
    "no length": answer(OK, b"\r\npicture"),
    "a last chunk without its line": answer(CHUNKED, b"7\r\npicture\r\n0\r\n"),
    "gzip": answer(reply(gzip.compress(b"picture"), "Content-Encoding: gzip")),
    "gzip of two members": answer(reply(gzip.compress(b"pic") + gzip.compress(b"ture"), "Content-Encoding: x-gzip")),
    "gzip in a list": answer(reply(PACKED, "Content-Encoding: aws-chunked, gzip")),
    "gzip and identity": answer(reply(PACKED, "Content-Encoding: gzip, identity")),
    "gzip twice": answer(reply(gzip.compress(PACKED), "Content-Encoding: gzip, gzip")),
    "gzip twice, named once": answer(reply(gzip.compress(PACKED), "Content-Encoding: gzip")),
    "gzip once, named twice": answer(reply(PACKED, "Content-Encoding: gzip", "Content-Encoding: gzip")),
    "gzip that is not named": answer(reply(PACKED)),
    "gzip as a transfer coding": answer(
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"%x\r\n" % len(PACKED), PACKED, b"\r\n0\r\n\r\n"
    ),
    "gzip and garbage": answer(reply(gzip.compress(b"picture") + b"garbage", "Content-Encoding: GZIP")),
    "deflate": answer(reply(zlib.compress(b"picture"), "Content-Encoding: deflate")),
    "raw deflate": answer(reply(zlib.compress(b"picture")[2:-4], "Content-Encoding: deflate")),
    "labelled gzip but plain": answer(reply(b"picture", "Content-Encoding: gzip")),
    "labelled deflate but plain": answer(reply(b"picture", "Content-Encoding: deflate")),
    "150 headers": Script(reply(b"picture", *[f"X-{number}: y" for number in range(150)])),
    "three headers of 60,000 characters": Script(reply(b"picture", *[f"X: {'y' * 60_000}"] * 3)),
    "a line without a colon": Script(OK + b"A: max-age=1;\r\npreload\r\nContent-Length: 7\r\n\r\npicture"),
    "a name with a space": Script(OK + b"Last Modified: x\r\nContent-Length: 7\r\n\r\npicture"),
    "a space before the colon": Script(OK + b"Content-Length : 7\r\n\r\npicture"),
    "an empty name": Script(OK + b": x\r\nContent-Length: 7\r\n\r\npicture"),
    "a folded line first": Script(OK + b" X: y\r\nContent-Length: 7\r\n\r\npicture"),
    "a stray CR and NUL": Script(OK + b"X: a\rb\x00c\r\nContent-Length: 7\r\n\r\npicture"),
    "line feeds alone": Script(b"HTTP/1.1 200 OK\nContent-Length: 7\n\npicture"),
    "a blank line before the status": Script(b"\r\n" + reply()),
    "no reason": Script(reply(status="200")),
    "a lower-case status": Script(reply().replace(b"HTTP/1.1 200 OK", b"http/1.1 200 ok")),
    "HTTP/2 over HTTP/1": Script(reply().replace(b"HTTP/1.1", b"HTTP/2")),
    "ICY": Script(reply().replace(b"HTTP/1.1", b"ICY")),
    "chunks after identity": Script(OK + b"Transfer-Encoding: identity, chunked\r\n\r\n" + CHUNKS),
    "chunks twice": Script(OK + b"Transfer-Encoding: chunked, Chunked \r\n\r\n" + CHUNKS),
    "chunks in two headers": Script(
        OK + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked;q=1\r\n\r\n" + CHUNKS
    ),
    "chunks and two lengths": Script(
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
    ),
    "labelled br but plain": answer(reply(b"picture", "Content-Encoding: br")),
    "206 to a plain request": answer(reply(b"picture", "Content-Range: bytes 0-6/7", status="206 Partial Content")),
    "206 without a range": answer(reply(b"picture", status="206 Partial Content")),
}
DOUBTFUL: dict[str, Behaviour] = {
    "a length one too large": answer(reply(length="8")),
    "a length two too large": answer(reply(length="9")),
    "a length two too large, kept alive": Script(reply(length="9")),
    "a stale length, far too large": answer(reply(length="90000")),
    "a missing last chunk": answer(CHUNKED, b"3\r\npic\r\n4\r\nture\r\n"),
    "a chunk longer than its data": answer(CHUNKED, b"9\r\npicture"),
    "gzip without its end": answer(reply(gzip.compress(b"picture")[:-4], "Content-Encoding: gzip")),
    "206 of the beginning": answer(reply(b"picture", "Content-Range: bytes 0-6/99", status="206 Partial Content")),
}
REFUSED: dict[str, tuple[Behaviour, str]] = {
    "21 interim answers": (answer(HINTS * 21, reply()), "connect_failed"),
    "endless hints": (answer_then_drip(b"", HINTS), "connect_failed"),
    "101": (answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", reply()), "connect_failed"),
    "a negative chunk": (answer(CHUNKED, b"-5\r\npicture"), "truncated_image"),
    "5 blank lines": (answer(b"\r\n" * 5, reply()), "connect_failed"),
    "206 of the end": (answer(reply(b"x", "Content-Range: bytes 3-3/4", status="206 Partial Content")), "http_206"),
    "202 without an end": (answer(reply(b"", "Retry-After: 99", status="202 Accepted")), "not_an_image"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_takes_a_whole_picture(downloader: Downloader, name: str) -> None:
    """The bytes are all there, and nothing is in doubt."""
    assert download(downloader, WHOLE[name]) == Download(b"picture")


@pytest.mark.parametrize("name", DOUBTFUL)
def test_leaves_a_doubtful_end_to_the_decoder(downloader: Downloader, name: str) -> None:
    """The bytes are all there; only the decoder can tell whether they are a whole picture."""
    found = download(downloader, DOUBTFUL[name])
    assert found.body == b"picture"
    assert found.doubt is not None
    assert (found.doubt.code, found.doubt.retryable) in {("truncated_image", True), ("timeout", True)}


@pytest.mark.parametrize("coding", ["br", "zstd", "identity, BR"])
def test_names_a_compression_that_cannot_be_undone(downloader: Downloader, coding: str) -> None:
    """The image stage reports it if the bytes are no picture."""
    found = download(downloader, answer(reply(b"\x0b\x02\x80", f"Content-Encoding: {coding}")))
    assert found.disguise is not None
    assert coding.lower().split()[-1] in found.disguise.detail


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_an_answer_without_a_picture(downloader: Downloader, name: str) -> None:
    """Each has a code."""
    behaviour, code = REFUSED[name]
    with pytest.raises(DownloadError) as caught:
        download(downloader, behaviour)
    assert caught.value.code == code


def test_surplus_bytes_do_not_reach_the_next_answer(downloader: Downloader) -> None:
    """A connection with bytes that belong to no answer is closed."""
    script = Script(reply() + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    with serving(script) as server:
        assert [downloader.download(server.url).body for _ in range(2)] == [b"picture"] * 2
        assert server.connections == 2


@pytest.mark.parametrize("status", ["412 Precondition Failed", "400 Bad Request"])
def test_asks_again_without_conditions(downloader: Downloader, status: str) -> None:
    """Some servers refuse conditions that they cannot evaluate."""
    script = Script(reply(b"no", status=status), reply(b"picture", 'ETag: "2"'))
    assert download(downloader, script, KNOWN) == Download(b"picture", Validators('"2"', ""))
    assert [script.header(number, "If-None-Match") for number in range(2)] == ['"1"', None]


def test_asks_only_once_without_conditions(downloader: Downloader) -> None:
    """The second refusal counts."""
    script = Script(reply(b"no", status="412 Precondition Failed"))
    with pytest.raises(DownloadError, match="answered 412"):
        download(downloader, script, KNOWN)
    assert len(script.heads) == 2


def test_waits_for_a_picture_that_is_being_made(downloader: Downloader) -> None:
    """202 with a short Retry-After is asked again, with its cookies."""
    later = reply(b"soon", "Retry-After: 0", "Set-Cookie: job=1", status="202 Accepted")
    script = Script(later, later, reply())
    assert download(downloader, script) == Download(b"picture")
    assert [script.header(number, "Cookie") for number in range(3)] == [None, "job=1", "job=1"]


def test_waits_for_a_picture_only_three_times(downloader: Downloader) -> None:
    """Then its body is taken, which the image stage refuses."""
    script = Script(reply(b"soon", "Retry-After: 0", status="202 Accepted"))
    assert download(downloader, script).body == b"soon"
    assert len(script.heads) == 4
