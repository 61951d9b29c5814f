"""What hosts see of us, how they answer, and to which hosts an operator's headers go."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from ipaddress import ip_network
from typing import NoReturn

import pytest

from imgproc.core.errors import DownloadError
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.http.request_headers import HostHeaders, Identity, user_agent
from tests.support.hostile_servers import Server, answer, answer_then_drip, read_request, serving

LOOPBACK = (ip_network("127.0.0.0/8"),)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECRET = "Bearer hunter2"
HEADERS = HostHeaders(
    {"127.0.0.1": {"Authorization": SECRET, "Referer": "https://shop.example/", "User-Agent": "Own/1"}}
)


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    """A downloader with headers for 127.0.0.1, and none for 127.0.0.2."""
    downloader = Downloader(
        allowed_networks=LOOPBACK,
        timeout=5,
        max_bytes=100_000,
        identity=Identity(user_agent("https://catalogue.example/bot"), HEADERS),
    )
    yield downloader
    downloader.close()


def recording(heads: list[bytes], reply: bytes = OK, *, host: str = "127.0.0.1") -> Server:
    """A server that answers each request with `reply` and records its head."""

    def behave(connection: socket.socket, _server: Server) -> None:
        while head := read_request(connection):
            heads.append(head)
            connection.sendall(reply)

    return Server(behave, host=host)


def test_says_who_asks_and_for_what(downloader: Downloader) -> None:
    """The User-Agent names imgproc, its version and the page to turn to; the other headers are those of a browser."""
    heads: list[bytes] = []
    server = recording(heads, host="127.0.0.2")
    assert downloader.download(f"{server.url}shoe.jpg").body == b"ok"
    server.stop()
    sent = heads[0].decode()
    agent = r"\r\nUser-Agent: Mozilla/5\.0 \(compatible; imgproc/[0-9.]+\w*; \+https://catalogue\.example/bot\)\r\n"
    assert re.search(agent, sent)
    assert "\r\nAccept: image/" in sent
    assert "\r\nAccept-Language: en" in sent
    assert "Referer" not in sent


def test_the_headers_of_a_host_go_to_that_host_alone(downloader: Downloader) -> None:
    """A redirect to another host takes none of them along, and one back to it carries them again."""
    first: list[bytes] = []
    second: list[bytes] = []
    home = recording(first)
    back = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {home.url}b.jpg\r\n\r\n".encode()
    other = recording(second, back, host="127.0.0.2")
    there = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {other.url}a.jpg\r\n\r\n".encode()
    start = recording(first, there)
    assert downloader.download(f"{start.url}shoe.jpg").body == b"ok"
    for server in (start, other, home):
        server.stop()
    assert [head.count(SECRET.encode()) for head in (*first, *second)] == [1, 1, 0]
    assert b"shop.example" not in second[0]
    assert [head.lower().count(b"\r\nuser-agent:") for head in (*first, *second)] == [1, 1, 1]
    assert b"\r\nUser-Agent: Own/1\r\n" in first[0]


@pytest.mark.parametrize(
    ("host", "has"),
    [
        ("shop.example", True),
        ("SHOP.example", True),
        ("img.shop.example", True),
        ("shop.example.", True),
        ("evilshop.example", False),
        ("shop.example.evil.example", False),
        ("example", False),
        ("", False),
    ],
)
def test_a_name_with_a_dot_covers_the_hosts_below_it(host: str, has: bool) -> None:
    """No other host that looks like it."""
    assert bool(HostHeaders({".shop.example": {"X": "1"}}).of(host)) is has


def test_the_longest_name_wins() -> None:
    """A host has the headers of the nearest name, and not those of all."""
    headers = HostHeaders({".example": {"A": "1"}, ".shop.example": {"B": "2"}, "img.shop.example": {"C": "3"}})
    assert headers.of("img.shop.example") == {"C": "3"}
    assert headers.of("www.shop.example") == {"B": "2"}
    assert headers.of("other.example") == {"A": "1"}


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 403 No\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"noise"]
)
def test_no_error_shows_the_headers_of_a_host(downloader: Downloader, reply: bytes) -> None:
    """They are neither in its detail nor in its cause."""
    with serving(answer(reply)) as server:
        try:
            seen: BaseException | None = downloader.download(server.url).doubt
        except DownloadError as error:
            seen = error
    assert seen
    while seen:
        assert "hunter2" not in f"{seen!r} {seen}"
        seen = seen.__cause__ or seen.__context__


REFUSALS = {
    "a challenge with 202": (b"HTTP/1.1 202 Accepted\r\nx-amzn-waf-action: challenge\r\n\r\n", "bot_blocked"),
    "a challenge with 200": (b"HTTP/1.1 200 OK\r\ncf-mitigated: challenge\r\n\r\n<html>", "bot_blocked"),
    "a page of a challenge": (b"HTTP/1.1 200 OK\r\n\r\n<html><title>Just a moment...</title>", "bot_blocked"),
    "an S3 error": (
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\n\r\n<Error><Code>AccessDenied</Code>"
        b"<Message>Request has expired</Message></Error>",
        "http_403",
    ),
    "a login page": (b"HTTP/1.1 200 OK\r\n\r\n<!doctype html><form><input type='password'></form>", "login_required"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_read_from_the_answer(downloader: Downloader, name: str) -> None:
    """The head and the beginning of the body tell it."""
    reply, code = REFUSALS[name]
    with serving(answer(reply)) as server, pytest.raises(DownloadError) as caught:
        downloader.download(server.url)
    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_a_refusal_whose_body_drips_is_told_all_the_same(downloader: Downloader) -> None:
    """What has come by then decides."""
    head = b"HTTP/1.1 403 No\r\nContent-Type: text/html\r\n\r\n<html>px-captcha"
    with serving(answer_then_drip(head, b"x")) as server, pytest.raises(DownloadError) as caught:
        downloader.download(server.url)
    assert caught.value.code == "bot_blocked"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://drive.google.com/file/d/1AbCdEfGhIjKl/view?usp=sharing", "drive.usercontent.google.com"),
        ("http://imgur.com/AbC1234", "i.imgur.com"),
    ],
)
def test_a_share_link_is_downloaded_from_its_direct_form(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, url: str, host: str
) -> None:
    """Only the host of the file is looked up."""
    asked: list[str] = []

    def getaddrinfo(name: str, *_: object, **__: object) -> NoReturn:
        asked.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(DownloadError) as caught:
        downloader.download(url)
    assert (asked, caught.value.code) == ([host], "dns_failed")


def test_a_link_that_serves_no_picture_is_not_asked_for(downloader: Downloader) -> None:
    """Also where a redirect leads to it."""
    reply = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://photos.app.goo.gl/AbC\r\n\r\n"
    with serving(answer(reply)) as server:
        for url in (server.url, "https://photos.app.goo.gl/AbC"):
            with pytest.raises(DownloadError) as caught:
                downloader.download(url)
            assert (caught.value.code, caught.value.retryable) == ("invalid_url", False)
            assert "Google Photos" in caught.value.detail


@pytest.mark.parametrize("errno", [socket.EAI_AGAIN, socket.EAI_FAIL])
def test_dns_that_does_not_answer_is_a_trouble_of_the_host(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, errno: int
) -> None:
    """The name may be right."""

    def getaddrinfo(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(errno, "no")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(DownloadError) as caught:
        downloader.download("http://images.example/shoe.jpg")
    error = caught.value
    assert (error.code, error.retryable, error.trouble) == ("dns_failed", True, "away")
    assert "DNS did not answer" in error.detail
