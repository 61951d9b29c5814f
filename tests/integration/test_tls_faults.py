"""TLS servers on loopback with every kind of wrong certificate, and those that only leave out an intermediate one."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from urllib3.util import Url, parse_url

from imgproc.core.errors import HostWait
from imgproc.core.metrics import StageSeconds
from imgproc.pipeline.http.aia import MOST_FETCHES
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, Failure, explain
from imgproc.pipeline.http.host_gate import Answer, Trouble
from imgproc.pipeline.http.session import GuardedSession
from tests.support.certificates import Issued, issue
from tests.support.hostile_servers import Server, answer, keep_alive, never_answer, read_request, serving

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@dataclass(frozen=True)
class Authorities:
    """A trusted root, an intermediate authority below it, and an authority that nobody trusts."""

    root: Issued
    middle: Issued
    stranger: Issued
    trusted: str


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """The authorities of all tests here."""
    root = issue("Root", authority=True)
    middle = issue("Middle", by=root, authority=True)
    return Authorities(root, middle, issue("Stranger", authority=True), root.file(tmp_path_factory.mktemp("trusted")))


@pytest.fixture
def session(authorities: Authorities) -> Iterator[GuardedSession]:
    """A session that trusts the root."""
    with GuardedSession(allowed_networks=LOOPBACK, ca_certs=authorities.trusted) as session:
        yield session


def failure_of(session: GuardedSession, url: str | Url, *, seconds: float = 5) -> Failure:
    """The failure of a request."""
    with Deadline(seconds) as deadline, pytest.raises(NETWORK_ERRORS) as caught:
        get(session, url)
    return explain(caught.value, host="shop.example", deadline=deadline)


def get(session: GuardedSession, url: str | Url) -> bytes:
    """The two bytes that the servers here send."""
    body = session.request("GET", parse_url(url) if isinstance(url, str) else url, headers={}).read(2)
    session.close()  # The next request makes a handshake of its own.
    return body


WRONG: dict[str, tuple[Callable[[Authorities], ssl.SSLContext], str]] = {
    "expired": (lambda known: issue("x", by=known.root, days=(-30, -1)).server(), "expired"),
    "not yet valid": (lambda known: issue("x", by=known.root, days=(1, 30)).server(), "not valid yet"),
    "self-signed": (lambda known: issue("x").server(), "self-signed"),
    "of an unknown authority": (lambda known: issue("x", by=known.stranger).server(), "not trusted"),
    "of a private authority that it sends too": (
        lambda known: issue("x", by=known.stranger).server(known.stranger),
        "private authority",
    ),
    "for another address": (lambda known: issue("x", by=known.root, hosts=["127.0.0.2"]).server(), "another name"),
    "for another name": (lambda known: issue("x", by=known.root, hosts=["other.example"]).server(), "another name"),
    "with a missing intermediate": (lambda known: issue("x", by=known.middle).server(), "incomplete chain"),
    "below an expired authority": (
        lambda known: issue("x", by=(old := issue("Old", by=known.root, authority=True, days=(-9, -1)))).server(old),
        "expired",
    ),
    "with a weak key": (
        lambda known: _lenient(
            issue("x", by=known.root, key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
        ),
        "weak key",
    ),
}


def _lenient(issued: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return issued.server(into=context)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_certificate_is_told_from_others(session: GuardedSession, authorities: Authorities, name: str) -> None:
    """The sentence says what is wrong with it and what to do; trying again does not help."""
    context, words = WRONG[name]
    with serving(keep_alive, tls=context(authorities)) as server:
        failure = failure_of(session, server.url)
    assert (failure.code, failure.retryable, failure.trouble) == ("tls_failed", False, None)
    assert words in failure.detail
    assert failure.detail.startswith("shop.example ")
    assert "; " in failure.detail


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_version_of_tls_is_named(session: GuardedSession, authorities: Authorities) -> None:
    """TLS 1.0 alone is not enough."""
    context = issue("x", by=authorities.root).server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    with serving(keep_alive, tls=context) as server:
        failure = failure_of(session, server.url)
    assert (failure.code, failure.retryable) == ("tls_failed", False)
    assert "TLS 1.2" in failure.detail


def test_no_common_cipher_is_named(session: GuardedSession, authorities: Authorities) -> None:
    """A server of ciphers without forward secrecy shares none with us."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    context = issue("x", by=authorities.root, key=key).server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("CAMELLIA256-SHA:@SECLEVEL=0")
    with serving(keep_alive, tls=context) as server:
        failure = failure_of(session, server.url)
    assert (failure.code, failure.retryable) == ("tls_failed", False)
    assert "cipher" in failure.detail


def test_a_port_without_tls_is_named(session: GuardedSession) -> None:
    """An http server answers a handshake in clear text."""
    with serving(answer(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        server.behaviour = lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        failure = failure_of(session, server.url.replace("http:", "https:"))
    assert (failure.code, failure.retryable) == ("tls_failed", False)
    assert "http://" in failure.detail


def _alert(description: int) -> Callable[[socket.socket, Server], None]:
    def behave(connection: socket.socket, _server: Server) -> None:
        connection.recv(65536)
        connection.sendall(bytes([21, 3, 3, 0, 2, 2, description]))

    return behave


@pytest.mark.parametrize(
    ("description", "retryable", "words"),
    [
        pytest.param(80, True, "try again", id="internal_error"),
        pytest.param(20, True, "damaged", id="bad_record_mac"),
        pytest.param(40, False, "cipher", id="handshake_failure"),
        pytest.param(70, False, "outdated", id="protocol_version"),
        pytest.param(112, False, "does not serve this name", id="unrecognized_name"),
        pytest.param(116, False, "certificate of the client", id="certificate_required"),
    ],
)
def test_an_alert_says_whether_to_try_again(
    session: GuardedSession, description: int, retryable: bool, words: str
) -> None:
    """A fault of the moment is retryable; a refusal is not (RFC 8446, 6.2)."""
    with serving(_alert(description)) as server:
        failure = failure_of(session, server.url.replace("http:", "https:"))
    assert (failure.code, failure.retryable) == ("tls_failed", retryable)
    assert words in failure.detail


def hang_up(connection: socket.socket, _server: Server) -> None:
    """Read the first message of the client, then close."""
    connection.recv(65536)


def test_a_connection_that_ends_in_the_handshake_is_retryable(session: GuardedSession) -> None:
    """A host that hangs up may answer the next time."""
    with serving(hang_up) as server:
        failure = failure_of(session, server.url.replace("http:", "https:"))
    assert failure.retryable
    assert failure.trouble == "away"


def test_a_corrupted_record_is_retryable(session: GuardedSession, authorities: Authorities) -> None:
    """Data damaged on its way is no fault of the picture."""

    def corrupt(stream: socket.socket, _server: Server) -> None:
        read_request(stream)
        with socket.socket(fileno=stream.detach()) as bare:
            bare.sendall(bytes([23, 3, 3, 0, 40]) + bytes(40))

    with serving(corrupt, tls=issue("x", by=authorities.root).server()) as server:
        failure = failure_of(session, server.url)
    assert (failure.code, failure.retryable) == ("tls_failed", True)


# -- names with an underscore -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "served"),
    [
        pytest.param(["*.shops.example"], True, id="wildcard"),
        pytest.param(["my_shop.shops.example"], True, id="the name itself"),
        pytest.param(["*.example"], False, id="wildcard of another level"),
        pytest.param(["my-shop.shops.example"], False, id="another name"),
        pytest.param(["127.0.0.1"], False, id="an address"),
    ],
)
def test_a_wildcard_serves_a_name_with_an_underscore(
    session: GuardedSession, authorities: Authorities, monkeypatch: pytest.MonkeyPatch, names: list[str], served: bool
) -> None:
    """As in browsers, a wildcard stands for any one label; the chain must be trusted all the same."""
    resolve_to_loopback(monkeypatch)
    with serving(keep_alive, tls=issue("x", by=authorities.root, hosts=names).server()) as server:
        url = f"https://my_shop.shops.example:{server.port}/"
        if served:
            with Deadline(5):
                assert get(session, url) == b"ok"
        else:
            assert "another name" in failure_of(session, url).detail
    with serving(keep_alive, tls=issue("x", by=authorities.stranger, hosts=names).server()) as server:
        assert "not trusted" in failure_of(session, f"https://my_shop.shops.example:{server.port}/").detail


def resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every name resolve to 127.0.0.1."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *args, **options: real("127.0.0.1", *args, **options))


# -- intermediate certificates that the host leaves out --------------------------------------------------------------


@dataclass
class Library:
    """A web server of certificates; `files` are its bodies by path, and `asked` the paths that were asked for."""

    url: str
    files: dict[str, bytes]
    asked: list[str]


@pytest.fixture
def library() -> Iterator[Library]:
    """A running library."""
    files: dict[str, bytes] = {}
    asked: list[str] = []

    def behave(connection: socket.socket, _server: Server) -> None:
        while head := read_request(connection):
            path = head.split(b" ")[1].decode()
            asked.append(path)
            body = files.get(path)
            status = b"404 No" if body is None else body if body.startswith(b"30") else b"200 OK"
            body = body if status == b"200 OK" and body is not None else b""
            connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    with serving(behave) as server:
        yield Library(server.url, files, asked)


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda middle: middle.der, id="DER"),
        pytest.param(lambda middle: middle.pkcs7, id="PKCS 7"),
        pytest.param(lambda middle: middle.pem, id="PEM"),
    ],
)
def test_a_missing_intermediate_is_fetched_once(
    session: GuardedSession, authorities: Authorities, library: Library, encode: Callable[[Issued], bytes]
) -> None:
    """The second host of the same authority costs no second fetch."""
    library.files["/middle"] = encode(authorities.middle)
    leaf = issue("x", by=authorities.middle, aia=[f"{library.url}middle"])
    with serving(keep_alive, tls=leaf.server()) as one, serving(keep_alive, tls=leaf.server()) as other, Deadline(5):
        assert [get(session, url) for url in (one.url, other.url, one.url)] == [b"ok"] * 3
    assert library.asked == ["/middle"]


def test_the_handshake_is_measured_apart_from_the_connection(session: GuardedSession, authorities: Authorities) -> None:
    """Over a connection that is open already, neither takes place."""
    leaf, stages = issue("x", by=authorities.root), []
    with serving(keep_alive, tls=leaf.server()) as server:
        for _ in range(2):
            spent: StageSeconds = {}
            with Deadline(5, spent=spent), session.request("GET", parse_url(server.url), headers={}) as response:
                response.read(2)
            stages.append(set(spent))
    assert stages == [{"connect", "tls", "first_byte"}, {"first_byte"}]


def test_two_missing_intermediates_are_fetched(
    session: GuardedSession, authorities: Authorities, library: Library
) -> None:
    """The certificate that was fetched may name its own issuer."""
    lower = issue("Lower", by=authorities.middle, authority=True, aia=[f"{library.url}middle"])
    library.files |= {"/middle": authorities.middle.der, "/lower": lower.der}
    leaf = issue("x", by=lower, aia=["ldap://dir.example/x", f"{library.url}gone", f"{library.url}lower"])
    with serving(keep_alive, tls=leaf.server()) as server, Deadline(5):
        assert get(session, server.url) == b"ok"
    assert library.asked == ["/gone", "/lower", "/middle"]


def test_no_certificate_that_was_fetched_is_trusted(
    session: GuardedSession, authorities: Authorities, library: Library
) -> None:
    """Neither a stranger's root, nor an intermediate of one, nor a stranger who calls himself Middle."""
    below = issue("Below", by=authorities.stranger, authority=True, aia=[f"{library.url}root"])
    pretender = issue("Middle", authority=True)
    library.files |= {"/root": authorities.stranger.der, "/below": below.der, "/pretender": pretender.der}
    for leaf in (
        issue("x", by=authorities.stranger, aia=[f"{library.url}root"]),
        issue("x", by=below, aia=[f"{library.url}below"]),
        issue("x", by=pretender, aia=[f"{library.url}pretender"]),
    ):
        with serving(keep_alive, tls=leaf.server()) as server:
            failure = failure_of(session, server.url)
        assert failure.code == "tls_failed"
        assert "not trusted" in failure.detail or "self-signed" in failure.detail


def test_a_completed_chain_still_needs_the_right_name(
    session: GuardedSession, authorities: Authorities, library: Library
) -> None:
    """Completing a chain changes nothing else about the checks."""
    library.files["/middle"] = authorities.middle.der
    leaf = issue("x", by=authorities.middle, hosts=["other.example"], aia=[f"{library.url}middle"])
    with serving(keep_alive, tls=leaf.server()) as server:
        assert "another name" in failure_of(session, server.url).detail


def test_a_fetched_certificate_serves_its_own_host_alone(
    session: GuardedSession, authorities: Authorities, library: Library
) -> None:
    """Another host of the same authority that names no place for it stays incomplete."""
    library.files["/middle"] = authorities.middle.der
    leaf = issue("x", by=authorities.middle, aia=[f"{library.url}middle"])
    with serving(keep_alive, tls=leaf.server()) as server, Deadline(5):
        get(session, server.url)
    with serving(keep_alive, tls=issue("x", by=authorities.middle).server()) as server:
        assert "incomplete chain" in failure_of(session, server.url).detail


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="404"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>sorry</html>", id="a page"),
        pytest.param(b"\x30\x82\xff\xff" + bytes(100), id="noise"),
        pytest.param(bytes(70_000), id="70 kB"),
        pytest.param(b"302 Found\r\nLocation: /middle", id="a redirect"),
    ],
)
def test_an_answer_without_the_certificate_is_told(
    session: GuardedSession, authorities: Authorities, library: Library, body: bytes | None
) -> None:
    """It may be there the next time, and is not asked for again at once."""
    library.files["/middle"] = authorities.middle.der
    if body is not None:
        library.files["/x"] = body
    leaf = issue("x", by=authorities.middle, aia=[f"{library.url}x"])
    with serving(keep_alive, tls=leaf.server()) as server:
        for _ in range(2):
            failure = failure_of(session, server.url)
            assert (failure.code, failure.retryable) == ("tls_failed", True)
            assert "leaves out an intermediate certificate" in failure.detail
    assert library.asked == ["/x"]


def test_the_certificates_of_strangers_send_few_requests_to_a_host(
    session: GuardedSession, authorities: Authorities, library: Library
) -> None:
    """Many hosts whose certificates name one victim cost it no more than a few requests a minute."""
    for number in range(MOST_FETCHES + 3):
        leaf = issue("x", by=authorities.middle, aia=[f"{library.url}{number}"])
        with serving(keep_alive, tls=leaf.server()) as server:
            failure_of(session, server.url)
    assert len(library.asked) == MOST_FETCHES


FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/ca.crt",
    "http://[::1]/ca.crt",
    "http://[::ffff:169.254.169.254]/ca.crt",
    "http://2130706433/ca.crt",
    "http://0x7f.1/ca.crt",
    "http://localhost/ca.crt",
    "http://shop.example:6379/ca.crt",
    "http://user:pass@shop.example/ca.crt",
    "http://rebound.example/ca.crt",
    "https://shop.example/ca.crt",
    "file:///etc/passwd",
    "ftp://shop.example/ca.crt",
    "gopher://shop.example/ca.crt",
    "http://",
]


@pytest.mark.parametrize("place", FORBIDDEN)
def test_no_certificate_leads_to_a_forbidden_address(
    authorities: Authorities, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The place that a stranger's certificate names is checked as any URL, and the refusal tells nothing about it."""
    here = "127.0.0.3"
    leaf = issue("x", by=authorities.middle, hosts=[here], aia=[place])
    dialled: set[str] = set()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def note(connection: socket.socket, address: tuple[str, int]) -> None:
        dialled.add(address[0])
        connect(connection, address)

    def resolve(host: str, *args: object, **options: object) -> object:
        return look_up("127.0.0.2" if host.endswith(".example") else host, *args, **options)  # type: ignore[arg-type]  # passed on

    networks = (ipaddress.ip_network(f"{here}/32"),)
    with (
        serving(keep_alive, host=here, tls=leaf.server()) as server,
        GuardedSession(allowed_networks=networks, ca_certs=authorities.trusted) as session,
        monkeypatch.context() as patch,
    ):
        patch.setattr(socket.socket, "connect", note)
        patch.setattr(socket, "getaddrinfo", resolve)
        failure = failure_of(session, server.url)
    assert (failure.code, dialled) == ("tls_failed", {here})
    assert "127.0.0.2" not in failure.detail


def test_a_slow_place_of_a_certificate_ends_with_the_deadline(
    session: GuardedSession, authorities: Authorities
) -> None:
    """The time for it is part of the time of the download."""
    with serving(never_answer) as silent:
        leaf = issue("x", by=authorities.middle, aia=[silent.url])
        with serving(keep_alive, tls=leaf.server()) as server:
            assert failure_of(session, server.url, seconds=0.6).retryable


class Porter:
    """A gate that keeps the hosts that were asked for and the reports; it may refuse with `wait`."""

    def __init__(self, wait: HostWait | None = None) -> None:
        self.hosts: list[str] = []
        self.answers: list[Answer] = []
        self._wait = wait
        self.keep_alive = True
        self.pause: float | None = None

    @contextmanager
    def visit(self, host: str, *, again: bool) -> Iterator[Porter]:
        """Let the request through."""
        assert not again
        self.hosts.append(host)
        if self._wait:
            raise self._wait
        yield self

    def report(self, answer: Answer) -> None:
        """Keep the report."""
        self.answers.append(answer)


def behind(gate: Porter, authorities: Authorities) -> GuardedSession:
    """A session with that gate."""
    return GuardedSession(allowed_networks=LOOPBACK, ca_certs=authorities.trusted, gate=gate)


def test_a_request_for_a_certificate_passes_the_gate(authorities: Authorities, library: Library) -> None:
    """Certificates that name one host send it no more requests than pictures do."""
    library.files["/middle"] = authorities.middle.der
    leaf = issue("x", by=authorities.middle, aia=[f"{library.url}middle"])
    gate = Porter()
    with serving(keep_alive, tls=leaf.server()) as server, behind(gate, authorities) as session, Deadline(5):
        assert get(session, server.url) == b"ok"
    assert (gate.hosts, gate.answers) == ([library.url.split("/")[2]], [Answer()])


def test_a_certificate_waits_for_its_host(authorities: Authorities, library: Library) -> None:
    """The picture waits for the host of the certificate; once that is given up, the chain is incomplete."""
    leaf = issue("x", by=authorities.middle, aia=[f"{library.url}middle"])
    wait = HostWait("later", host="ca.example:80", seconds=7)
    gone = HostWait("gone", host="ca.example:80", seconds=7, gone=True)
    with serving(keep_alive, tls=leaf.server()) as server:
        with behind(Porter(wait), authorities) as session, Deadline(5), pytest.raises(HostWait):
            get(session, server.url)
        with behind(Porter(gone), authorities) as session:
            assert "leaves out an intermediate certificate" in failure_of(session, server.url).detail
    assert library.asked == []


def test_a_host_of_certificates_in_trouble_is_reported(authorities: Authorities) -> None:
    """The report keeps workers from asking it for a while."""
    gate = Porter()
    with serving(lambda connection, _: connection.close()) as broken, behind(gate, authorities) as session:
        leaf = issue("x", by=authorities.middle, aia=[f"{broken.url}middle"])
        with serving(keep_alive, tls=leaf.server()) as server:
            failure_of(session, server.url)
    assert gate.answers == [Answer(Trouble.AWAY, answered=False)]
