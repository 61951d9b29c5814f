"""Which addresses, hosts and URLs imgproc may connect to. No test here uses the network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import NoReturn

import pytest
from urllib3.util import parse_url

from imgproc.core.delivery_errors import DeliveryError
from imgproc.core.errors import ForbiddenAddress, InvalidInput
from imgproc.pipeline.http.addresses import check_address, check_url, is_public, literal_address
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, explain
from imgproc.pipeline.http.session import GuardedSession
from imgproc.pipeline.notify import Notifier, generate_secret, sign

SHOE = parse_url("http://images.example/shoe.jpg")

SPECIAL = {
    "this-host": "0.0.0.0",
    "this-network": "0.1.2.3",
    "private-10": "10.0.0.1",
    "carrier-nat": "100.64.0.1",
    "metadata-alibaba": "100.100.100.200",
    "loopback": "127.0.0.1",
    "loopback-last": "127.255.255.255",
    "link-local": "169.254.0.1",
    "metadata": "169.254.169.254",
    "metadata-containers": "169.254.170.2",
    "private-172": "172.16.0.1",
    "private-172-last": "172.31.255.255",
    "ietf": "192.0.0.1",
    "metadata-oracle": "192.0.0.192",
    "pcp-anycast": "192.0.0.9",
    "test-net-1": "192.0.2.1",
    "as112": "192.31.196.1",
    "amt": "192.52.193.1",
    "6to4-relay": "192.88.99.1",
    "private-192": "192.168.0.1",
    "as112-direct": "192.175.48.1",
    "benchmark": "198.18.0.1",
    "benchmark-last": "198.19.255.255",
    "test-net-2": "198.51.100.1",
    "test-net-3": "203.0.113.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "metadata-azure": "168.63.129.16",
    "v6-unspecified": "::",
    "v6-loopback": "::1",
    "v6-discard": "100::1",
    "v6-dummy": "100:0:0:1::1",
    "v6-benchmark": "2001:2::1",
    "v6-orchid": "2001:10::1",
    "v6-orchid-2": "2001:20::1",
    "v6-drone": "2001:30::1",
    "v6-documentation": "2001:db8::1",
    "v6-documentation-2": "3fff::1",
    "v6-as112": "2620:4f:8000::1",
    "v6-segment-routing": "5f00::1",
    "v6-unique-local": "fc00::1",
    "v6-metadata": "fd00:ec2::254",
    "v6-link-local": "fe80::1",
    "v6-site-local": "fec0::1",
    "v6-multicast": "ff02::1",
    "v6-unassigned": "4000::1",
    "mapped-loopback": "::ffff:127.0.0.1",
    "mapped-metadata": "::ffff:169.254.169.254",
    "translated": "::ffff:0:127.0.0.1",
    "compatible": "::127.0.0.1",
    "compatible-public": "::93.184.215.14",
    "nat64-loopback": "64:ff9b::7f00:1",
    "nat64-metadata": "64:ff9b::169.254.169.254",
    "nat64-local": "64:ff9b:1::5db8:d70e",
    "6to4-loopback": "2002:7f00:1::",
    "6to4-public": "2002:5db8:d70e::1",
    "teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "isatap-loopback": "2606:4700::5efe:127.0.0.1",
    "isatap-universal": "2606:4700::200:5efe:10.0.0.1",
}
# Every block of the IANA Special-Purpose Address Registries (RFC 6890 and its updates), multicast, and embedded IPv4.
REGISTRY = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
255.255.255.255/32 224.0.0.0/4
::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128
2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 2620:4f:8000::/48
3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
::ffff:0:0/112 ::ffff:127.0.0.0/104 64:ff9b::10.0.0.0/104 64:ff9b::192.168.0.0/112
"""
PUBLIC = {
    "v4": "93.184.215.14",
    "v4-after-10": "11.0.0.0",
    "v4-before-carrier-nat": "100.63.255.255",
    "v4-after-carrier-nat": "100.128.0.0",
    "v4-after-loopback": "128.0.0.0",
    "v4-before-private-172": "172.15.255.255",
    "v4-after-private-172": "172.32.0.0",
    "v4-before-multicast": "223.255.255.255",
    "v6": "2606:4700:4700::1111",
    "v6-after-ietf": "2001:200::1",
    "mapped": "::ffff:93.184.215.14",
    "nat64": "64:ff9b::93.184.215.14",
}
# Spellings of 127.0.0.1 and other local hosts that some library accepts.
LOOPBACK_HOSTS = {
    "plain": "127.0.0.1",
    "trailing-dot": "127.0.0.1.",
    "short": "127.1",
    "decimal": "2130706433",
    "octal": "0177.0.0.1",
    "octal-whole": "017700000001",
    "hex": "0x7f.0.0.1",
    "hex-whole": "0x7F000001",
    "mixed": "0x7f.0.1",
    "zero": "0",
    "percent-encoded": "%31%32%37.0.0.1",
    "v6": "[::1]",
    "v6-long": "[0:0:0:0:0:0:0:1]",
    "mapped": "[::ffff:127.0.0.1]",
    "mapped-hex": "[::ffff:7f00:1]",
    "compatible": "[::127.0.0.1]",
    "zone-id": "[fe80::1%25lo]",
    "zone-id-on-public": "[2606:4700:4700::1111%25eth0]",
    "localhost": "localhost",
    "localhost-capitals": "LOCALHOST",
    "localhost-dot": "localhost.",
    "localhost-sub": "shop.localhost",
}
UNREADABLE_URLS = {
    "empty": "",
    "relative": "/shoe.jpg",
    "no-scheme": "example.com/shoe.jpg",
    "no-host": "http:///shoe.jpg",
    "file": "file:///etc/passwd",
    "ftp": "ftp://example.com/shoe.jpg",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "data": "data:image/png;base64,AAAA",
    "javascript": "javascript:alert(1)",
    "http-like": "httpx://example.com/",
    "user": "http://user@example.com/",
    "user-and-password": "http://user:secret@example.com/",
    "user-that-looks-like-a-host": "http://example.com:80@127.0.0.1/",
    "full-width-digits": "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "circled-digits": "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "ideographic-dots": "http://127\u30020\u30020\u30021/",
    "circled-letter": "http://\u24dbocalhost/",
    "two-trailing-dots": "http://127.0.0.1../",
    "empty-label": "http://a..b/",
    "long-label": f"http://{'a' * 64}.com/",
    "space-in-host": "http://exam ple.com/",
    "newline": "http://example.com/\r\nHost: 127.0.0.1",
    "nul": "http://example.com/\0",
    "open-bracket": "http://[::1/",
    "port-too-large": "http://example.com:65536/",
    "two-ports": "http://127.0.0.1:80:80/",
}


def table(cases: dict[str, str]) -> list[object]:
    """Named cases for `parametrize`."""
    return [pytest.param(value, id=name) for name, value in cases.items()]


@pytest.mark.parametrize("address", table(SPECIAL))
def test_special_purpose_addresses_are_not_public(address: str) -> None:
    """No address in a special-purpose range is public, also if it is embedded in IPv6."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("block", REGISTRY.split())
def test_no_block_of_the_registries_is_public(block: str) -> None:
    """Its first, last and middle address are not public."""
    network = ip_network(block)
    for address in (network[0], network[-1], network[network.num_addresses // 2]):
        assert not is_public(address), address


@pytest.mark.parametrize("address", table(PUBLIC))
def test_ordinary_addresses_are_public(address: str) -> None:
    """Addresses just outside the special-purpose ranges are public."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", table(LOOPBACK_HOSTS))
def test_refuses_every_spelling_of_a_private_host(host: str) -> None:
    """Any spelling of a private address is refused without a DNS look-up."""
    with pytest.raises(ForbiddenAddress):
        check_url(f"http://{host}/shoe.jpg", allowed_networks=())


@pytest.mark.parametrize("url", table(UNREADABLE_URLS))
def test_refuses_other_than_plain_http_urls(url: str) -> None:
    """Other schemes, user names and anything that two parsers could read differently are invalid."""
    with pytest.raises(InvalidInput) as caught:
        check_url(url, allowed_networks=())
    assert caught.value.code == "invalid_url"
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "host"),
    [
        pytest.param("http://example.com/a b.jpg?size=1#top", "example.com", id="plain"),
        pytest.param("HTTPS://EXAMPLE.com:443/", "example.com", id="capitals-and-port"),
        pytest.param("http://bücher.example/", "xn--bcher-kva.example", id="international"),
        pytest.param("http://1.1/", "1.1", id="short-public-address"),
        pytest.param("http://[2606:4700:4700::1111]/", "[2606:4700:4700::1111]", id="public-v6"),
        pytest.param("http://example.com\\@127.0.0.1/", "example.com", id="backslash-is-path"),
    ],
)
def test_accepts_ordinary_urls(url: str, host: str) -> None:
    """An accepted URL is returned in parts."""
    assert check_url(url, allowed_networks=()).host == host


@pytest.mark.parametrize("url", ["http://93.184.215.14:8080/", "http://example.com:22/", "https://example.com:6379/"])
def test_refuses_other_ports(url: str) -> None:
    """On public addresses only ports 80 and 443 are allowed."""
    with pytest.raises(ForbiddenAddress, match="use port 80 or 443"):
        check_url(url, allowed_networks=())


@pytest.mark.parametrize(
    ("address", "port", "allowed"),
    [
        pytest.param("10.1.2.3", 9000, True, id="named"),
        pytest.param("::ffff:10.1.2.3", 9000, True, id="named-mapped"),
        pytest.param("fd00::5", 22, True, id="named-v6"),
        pytest.param("10.2.0.0", 80, False, id="neighbour"),
        pytest.param("127.0.0.1", 80, False, id="not-named"),
        pytest.param("64:ff9b::10.1.2.3", 80, False, id="named-behind-nat64"),
        pytest.param("fd00::5%eth0", 80, False, id="named-with-zone"),
        pytest.param("93.184.215.14", 443, True, id="public"),
        pytest.param("93.184.215.14", 9000, False, id="public-other-port"),
    ],
)
def test_allowed_networks_allow_only_themselves(address: str, port: int, allowed: bool) -> None:
    """An allowed network may be reached on every port; other private networks stay refused."""
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00::/64"))
    refused = False
    try:
        check_address(ip_address(address), port, host="example.com", allowed_networks=networks)
    except ForbiddenAddress:
        refused = True
    assert refused is not allowed


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.5", "08.8.8.8", "a", "256.1.1.1", ""])
def test_names_are_not_literal_addresses(host: str) -> None:
    """The C library would look these hosts up in DNS."""
    assert literal_address(host) is None


ResolveTo = Callable[[list[list[str]]], None]
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]


class Dialled(Exception):
    """Raised in place of a connection."""


@pytest.fixture
def resolve_to(monkeypatch: pytest.MonkeyPatch) -> ResolveTo:
    """Answer each look-up with the next entry of a list, and prevent connections."""
    answers: list[list[str]] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[AddressInfo]:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answers.pop(0)
        ]

    def connect(_socket: socket.socket, address: tuple[str, int]) -> NoReturn:
        raise Dialled(address[0])

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return answers.extend


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["10.0.0.1"], id="private"),
        pytest.param(["93.184.215.14", "169.254.169.254"], id="public-then-metadata"),
        pytest.param(["::1", "93.184.215.14"], id="loopback-then-public"),
        pytest.param(["64:ff9b::7f00:1"], id="nat64"),
    ],
)
def test_refuses_a_name_with_any_forbidden_address(resolve_to: ResolveTo, addresses: list[str]) -> None:
    """One forbidden address in the DNS answer is enough; none is dialled, and the error names none."""
    resolve_to([addresses])
    with GuardedSession(allowed_networks=()) as session, Deadline(5) as deadline:
        with pytest.raises(NETWORK_ERRORS) as caught:
            session.request("GET", SHOE, headers={})
        failure = explain(caught.value, host="images.example", deadline=deadline)
    assert failure.code == "forbidden_address"
    assert not any(address in failure.detail for address in addresses)


def test_dials_the_address_that_was_checked(resolve_to: ResolveTo) -> None:
    """The name is looked up once, so a later DNS answer cannot replace the checked address."""
    resolve_to([["93.184.215.14"], ["127.0.0.1"]])
    with (
        GuardedSession(allowed_networks=()) as session,
        Deadline(5),
        pytest.raises(Dialled, match=r"93\.184\.215\.14"),
    ):
        session.request("GET", SHOE, headers={})


def test_checks_a_name_again_for_each_connection(resolve_to: ResolveTo) -> None:
    """A second connection looks the name up again, and is refused if the new address is forbidden."""
    resolve_to([["93.184.215.14"], ["169.254.169.254"]])
    with GuardedSession(allowed_networks=()) as session, Deadline(5) as deadline:
        with pytest.raises(Dialled):
            session.request("GET", SHOE, headers={})
        with pytest.raises(NETWORK_ERRORS) as caught:
            session.request("GET", SHOE, headers={})
        assert explain(caught.value, host="images.example", deadline=deadline).code == "forbidden_address"


def test_checks_a_webhook_at_the_upload_and_at_each_attempt(resolve_to: ResolveTo) -> None:
    """Each attempt looks the name up again, because its address may have changed since the upload."""
    resolve_to([["10.0.0.1"], ["93.184.215.14", "127.0.0.1"]])
    url = "https://shop.example/hook"
    assert check_url(url, allowed_networks=()).host == "shop.example"
    notifier = Notifier(allowed_networks=())
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            notifier.notify(url, sign({}, webhook_id="msg_1", secrets=[generate_secret()]))
        assert caught.value.code == "forbidden_address"
    notifier.close()


def test_refuses_a_peer_other_than_the_one_dialled(resolve_to: ResolveTo, monkeypatch: pytest.MonkeyPatch) -> None:
    """After connecting, the address of the peer is checked as well."""
    resolve_to([["93.184.215.14"]])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("::ffff:127.0.0.1", 80, 0, 0))
    with GuardedSession(allowed_networks=()) as session, Deadline(5) as deadline:
        with pytest.raises(NETWORK_ERRORS) as caught:
            session.request("GET", SHOE, headers={})
        assert explain(caught.value, host="images.example", deadline=deadline).code == "forbidden_address"


def test_nothing_is_sent_without_a_deadline() -> None:
    """A request without a deadline raises before anything is sent."""
    with GuardedSession(allowed_networks=()) as session, pytest.raises(LookupError):
        session.request("GET", SHOE, headers={})
