"""How long a download waits: for connections, for the first byte, and for a body by its speed."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from imgproc.core.errors import DownloadError
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.http import connect
from imgproc.pipeline.http.addresses import Network
from imgproc.pipeline.http.body import Pace
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.host_gate import Answer, Trouble
from imgproc.pipeline.http.session import GuardedSession
from imgproc.pipeline.http.urls import parse_url
from tests.support.hostile_servers import Server, keep_alive, never_answer, read_request, serving
from tests.unit.test_addresses import SPECIAL

LOOPBACK: Sequence[Network] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
OK = b"HTTP/1.1 200 OK\r\n"


class Gate:
    """A gate that is open and keeps what it was told."""

    keep_alive = True
    pause: float | None = None

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    @contextmanager
    def visit(self, host: str, *, again: bool) -> Iterator[Gate]:
        """Let the request through."""
        del host, again
        yield self

    def report(self, answer: Answer) -> None:
        """Keep the answer."""
        self.answers.append(answer)


def send_at(rate: float, *, size: int, alive: bool = True) -> Callable[[socket.socket, Server], None]:
    """Send a body of `size` bytes at `rate` bytes a second."""

    def behave(connection: socket.socket, server: Server) -> None:
        read_request(connection)
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % size)
        for start in range(0, size, piece := max(1, int(rate / 50))):
            if server.stopped.wait(0.02) or not alive:
                return
            connection.sendall(bytes(min(piece, size - start)))

    return behave


def failure_of(downloader: Downloader, url: str) -> DownloadError:
    """The error of downloading `url`."""
    with pytest.raises(DownloadError) as caught:
        downloader.download(url)
    downloader.close()
    return caught.value


# The real speeds with a twentieth of the real patience.
SCALED = Pace(seconds=0.5, least_speed=50_000)


def test_a_large_picture_at_a_fair_speed_arrives() -> None:
    """It takes longer than `timeout`, which does not count its bytes."""
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=0.3, max_bytes=2**20, pace=SCALED)
    with serving(send_at(250_000, size=200_000)) as server:
        assert len(downloader.download(server.url).body) == 200_000
    downloader.close()


@pytest.mark.parametrize("rate", [20_000, 50])
def test_a_picture_below_the_least_speed_is_given_up(rate: float) -> None:
    """It ends with the first piece that is late, although the rest would be allowed minutes."""
    gate = Gate()
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=30, max_bytes=2**26, pace=SCALED, gate=gate)
    with serving(send_at(rate, size=2**26)) as server:
        failure = failure_of(downloader, server.url)
    assert (failure.code, failure.retryable) == ("too_slow", True)
    assert "fewer than 50,000 bytes a second" in failure.detail
    assert [answer.trouble for answer in gate.answers] == [Trouble.SLOW]


def test_a_host_that_hangs_is_noticed_by_its_first_byte() -> None:
    """It does not wait for `timeout`."""
    gate, over = Gate(), threading.Event()

    def hang(_connection: socket.socket, server: Server) -> None:
        if not server.stopped.wait(8):
            over.set()

    downloader = Downloader(allowed_networks=LOOPBACK, timeout=30, max_bytes=100, pace=Pace(0.1), gate=gate)
    with serving(hang) as server:
        failure = failure_of(downloader, server.url)
    assert (failure.code, gate.answers[0].trouble, over.is_set()) == ("timeout", Trouble.SLOW, False)


def test_redirects_share_the_total() -> None:
    """Each hop answers in time, all together do not."""

    def redirect(connection: socket.socket, server: Server) -> None:
        while read_request(connection) and not server.stopped.wait(0.1):
            connection.sendall(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n")

    with serving(redirect) as server:
        downloader = Downloader(allowed_networks=LOOPBACK, timeout=0.4, max_bytes=100, pace=Pace(0.3))
        assert failure_of(downloader, server.url).code == "timeout"


# -- connecting --------------------------------------------------------------------------------------------------------


@contextmanager
def deaf(host: str, port: int) -> Iterator[None]:
    """An address that never answers a SYN: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind((host, port))
        listener.listen(0)
        queued = [socket.socket() for _ in range(2)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex((host, port))
        yield
        for each in queued:
            each.close()


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str, port: int) -> None:
    """Let every name have these addresses."""
    found = [
        (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
        for each in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def downloader_to(networks: Sequence[Network] = LOOPBACK) -> Downloader:
    """A downloader whose connections have 2 seconds."""
    return Downloader(allowed_networks=networks, timeout=2, max_bytes=100)


@pytest.mark.parametrize("dead", [["127.0.0.9"], ["127.0.0.9", "127.0.0.8"]], ids=["one", "two"])
def test_a_dead_address_costs_little(monkeypatch: pytest.MonkeyPatch, dead: list[str]) -> None:
    """The next address is dialled beside it, long before the first has failed."""
    monkeypatch.setattr(connect, "ATTEMPT_DELAY", 0.02)
    with serving(keep_alive) as server, deaf("127.0.0.9", server.port), deaf("127.0.0.8", server.port):
        resolve(monkeypatch, *dead, "127.0.0.1", port=server.port)
        downloader = downloader_to()
        assert downloader.download(f"http://shop.example:{server.port}/").body == b"ok"
        downloader.close()


def test_a_refusing_address_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next is dialled at once, also of the other family, and also if the delay were long."""
    monkeypatch.setattr(connect, "ATTEMPT_DELAY", 60)
    with serving(keep_alive) as server:
        resolve(monkeypatch, "::1", "127.0.0.7", "127.0.0.1", port=server.port)
        downloader = downloader_to()
        assert downloader.download(f"http://shop.example:{server.port}/").body == b"ok"
        downloader.close()


@pytest.mark.parametrize(
    ("addresses", "code"),
    [
        pytest.param(["127.0.0.7", "127.0.0.6"], "connect_failed", id="all refuse"),
        pytest.param(["127.0.0.9", "127.0.0.7"], "timeout", id="none answers"),
        pytest.param(["127.0.0.9"], "timeout", id="the only one is silent"),
    ],
)
def test_a_host_without_a_living_address_is_away(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], code: str
) -> None:
    """It is not slow: it never accepted a connection."""
    with serving(never_answer) as taken:
        port = taken.port
    gate = Gate()
    downloader = Downloader(allowed_networks=LOOPBACK, timeout=0.3, max_bytes=100, gate=gate)
    with deaf("127.0.0.9", port):
        resolve(monkeypatch, *addresses, port=port)
        failure = failure_of(downloader, f"http://shop.example:{port}/")
    assert (failure.code, failure.retryable, gate.answers[0].trouble) == (code, True, Trouble.AWAY)


@pytest.mark.parametrize("forbidden", SPECIAL.values())
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_forbidden_address_among_good_ones_refuses_the_host(
    monkeypatch: pytest.MonkeyPatch, forbidden: str, place: int
) -> None:
    """None of the addresses is dialled, wherever the forbidden one stands."""
    with serving(keep_alive, host="127.0.0.2") as server:
        addresses = ["127.0.0.2", "127.0.0.2"]
        addresses.insert(place, forbidden)
        resolve(monkeypatch, *addresses, port=server.port)
        downloader = downloader_to((ipaddress.ip_network("127.0.0.2/32"),))
        assert failure_of(downloader, f"http://shop.example:{server.port}/").code == "forbidden_address"
        assert server.connections == 0


# -- connections kept alive --------------------------------------------------------------------------------------------


def test_an_idle_connection_is_replaced() -> None:
    """Firewalls forget them, and then the next request hangs."""
    with (
        serving(keep_alive) as server,
        GuardedSession(allowed_networks=LOOPBACK, max_idle=0) as session,
        Deadline(5),
    ):
        for _ in range(2):
            session.request("GET", parse_url(server.url), headers={}).read()
        assert server.connections == 2


def test_a_time_out_on_a_reused_connection_is_tried_on_a_new_one() -> None:
    """The reused connection is silent; the new one answers."""
    answered = threading.Event()

    def forget(connection: socket.socket, server: Server) -> None:
        read_request(connection)
        connection.sendall(OK + b"Content-Length: 2\r\n\r\nok")
        if not answered.is_set():
            answered.set()
            server.stopped.wait()

    downloader = Downloader(allowed_networks=LOOPBACK, timeout=5, max_bytes=100, pace=Pace(0.3))
    with serving(forget) as server:
        assert [downloader.download(server.url).body for _ in range(2)] == [b"ok", b"ok"]
        assert server.connections == 2
    downloader.close()


def test_a_new_connection_is_tried_once() -> None:
    """A host that hangs up at once is not asked twice."""
    with serving(lambda connection, _: connection.close()) as server:
        assert failure_of(downloader_to(), server.url).code == "connect_failed"
        assert server.connections == 1


def test_all_idle_connections_are_forgotten_with_a_stale_one() -> None:
    """The second attempt does not take another connection that is as old."""
    gone = threading.Event()

    def serve_until_gone(connection: socket.socket, server: Server) -> None:
        fresh = gone.is_set()
        while read_request(connection):
            if gone.is_set() and not fresh:
                server.stopped.wait()
            connection.sendall(OK + b"Content-Length: 2\r\n\r\nok")

    with (
        serving(serve_until_gone) as server,
        GuardedSession(allowed_networks=LOOPBACK) as session,
        Deadline(5) as deadline,
    ):
        url = parse_url(server.url)
        open_at_once = [session.request("GET", url, headers={}) for _ in range(3)]
        for response in open_at_once:
            response.read()
        gone.set()
        deadline.step(0.3)
        assert session.request("GET", url, headers={}).read() == b"ok"
        assert server.connections == 4
