"""Redirects as browsers follow them: any spelling of `Location`, up to ten hops, cookies for their own host only."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import pytest
from urllib3.util import parse_url

from imgproc.core.errors import DownloadError
from imgproc.pipeline.download import Downloader
from tests.support.hostile_servers import never_answer, serving
from tests.support.scripted_server import Script, reply
from tests.unit.test_addresses import LOOPBACK_HOSTS, SPECIAL
from tests.unit.test_urls import SENT

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
# The bytes of a Location, and the target that Chromium asks for.
LOCATIONS = {
    "Latin-1": (b"/caf\xe9.jpg", "/caf%E9.jpg"),
    "UTF-8": ("/café.jpg".encode(), "/caf%C3%A9.jpg"),
    "no charset": (b"/\xff\xfe?\xe9", "/%FF%FE?%E9"),
    "spaces at the end": (b"/a.jpg   ", "/a.jpg"),
    "spaces inside": (b"/a b.jpg", "/a%20b.jpg"),
    "backslashes": (b"\\b\\c.jpg", "/b/c.jpg"),
    "relative": (b"rel.jpg", "/a/rel.jpg"),
    "a query": (b"?q=1", "/a/b?q=1"),
    "doubled slashes": (b"/b//c.jpg", "/b//c.jpg"),
    "one slash after the scheme": (b"http:/c.jpg", "/c.jpg"),
    "a signature": (b"/%7E%2f?s=%2b[|]", "/%7E%2f?s=%2b[|]"),
    "a folded line": (b"/x\r\n fold", "/x%20fold"),
    "an empty one first": (b"\r\nLocation: /second", "/second"),
    "two headers": (b"/first\r\nLocation: /second", "/first"),
    "a fragment": (b"/a#b", "/a"),
    "a site without a scheme": (b"b.example/c.jpg", "/a/b.example/c.jpg"),
}


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    """A downloader that may reach loopback."""
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=5, max_bytes=100_000)
    yield downloader
    downloader.close()


def redirect(location: str, *headers: str) -> bytes:
    """A redirect to `location`, whose characters are bytes."""
    return reply(b"", f"Location: {location}", *headers, status="302 Found")


def test_every_spelling_is_sent_as_it_was_written(downloader: Downloader) -> None:
    """No layer below rewrites the target that `test_urls` expects."""
    script = Script(reply())
    with serving(script) as server:
        for written, _ in SENT.values():
            downloader.download(server.url[:-1] + written)
    assert script.targets == [sent for _, sent in SENT.values()]


@pytest.mark.parametrize("name", LOCATIONS)
def test_reads_a_location_as_browsers_do(downloader: Downloader, name: str) -> None:
    """The picture is at the target that a browser asks for."""
    location, target = LOCATIONS[name]
    script = Script(redirect(location.decode("latin-1")), reply())
    with serving(script) as server:
        assert downloader.download(f"{server.url}a/b").body == b"picture"
    assert script.targets == ["/a/b", target]


def test_follows_ten_redirects(downloader: Downloader) -> None:
    """The eleventh is refused, as `test_stops_after_ten_redirects` shows."""
    with serving(Script(*[redirect("/next")] * 10, reply())) as server:
        assert downloader.download(server.url).body == b"picture"
        assert server.connections == 1


@pytest.mark.parametrize("location", ["data:image/png;base64,AA", "ftp://shop.example/a.jpg", "mailto:a@b"])
def test_names_a_scheme_it_does_not_follow(downloader: Downloader, location: str) -> None:
    """The error names the host that redirects, and the scheme."""
    with serving(Script(redirect(location))) as server, pytest.raises(DownloadError) as caught:
        downloader.download(server.url)
    assert caught.value.code == "invalid_url"
    assert f"127.0.0.1 redirects to a {location.partition(':')[0]}: URL" in caught.value.detail


@pytest.mark.parametrize(
    "host", [*LOOPBACK_HOSTS.values(), *(f"[{each}]" if ":" in each else each for each in SPECIAL.values())]
)
def test_no_spelling_of_a_forbidden_address_is_followed(host: str) -> None:
    """The whole table of hostile addresses, behind a redirect that sets a cookie."""
    downloader = Downloader(allowed_networks=(ipaddress.ip_network("127.0.0.2/32"),), timeout=5, max_bytes=100)
    with (
        serving(never_answer) as canary,
        serving(Script(redirect(f"http://{host}:{canary.port}/", "Set-Cookie: a=b")), host="127.0.0.2") as server,
        pytest.raises(DownloadError) as caught,
    ):
        downloader.download(server.url)
    downloader.close()
    assert caught.value.code in {"forbidden_address", "dns_failed"}  # not every resolver knows `shop.localhost`
    assert canary.connections == 0


# -- cookies -----------------------------------------------------------------------------------------------------------


def sent_cookies(downloader: Downloader, *cookies: str, first: str = "/a/b", then: str = "/a/c") -> str | None:
    """What the second request carries after the first answer has set `cookies` and redirected."""
    script = Script(redirect(then, *(f"Set-Cookie: {cookie}" for cookie in cookies)), reply())
    with serving(script) as server:
        downloader.download(server.url[:-1] + first)
    return script.header(1, "Cookie")


@pytest.mark.parametrize(
    ("cookies", "sent"),
    [
        pytest.param(["a=b"], "a=b", id="plain"),
        pytest.param(["a=b; HttpOnly; SameSite=None", "c=d; Max-Age=60"], "a=b; c=d", id="attributes"),
        pytest.param(["a=1", "a=2"], "a=2", id="replaced"),
        pytest.param(["a=1", "a=; Max-Age=0"], None, id="deleted"),
        pytest.param(["a=b; Secure"], None, id="secure"),
        pytest.param(["a=b; Path=/other"], None, id="other path"),
        pytest.param(["a=b; Path=/a"], "a=b", id="path"),
        pytest.param(["a=b; Domain=other.example"], None, id="other domain"),
        pytest.param(["a=b; Domain=0.0.1"], None, id="part of an address"),
        pytest.param(["a=" + "b" * 5000], None, id="too long"),
        pytest.param([f"a{n}={'b' * 400}" for n in range(49)], None, id="too many"),
        pytest.param(["=;;=,", "a"], "a", id="no name"),
    ],
)  # fmt: skip
def test_keeps_the_cookies_of_a_download(downloader: Downloader, cookies: list[str], sent: str | None) -> None:
    """A challenge is passed by sending its cookie back."""
    assert sent_cookies(downloader, *cookies) == sent


def test_passes_a_cookie_challenge_on_the_same_url(downloader: Downloader) -> None:
    """The first answer sets a cookie and redirects to itself."""
    assert sent_cookies(downloader, "pass=1", first="/a/b", then="/a/b") == "pass=1"


def test_shares_no_cookies_between_downloads(downloader: Downloader) -> None:
    """The second download starts without."""
    script = Script(redirect("/c", "Set-Cookie: a=b; Path=/"), reply(), reply())
    with serving(script) as server:
        downloader.download(server.url)
        downloader.download(server.url)
    assert [script.header(number, "Cookie") for number in range(3)] == [None, "a=b", None]


def test_sends_no_cookies_to_another_host(downloader: Downloader) -> None:
    """Neither those of the first host, nor those it sets for the second."""
    second = Script(reply())
    with serving(second, host="127.0.0.2") as other:
        first = redirect(other.url, "Set-Cookie: a=b", "Set-Cookie: c=d; Domain=127.0.0.2")
        with serving(Script(first)) as server:
            downloader.download(server.url)
    assert second.header(0, "Cookie") is None


@pytest.mark.parametrize(
    ("host", "domain", "then", "sent"),
    [
        pytest.param("www.shop.example", "shop.example", "img.shop.example", True, id="own site"),
        pytest.param("shop.example", "shop.example", "www.shop.example", True, id="own host"),
        pytest.param("www.shop.example", "", "img.shop.example", False, id="host only"),
        pytest.param("shop.example", "www.shop.example", "www.shop.example", False, id="below"),
        pytest.param("a.example", "example", "b.example", False, id="top level"),
        pytest.param("a.co.uk", "co.uk", "b.co.uk", False, id="registry of a country"),
        pytest.param("a.myshopify.com", "myshopify.com", "b.myshopify.com", False, id="shared platform"),
        pytest.param("a.github.io", ".GitHub.io", "b.github.io", False, id="shared platform with a dot"),
    ],
)
def test_a_cookie_stays_in_its_site(
    monkeypatch: pytest.MonkeyPatch, downloader: Downloader, host: str, domain: str, then: str, sent: bool
) -> None:
    """A cookie for a domain is sent to that site's hosts, never to a stranger's (RFC 6265, 5.3)."""
    script = Script(reply())
    with serving(script) as server:
        place = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: place)
        attribute = f"; Domain={domain}" if domain else ""
        script._answers[:0] = [redirect(f"http://{then}:{server.port}/", f"Set-Cookie: a=b; Path=/{attribute}")]
        downloader.download(f"http://{host}:{server.port}/")
    assert script.header(1, "Host") == parse_url(f"http://{then}:{server.port}").netloc
    assert (script.header(1, "Cookie") == "a=b") is sent
