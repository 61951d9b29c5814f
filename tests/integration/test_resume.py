"""A large download that breaks off is continued, if the host proves that the rest belongs to the same picture."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from imgproc.pipeline.download import Download, Downloader
from tests.support.hostile_servers import Server, read_request, serving
from tests.support.scripted_server import reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PICTURE = os.urandom(3_000_000)
CUT = 2_000_000
DATE = "Date: Sat, 28 Nov 2026 10:00:00 GMT"
OLD, NEW = "Last-Modified: Fri, 27 Nov 2026 10:00:00 GMT", "Last-Modified: Sat, 28 Nov 2026 09:59:59 GMT"
ETAG = 'ETag: "1"'


@pytest.fixture(scope="module")
def downloader() -> Iterator[Downloader]:
    """A downloader of pictures up to 4 MB."""
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=5, max_bytes=4_000_000)
    yield downloader
    downloader.close()


class Breaking:
    """Sends the beginning of the picture and breaks off, then gives the other answers; the last one is repeated."""

    def __init__(self, *answers: bytes, headers: tuple[str, ...] = (ETAG,)) -> None:
        self.heads: list[str] = []
        self._answers = [reply(PICTURE, *headers)[: -len(PICTURE) + CUT], *answers]

    def __call__(self, connection: socket.socket, _server: Server) -> None:
        """Answer one request, and hang up."""
        self.heads.append(read_request(connection).decode().lower())
        connection.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


def rest(start: int = CUT, *, first: int | None = None, last: int | None = None, total: int | None = None) -> bytes:
    """The answer to a request for the bytes from `start` on; the others are what it claims instead."""
    size = len(PICTURE)
    claimed = f"bytes {start if first is None else first}-{last or size - 1}/{total or size}"
    return reply(PICTURE[start:], f"Content-Range: {claimed}", ETAG, status="206 Partial Content")


def download(downloader: Downloader, server: Callable[[socket.socket, Server], None]) -> Download:
    """Download the picture."""
    with serving(server) as running:
        return downloader.download(running.url)


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        pytest.param((ETAG,), '"1"', id="entity-tag"),
        pytest.param((DATE, OLD), "fri, 27 nov 2026 10:00:00 gmt", id="date"),
        pytest.param((ETAG, DATE, OLD), '"1"', id="both"),
    ],
)
def test_continues_where_it_broke_off(downloader: Downloader, headers: tuple[str, ...], condition: str) -> None:
    """It asks for the rest of the version that it has begun (RFC 9110, 13.1.5)."""
    server = Breaking(rest(), headers=headers)
    assert download(downloader, server).body == PICTURE
    assert f"range: bytes={CUT}-\r\n" in server.heads[1]
    assert f"if-range: {condition}\r\n" in server.heads[1]


def test_continues_several_times(downloader: Downloader) -> None:
    """The rest may break off too."""
    server = Breaking(rest()[:-400_000], rest(2_600_000))
    assert download(downloader, server).body == PICTURE
    assert "range: bytes=2600000-" in server.heads[2]


def test_a_changed_picture_is_taken_from_its_beginning(downloader: Downloader) -> None:
    """The host answers 200 with the new version."""
    server = Breaking(reply(b"new picture", 'ETag: "2"'))
    assert download(downloader, server).body == b"new picture"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((), id="no validator"),
        pytest.param(('ETag: W/"1"',), id="weak entity-tag"),
        pytest.param((DATE, NEW), id="date of the same minute"),
        pytest.param((OLD,), id="date without Date"),
        pytest.param((ETAG, "Accept-Ranges: none"), id="no ranges"),
        pytest.param((ETAG, "Content-Encoding: gzip"), id="compressed"),
    ],
)
def test_does_not_continue_without_proof(downloader: Downloader, headers: tuple[str, ...]) -> None:
    """What came is left to the decoder, and the host is not asked again."""
    server = Breaking(rest(), headers=headers)
    found = download(downloader, server)
    assert found.doubt is not None
    assert (found.doubt.code, len(server.heads)) == ("truncated_image", 1)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(rest(first=0), id="another beginning"),
        pytest.param(rest(first=CUT + 1), id="a gap"),
        pytest.param(rest(last=len(PICTURE)), id="an end beyond the total"),
        pytest.param(rest(total=len(PICTURE) + 1), id="another total"),
        pytest.param(reply(PICTURE[CUT:], status="206 Partial Content"), id="no range"),
        pytest.param(reply(b"", "Content-Range: bytes */2000000", status="416 Range Not Satisfiable"), id="416"),
        pytest.param(rest()[:-1_000_000].replace(b"1000000", b"1000009", 1) + bytes(1_000_009), id="a longer body"),
        pytest.param(
            rest()[:-1_000_000].replace(b"Content-Length: 1000000", b"X: y") + bytes(1_100_000), id="a body without end"
        ),
    ],
)
def test_refuses_a_rest_that_does_not_fit(downloader: Downloader, answer: bytes) -> None:
    """The beginning stays as it was."""
    found = download(downloader, Breaking(answer))
    assert found.body == PICTURE[:CUT]
    assert found.doubt is not None
    assert found.doubt.code == "truncated_image"


def test_gives_up_after_three_continuations(downloader: Downloader) -> None:
    """A host that sends one more byte each time is not asked for ever."""

    stingy = [rest(CUT + number)[: 1 - (len(PICTURE) - CUT - number)] for number in range(9)]
    server = Breaking(*stingy)
    found = download(downloader, server)
    assert found.body == PICTURE[: CUT + 3]
    assert found.doubt is not None
    assert len(server.heads) == 4


def test_continues_after_a_reset(downloader: Downloader) -> None:
    """The pieces before it are kept."""

    def answer(connection: socket.socket, server: Server) -> None:
        head = read_request(connection)
        asked = int(head.partition(b"Range: bytes=")[2].partition(b"-")[0] or 0)
        if asked:
            assert asked >= 1_000_000
            connection.sendall(rest(asked))
            return
        connection.sendall(reply(PICTURE, ETAG)[: -len(PICTURE) + CUT])
        server.stopped.wait(0.1)  # until the other side has read it
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert download(downloader, answer).body == PICTURE
