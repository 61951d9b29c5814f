"""Answers that browsers show as a picture although they break a rule, as bug reports of other programs tell them.

`test_lenient_answers` has the framing of bodies; here are headers, status lines and redirects.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import pytest

from imgproc.core.errors import DownloadError
from imgproc.pipeline.download import Download, Downloader
from imgproc.pipeline.http.body import Pace
from tests.support.hostile_servers import Behaviour, answer, serving
from tests.support.scripted_server import Script, reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PICTURE = b"picture"


@pytest.fixture(scope="module")
def downloader() -> Iterator[Downloader]:
    """A downloader that is patient for half a second."""
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=5, max_bytes=100_000, pace=Pace(0.5))
    yield downloader
    downloader.close()


def of_status(line: bytes) -> Behaviour:
    """An answer with this status line."""
    return Script(line + b"\r\nContent-Length: 7\r\n\r\n" + PICTURE)


def of_length(value: str) -> Behaviour:
    """An answer with this `Content-Length`, after which the connection is closed."""
    return answer(reply(length=value))


def moved(*headers: str, status: str = "302 Found") -> Script:
    """A redirect with these headers, then the picture."""
    return Script(reply(b"", *headers, status=status), reply())


def page(head: str) -> Script:
    """A page with status 200, then the picture."""
    return Script(reply(f"<html><head>{head}</head><body>Wait</body></html>".encode()), reply())


TAKEN: dict[str, Behaviour] = {
    # status lines
    "two spaces in the status line": of_status(b"HTTP/1.1  200  OK"),
    "a tab in the status line": of_status(b"HTTP/1.1\t200\tOK"),
    "a reason in Latin-1": of_status(b"HTTP/1.1 200 Schl\xfcssig"),
    "a long reason": of_status(b"HTTP/1.1 200 " + b"very " * 1000),
    "HTTP/1.2": of_status(b"HTTP/1.2 200 OK"),
    "HTTP/1": of_status(b"HTTP/1 200 OK"),
    "created": Script(reply(status="201 Created")),
    "not authoritative": Script(reply(status="203 Non-Authoritative Information")),
    "a status that nobody knows": Script(reply(status="299 Whatever")),
    # lengths
    "a length with zeros before it": of_length("0007"),
    "a length with a sign": of_length("+7"),
    "a length with spaces": of_length("  7  "),
    "an empty length": of_length(""),
    "a length of -1": of_length("-1"),
    "a length in words": of_length("unknown"),
    "a length with a unit": of_length("7 bytes"),
    "a length with a fraction": of_length("7.0"),
    "three equal lengths": of_length("7,7, 7"),
    # headers
    "a control character in a cookie": Script(reply(PICTURE, "Set-Cookie: a=b\x01c; path=/")),
    "a cookie of 10,000 characters": Script(reply(PICTURE, f"Set-Cookie: a={'b' * 10_000}")),
    "60 cookies": Script(reply(PICTURE, *[f"Set-Cookie: a{n}=b" for n in range(60)])),
    "a name in UTF-8": Script(OK + "Größe: 1\r\n".encode() + b"Content-Length: 7\r\n\r\n" + PICTURE),
    "a file name in Latin-1": Script(reply(PICTURE, 'Content-Disposition: attachment; filename="K\xe4se.jpg"')),
    "a folded header": Script(OK + b"X: a\r\n b\r\n\tc\r\nContent-Length: 7\r\n\r\n" + PICTURE),
    "an offer of HTTP/2": Script(reply(PICTURE, "Upgrade: h2,h2c", "Connection: Upgrade, Keep-Alive")),
    "a place with the picture": Script(reply(PICTURE, "Location: http://other.example/")),
    "a range with the picture": Script(reply(PICTURE, "Content-Range: bytes 0-6/7")),
    "the type of a page": Script(reply(PICTURE, "Content-Type: text/html; charset=utf-8")),
    "an empty type": Script(reply(PICTURE, "Content-Type:")),
    "two types": Script(reply(PICTURE, "Content-Type: text/plain", "Content-Type: image/jpeg")),
    "an encoding that is a charset": Script(reply(PICTURE, "Content-Encoding: UTF-8")),
    "an encoding that is a type": Script(reply(PICTURE, "Content-Encoding: image/jpeg")),
    "no encoding": Script(reply(PICTURE, "Content-Encoding: none")),
    "an empty encoding": Script(reply(PICTURE, "Content-Encoding:")),
    "words of mail": Script(reply(PICTURE, "Content-Transfer-Encoding: binary", "MIME-Version: 1.0")),
    # chunks
    "chunks of HTTP/1.0": Script(b"HTTP/1.0" + CHUNKED[8:] + b"7\r\npicture\r\n0\r\n\r\n"),
    "spaces after the size of a chunk": Script(CHUNKED + b"7    \r\npicture\r\n0  \r\n\r\n"),
    "zeros before the size of a chunk": Script(CHUNKED + b"000007\r\npicture\r\n000\r\n\r\n"),
    "line feeds between chunks": Script(CHUNKED + b"7\npicture\n0\n\n"),
    "headers after the chunks": Script(CHUNKED + b"7\r\npicture\r\n0\r\nX-Sum: 1\r\nServer-Timing: a\r\n\r\n"),
    "a quoted extension": Script(CHUNKED + b'7;a="b;c"\r\npicture\r\n0\r\n\r\n'),
    # redirects
    "300 with a place": moved("Location: /b", status="300 Multiple Choices"),
    "303": moved("Location: /b", status="303 See Other"),
    "308": moved("Location: /b", status="308 Permanent Redirect"),
    "the same place twice": moved("Location: /b", "Location: /b"),
    "a place with a fragment": moved("Location: /b#top"),
    "only a query": moved("Location: ?b"),
    "a place with a tab": moved("Location: /b\tc"),
    "a place in quotes": moved('Location: "/b"'),
    "a place after `url=`": moved("Refresh: 0; url=/b", status="200 OK"),
    "a place after a quoted `URL=`": moved("Refresh: 0;URL='/b'", status="200 OK"),
    "a page that refreshes": page("<meta http-equiv='refresh' content='0; url=/b?c=1&amp;d=2'>"),
    "a page that refreshes after 3 s, in capitals": page('<META content="3;URL=/b" HTTP-EQUIV="Refresh">'),
    "a redirect with a picture": Script(reply(b"moved", "Location: /b", status="302 Found"), reply()),
}


@pytest.mark.parametrize("name", TAKEN)
def test_takes_what_a_browser_shows(downloader: Downloader, name: str) -> None:
    """Nothing of it is in doubt."""
    with serving(TAKEN[name]) as server:
        assert downloader.download(server.url) == Download(PICTURE)


LEFT: dict[str, tuple[Behaviour, str]] = {
    "the picture of an error": (Script(reply(PICTURE, "Content-Type: image/png", status="404 Not Found")), "http_404"),
    "300 without a place": (Script(reply(status="300 Multiple Choices")), "http_300"),
    "a body after 204": (Script(reply(status="204 No Content")), "not_an_image"),
    "contradictory lengths": (of_length("7, 8"), "connect_failed"),
    "a page that refreshes after a minute": (Script(reply(b"", "Refresh: 60; url=/b")), "not_an_image"),
    "a page that refreshes itself": (Script(reply(b"", "Refresh: 0; url=/")), "too_many_redirects"),
    "a refresh to a private address": (Script(reply(b"", "Refresh: 0; url=http://10.0.0.1/")), "forbidden_address"),
    "a refresh to a service of the cloud": (
        Script(reply(b"<html><meta http-equiv=refresh content='0;url=http://169.254.169.254/latest'>")),
        "forbidden_address",
    ),
    "a refresh to a file": (Script(reply(b"", "Refresh: 0; url=file:///etc/passwd")), "invalid_url"),
    "chunks that are none": (answer(CHUNKED, PICTURE), "truncated_image"),
}


@pytest.mark.parametrize("name", LEFT)
def test_leaves_what_is_no_picture(downloader: Downloader, name: str) -> None:
    """A browser shows nothing either, or a placeholder, or it may not be asked."""
    behaviour, code = LEFT[name]
    with serving(behaviour) as server, pytest.raises(DownloadError) as caught:
        downloader.download(server.url)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("header", "value"),
    [
        pytest.param("Accept", "*/*", id="any type"),  # else some answer 406
        pytest.param("Accept-Language", "", id="a language"),
        pytest.param("User-Agent", "Mozilla/5.0", id="a browser"),
    ],
)
def test_sends_what_hosts_insist_on(downloader: Downloader, header: str, value: str) -> None:
    """Firewalls refuse requests without them."""
    script = Script(reply())
    with serving(script) as server:
        downloader.download(server.url)
    assert value in (script.header(0, header) or "missing")


def test_a_reset_after_the_last_byte_does_no_harm(downloader: Downloader) -> None:
    """Some hosts reset the connection instead of closing it."""

    def behave(connection: socket.socket, _server: object) -> None:
        connection.recv(65_536)
        connection.sendall(reply())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(behave) as server:
        assert downloader.download(server.url).body == PICTURE
