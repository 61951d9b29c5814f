"""Addresses and host names: the subscriber of an address, the names of loopback, the receiver that a URL names."""

from __future__ import annotations

import ipaddress
import re

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

PORTS = {"http": 80, "https": 443}
MAX_RECEIVER = 300  # characters; a host name has at most 253
V6_PREFIX = 64  # bits of the network that one subscriber has
HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]{0,5})?")
LOCALHOST = re.compile(r"(?:[a-z0-9_-]+\.){0,9}localhost\.?")


def subscriber(text: str) -> str:
    """The subscriber that an address belongs to: the IPv4 address itself, or the IPv6 network of V6_PREFIX bits.

    A text that is no address, which a proxy may send, is returned as it is.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped:  # how a socket for both families shows IPv4 callers
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), V6_PREFIX), strict=False))


def bracketed(address: str) -> str:
    """An address or a name for use in a URL: IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{address}]" if ":" in address else address


def receiver_of(url: str) -> str:
    """The host and the port of a URL, `shop.example:443`: the same for every spelling of one receiver."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return ""
    host = (parts.host or "").lower().rstrip(".")
    return f"{host}:{parts.port or PORTS.get(parts.scheme or '')}"[:MAX_RECEIVER]


def is_loopback(host: str) -> bool:
    """Whether a `Host` header (RFC 9110, 7.2) always means loopback.

    `localhost` and names below it are never resolved by a name server (RFC 6761, 6.3). Any other name may resolve to
    any address, and to another one later.
    """
    parts = HOST.fullmatch(host.lower())
    if not parts:
        return False
    if parts["name"] and LOCALHOST.fullmatch(parts["name"]):
        return True
    try:
        address = ipaddress.ip_address(parts["v6"] or parts["name"])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
