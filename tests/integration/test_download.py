"""Downloads from real servers on loopback, well-behaved and hostile."""

from __future__ import annotations

import gzip
import socket
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import NoReturn

import pytest
from pytest_httpserver import HTTPServer

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

Networks = Sequence[IPv4Network | IPv6Network]
LOOPBACK: Networks = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
MAX_BYTES = 100_000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def make_downloader(timeout: float = 10.0, allowed_networks: Networks = LOOPBACK) -> Downloader:
    """A downloader that may reach loopback."""
    return Downloader(allowed_networks=allowed_networks, timeout=timeout, max_bytes=MAX_BYTES)


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    """A downloader with a long timeout."""
    downloader = make_downloader()
    yield downloader
    downloader.close()


@pytest.fixture
def hasty() -> Iterator[Downloader]:
    """A downloader with a short timeout, for servers that never finish."""
    downloader = make_downloader(timeout=0.6)
    yield downloader
    downloader.close()


def failure_of(downloader: Downloader, url: str) -> DownloadError:
    """The error of downloading `url`, also if only the image stage can tell; its detail is a sentence."""
    with pytest.raises(DownloadError) as caught:
        raise downloader.download(url).doubt or AssertionError("downloaded without doubt")
    assert caught.value.detail.endswith(".")
    assert "Traceback" not in caught.value.detail
    return caught.value


def test_downloads_the_bytes(downloader: Downloader, httpserver: HTTPServer) -> None:
    """The image arrives whole, and is requested without compression."""
    httpserver.expect_request("/shoe.jpg", headers={"Accept-Encoding": "identity"}).respond_with_data(
        b"\xff\xd8" * 50_000, content_type="image/jpeg"
    )
    assert downloader.download(httpserver.url_for("/shoe.jpg")).body == b"\xff\xd8" * 50_000


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([OK, b"\r\n", b"picture"], id="no-length"),
        pytest.param([CHUNKED, b"3\r\npic\r\n4\r\nture\r\n0\r\n\r\n"], id="chunked"),
        pytest.param([OK, b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"picture")], id="compressed-unasked"),
        pytest.param([OK, b"Content-Encoding: aws-chunked\r\n\r\n", b"picture"], id="nonsense-encoding"),
        pytest.param([OK, b"Content-Length: 7\r\n\r\n", b"picture and more"], id="more-than-announced"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" * 3, OK, b"\r\n", b"picture"], id="continue-first"),
        pytest.param([b"HTTP/1.0 203 Fine\n\n", b"picture"], id="bare-newlines"),
    ],
)
def test_reads_bodies_however_they_are_framed(downloader: Downloader, pieces: list[bytes]) -> None:
    """Every framing of HTTP/1 gives the same bytes."""
    with serving(answer(*pieces)) as server:
        assert downloader.download(server.url).body == b"picture"


@pytest.mark.parametrize(
    ("pieces", "code", "retryable"),
    [
        pytest.param([OK, b"Content-Length: 0\r\n\r\n"], "not_an_image", False, id="empty"),
        pytest.param([OK, b"Content-Type: image/jp"], "not_an_image", False, id="cut-header"),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], "not_an_image", False, id="no-content"),
        pytest.param([OK, b"Content-Length: 9\r\n\r\nhalf"], "truncated_image", True, id="short"),
        pytest.param([CHUNKED, b"9\r\nhalf"], "truncated_image", True, id="short-chunk"),
        pytest.param([CHUNKED, b"zzz\r\nhalf"], "truncated_image", True, id="invalid-chunk"),
        pytest.param([CHUNKED, b"1" * 100_000], "connect_failed", True, id="endless-chunk-size"),
        pytest.param([OK, b"Content-Length: 100001\r\n\r\n"], "file_too_large", False, id="large-announced"),
        pytest.param([OK, b"\r\n", b"x" * 100_001], "file_too_large", False, id="large-unannounced"),
        pytest.param([CHUNKED, b"19000\r\n", bytes(0x19000), b"\r\n0\r\n\r\n"], "file_too_large", False, id="chunk"),
        pytest.param([OK, b"Content-Encoding: gzip\r\n\r\n\x1f\x8bno"], "corrupt_image", False, id="bad-gzip"),
        pytest.param([b""], "connect_failed", True, id="nothing"),
        pytest.param([b"picture, HTTP/0.9 style"], "connect_failed", True, id="http-0.9"),
        pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n"], "connect_failed", True, id="other-protocol"),
        pytest.param([b"HTTP/1.1 abc\r\n\r\n"], "connect_failed", True, id="bad-status-line"),
        pytest.param([OK, b"A: b\r\n" * 10_000, b"\r\n"], "connect_failed", True, id="10,000-headers"),
        pytest.param([OK, b"A: " + b"b" * 100_000], "connect_failed", True, id="endless-header"),
        pytest.param([OK, b"Content-Length: 5, 6\r\n\r\nhello"], "connect_failed", True, id="two-lengths"),
        pytest.param([OK, b"Content-Length: 5\r\n" * 2, b"\r\nhell"], "truncated_image", True, id="same-length-twice"),
    ],
)  # fmt: skip
def test_each_bad_answer_has_its_code(downloader: Downloader, pieces: list[bytes], code: str, retryable: bool) -> None:
    """The error also says whether a retry may help."""
    with serving(answer(*pieces)) as server:
        failure = failure_of(downloader, server.url)
    assert (failure.code, failure.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(never_answer, "timeout", id="silent"),
        pytest.param(answer_then_drip(b"", b"H"), "timeout", id="dripped-status"),
        pytest.param(answer_then_drip(OK, b"A"), "timeout", id="dripped-header"),
        pytest.param(answer_then_drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout", id="endless-continue"),
        pytest.param(answer_then_drip(OK + b"Content-Length: 90000\r\n\r\n", b"x"), "too_slow", id="dripped-body"),
        pytest.param(answer_then_drip(OK + b"\r\n", b"x"), "too_slow", id="dripped-body-without-length"),
        pytest.param(answer_then_drip(CHUNKED, b"1\r\nx\r\n"), "too_slow", id="dripped-chunks"),
        pytest.param(answer_then_drip(CHUNKED + b"0\r\n", b"A: b\r\n"), "too_slow", id="endless-trailer"),
    ],
)
def test_a_slow_server_times_out(hasty: Downloader, behaviour: Behaviour, code: str) -> None:
    """Neither silence nor dripping extends the deadline, in any part of the answer; the host is reported as slow."""
    with serving(behaviour) as server:
        failure = failure_of(hasty, server.url)
    assert (failure.code, failure.retryable, failure.trouble) == (code, True, "slow")


@pytest.mark.parametrize("length", [4_000, 90_000])
def test_a_slow_error_page_does_not_hide_the_error(hasty: Downloader, length: int) -> None:
    """The status decides, however long its page takes."""
    page = answer_then_drip(b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n" % length, b"x")
    with serving(page) as server:
        assert failure_of(hasty, server.url).code == "http_404"


def test_a_slow_tls_handshake_times_out(hasty: Downloader) -> None:
    """The download ends before the silent server closes the connection."""
    hung_up = threading.Event()

    def hang_up(_connection: socket.socket, server: Server) -> None:
        if not server.stopped.wait(8):
            hung_up.set()

    with serving(hang_up) as server:
        assert failure_of(hasty, server.url.replace("http:", "https:")).code == "timeout"
        assert not hung_up.is_set()


def test_a_body_dripped_over_tls_times_out(tmp_path: Path) -> None:
    """The deadline also holds within TLS."""
    context, trusted = self_signed(tmp_path)
    drip = answer_then_drip(OK + b"Content-Length: 90000\r\n\r\n", b"x")
    assert failure_over_tls(drip, context, trusted, seconds=1) == "timeout"


def test_a_slow_dns_lookup_times_out(hasty: Downloader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The download ends before the name server answers."""
    over, answered = threading.Event(), threading.Event()

    def getaddrinfo(*_: object, **__: object) -> None:
        if not over.wait(8):
            answered.set()

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert failure_of(hasty, "http://images.example/").code == "timeout"
    assert not answered.is_set()
    over.set()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(OK + b"\r\n", id="no-length"),
        pytest.param(OK + b"Content-Encoding: gzip\r\n\r\n", id="compressed"),
        pytest.param(OK + b"Content-Encoding: gzip, gzip\r\n\r\n", id="compressed-twice"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", id="redirect"),
        pytest.param(b"HTTP/1.1 500 Oops\r\n\r\n", id="error"),
    ],
)
def test_endless_bodies_take_bounded_memory(downloader: Downloader, head: bytes) -> None:
    """Bytes beyond the cap are dropped, even where 1 kB unpacks to 1 MB."""
    bomb = gzip.compress(bytes(50_000_000))
    with serving(answer_then_flood(head, bomb)) as server:
        tracemalloc.start()
        failure = failure_of(downloader, server.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert failure.code in {"file_too_large", "too_many_redirects", "http_500"}
    assert peak < 3_000_000


def test_a_reset_is_retryable(downloader: Downloader) -> None:
    """It is a fault of the network, not of the image."""
    with serving(answer_then_reset(OK + b"Content-Length: 90000\r\n\r\nhalf")) as server:
        failure = failure_of(downloader, server.url)
    assert (failure.code, failure.retryable) == ("connect_failed", True)


def test_a_refused_connection_is_retryable(downloader: Downloader) -> None:
    """A host that is down may come back."""
    with serving(never_answer) as server:
        pass
    failure = failure_of(downloader, server.url)
    assert (failure.code, failure.retryable) == ("connect_failed", True)


@pytest.mark.parametrize(
    ("errno", "retryable"),
    [pytest.param(socket.EAI_NONAME, False, id="unknown"), pytest.param(socket.EAI_AGAIN, True, id="temporary")],
)
def test_tells_unknown_names_from_temporary_failures(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, errno: int, retryable: bool
) -> None:
    """An unknown name is final; a failure of the name server is retryable."""

    def getaddrinfo(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(errno, "no")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    failure = failure_of(downloader, "http://images.example/shoe.jpg")
    assert (failure.code, failure.retryable) == ("dns_failed", retryable)
    assert "images.example" in failure.detail


def test_refuses_a_self_signed_certificate(downloader: Downloader, tmp_path: Path) -> None:
    """The failure is final."""
    context, _ = self_signed(tmp_path)
    with serving(keep_alive, tls=context) as server:
        failure = failure_of(downloader, server.url)
    assert (failure.code, failure.retryable) == ("tls_failed", False)


def test_refuses_plain_http_on_an_https_url(downloader: Downloader) -> None:
    """A server that answers without TLS fails with `tls_failed`."""

    def answer_plainly(connection: socket.socket, _server: Server) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(answer_plainly) as server:
        assert failure_of(downloader, server.url.replace("http:", "https:")).code == "tls_failed"


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (401, False), (403, False), (404, False), (410, False), (304, False),
                              (408, True), (429, True), (500, True), (502, True), (503, True)],
)  # fmt: skip
def test_http_errors_carry_their_status(
    downloader: Downloader, httpserver: HTTPServer, status: int, retryable: bool
) -> None:
    """The code names the status; temporary errors are retryable."""
    httpserver.expect_request("/shoe.jpg").respond_with_data("no", status=status)
    failure = failure_of(downloader, httpserver.url_for("/shoe.jpg"))
    assert (failure.code, failure.retryable) == (f"http_{status}", retryable)
    assert failure.retry_after is None


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        pytest.param("17", 17, 17, id="seconds"),
        pytest.param("0", 0, 0, id="now"),
        pytest.param("999999999", 3600, 3600, id="capped"),
        pytest.param(format_datetime(datetime.now(timezone.utc) + timedelta(days=2)), 3600, 3600, id="date-capped"),
        pytest.param(format_datetime(datetime(2000, 1, 1, tzinfo=timezone.utc)), 0, 0, id="date-past"),
        pytest.param("Sat, 01 Jan 2000 00:00:00 -0000", 0, 0, id="date-without-zone"),
        pytest.param("soon", None, None, id="nonsense"),
        pytest.param("-5", None, None, id="negative"),
        pytest.param("9" * 5000, None, None, id="huge"),
        pytest.param("Sat, 01 Jan 2000 00:00:00 +99999999999999", None, None, id="impossible-zone"),
    ],
)
def test_honours_retry_after(
    downloader: Downloader, httpserver: HTTPServer, value: str, least: float | None, most: float | None
) -> None:
    """Both forms of Retry-After count, up to a cap; invalid values are ignored."""
    httpserver.expect_request("/shoe.jpg").respond_with_data("no", status=429, headers={"Retry-After": value})
    assert least == failure_of(downloader, httpserver.url_for("/shoe.jpg")).retry_after == most


def redirect(location: str) -> Behaviour:
    """A redirect to `location`."""
    return answer(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ", location.encode(), b"\r\n\r\n")


def test_a_path_that_begins_with_two_slashes_names_no_host(downloader: Downloader, httpserver: HTTPServer) -> None:
    """The path is requested from the host whose address was checked."""
    httpserver.expect_request("/images.example:x/shoe.jpg").respond_with_data(b"shoe")
    assert downloader.download(httpserver.url_for("/") + "/images.example:x/shoe.jpg").body == b"shoe"


def test_follows_three_redirects(downloader: Downloader, httpserver: HTTPServer) -> None:
    """They may be relative, absolute, or have a query."""
    httpserver.expect_request("/1").respond_with_data(status=301, headers={"Location": "2?size=1"})
    httpserver.expect_request("/2").respond_with_data(status=307, headers={"Location": httpserver.url_for("/3")})
    httpserver.expect_request("/3").respond_with_data(status=303, headers={"Location": httpserver.url_for("/4")[5:]})
    httpserver.expect_request("/4").respond_with_data(b"picture")
    assert downloader.download(httpserver.url_for("/1")).body == b"picture"


def test_follows_a_redirect_written_in_utf8(downloader: Downloader, httpserver: HTTPServer) -> None:
    """A Location without percent-encoding is read as UTF-8."""
    httpserver.expect_request("/schöner-schuh").respond_with_data(b"picture")
    with serving(redirect(f"http://127.0.0.1:{httpserver.port}/schöner-schuh")) as server:
        assert downloader.download(server.url).body == b"picture"


def test_stops_after_ten_redirects(downloader: Downloader) -> None:
    """A loop ends at the eleventh redirect."""
    with serving(redirect("/")) as server:
        assert failure_of(downloader, server.url).code == "too_many_redirects"
        assert server.connections == 11


@pytest.mark.parametrize(
    ("location", "code"),
    [
        pytest.param("http://169.254.169.254/latest/meta-data/", "forbidden_address", id="metadata"),
        pytest.param("http://[::ffff:10.0.0.1]/", "forbidden_address", id="private"),
        pytest.param("file:///etc/passwd", "invalid_url", id="file"),
        pytest.param("gopher://127.0.0.1:6379/_FLUSHALL", "invalid_url", id="gopher"),
        pytest.param("http://user:secret@127.0.0.1/", "invalid_url", id="password"),
        pytest.param("http://[", "invalid_url", id="not-a-url"),
    ],
)
def test_checks_where_a_redirect_leads(downloader: Downloader, location: str, code: str) -> None:
    """Every hop is checked like the first URL."""
    with serving(redirect(location)) as server:
        failure = failure_of(downloader, server.url)
    assert failure.code == code
    assert "secret" not in failure.detail


def test_a_redirect_to_a_forbidden_address_is_not_followed() -> None:
    """Its server is on an allowed network, its target is not."""
    with serving(never_answer, host="127.0.0.2") as canary, serving(redirect(canary.url)) as server:
        downloader = make_downloader(allowed_networks=[ip_network("127.0.0.1/32")])
        assert failure_of(downloader, server.url).code == "forbidden_address"
        downloader.close()
        assert (server.connections, canary.connections) == (1, 0)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::ffff:7f00:1]", "0"]
)
def test_a_forbidden_address_is_not_dialled(host: str) -> None:
    """A canary on loopback gets no connection, however its address is spelled."""
    with serving(never_answer) as canary:
        downloader = make_downloader(allowed_networks=())
        assert failure_of(downloader, f"http://{host}:{canary.port}/").code == "forbidden_address"
        downloader.close()
        assert canary.connections == 0


def test_a_name_that_resolves_to_loopback_is_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary listens on an open port and gets no connection."""
    with serving(never_answer) as canary:
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", canary.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        downloader = make_downloader(allowed_networks=())
        assert failure_of(downloader, "http://images.example/shoe.jpg").code == "forbidden_address"
        downloader.close()
        assert canary.connections == 0


def test_reads_no_proxy_from_the_environment(
    downloader: Downloader, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would bypass every address check."""
    httpserver.expect_request("/shoe.jpg").respond_with_data(b"picture")
    with serving(never_answer) as canary:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, canary.url)
        assert downloader.download(httpserver.url_for("/shoe.jpg")).body == b"picture"
        assert canary.connections == 0


def test_keeps_connections_alive_but_no_cookies(downloader: Downloader) -> None:
    """Downloads from one host share a connection and no other state."""
    heads = []

    def note_request(connection: socket.socket, server: Server) -> None:
        while head := read_request(connection):
            heads.append(head)
            connection.sendall(OK + b"Content-Length: 2\r\nSet-Cookie: a=b; Path=/\r\n\r\nok")

    with serving(note_request) as server:
        for _ in range(3):
            assert downloader.download(server.url).body == b"ok"
        assert server.connections == 1
    assert len(heads) == 3
    assert not any(b"cookie" in head.lower() for head in heads)


def test_keeps_a_connection_alive_after_an_error(downloader: Downloader) -> None:
    """A short error page does not close the connection."""

    def refuse(connection: socket.socket, _server: Server) -> None:
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno")

    with serving(refuse) as server:
        for _ in range(3):
            assert failure_of(downloader, server.url).code == "http_404"
        assert server.connections == 1


def test_a_connection_dropped_while_idle_is_replaced(downloader: Downloader) -> None:
    """The host closes it between two downloads, and the second succeeds."""
    with serving(answer(OK, b"Content-Length: 2\r\n\r\nok")) as server:
        assert downloader.download(server.url).body == b"ok"
        assert downloader.download(server.url).body == b"ok"
        assert server.connections == 2


def test_a_connection_dropped_while_in_use_is_replaced(downloader: Downloader) -> None:
    """The host closes it as the second download begins, and the download is tried once more."""

    def hang_up_on_the_second(connection: socket.socket, _server: Server) -> None:
        for reply in (OK + b"Content-Length: 2\r\n\r\nok", b""):
            read_request(connection)
            connection.sendall(reply)

    with serving(hang_up_on_the_second) as server:
        assert downloader.download(server.url).body == b"ok"
        assert downloader.download(server.url).body == b"ok"
        assert server.connections == 2


def test_reaches_hosts_over_ipv6(downloader: Downloader) -> None:
    """An IPv6 host works like any other."""
    with serving(keep_alive, host="::1") as server:
        assert downloader.download(server.url).body == b"ok"


def test_serves_several_threads_at_once(downloader: Downloader, httpserver: HTTPServer) -> None:
    """Threads that share a downloader each get their own image."""
    for number in range(40):
        httpserver.expect_request(f"/{number}").respond_with_data(str(number))
    urls = [httpserver.url_for(f"/{number}") for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        bodies = [download.body for download in threads.map(downloader.download, urls)]
    assert bodies == [str(number).encode() for number in range(40)]


def test_a_timeout_ends_only_its_own_download(hasty: Downloader) -> None:
    """The deadline closes only its own connection, and the next download can use the slot."""
    with serving(never_answer) as slow, serving(keep_alive) as fast, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(failure_of, hasty, slow.url)
        while not waiting.done():
            assert hasty.download(fast.url).body == b"ok"
        assert waiting.result().code == "timeout"
        assert hasty.download(fast.url).body == b"ok"
        assert fast.connections == 1
