"""Who calls and by which name: whose a network address is, and whether a host name can only mean this machine."""

from __future__ import annotations

import ipaddress
import re

V6_PREFIX = 64  # bits: one subscriber commands all addresses of such a network
HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]{0,5})?")
LOCALHOST = re.compile(r"(?:[a-z0-9_-]+\.){0,9}localhost\.?")


def subscriber(said: str) -> str:
    """Whose address it is: the IPv4 address itself, or the IPv6 network of V6_PREFIX bits.

    A proxy may send something else than an address, which then stands for itself.
    """
    try:
        address = ipaddress.ip_address(said.partition("%")[0])
    except ValueError:
        return said
    if isinstance(address, ipaddress.IPv4Address):
        return said
    if address.ipv4_mapped:  # as a socket for both families shows IPv4 callers
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), V6_PREFIX), strict=False))


def bracketed(address: str) -> str:
    """An address or a name as it stands in a URL: IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{address}]" if ":" in address else address


def is_loopback(host: str) -> bool:
    """Can this `Host` (RFC 9110, 7.2: a name or an address, perhaps with a port) only mean loopback?

    `localhost` and all below it are never asked of a name server (RFC 6761, 6.3); any other name may lead anywhere,
    now here and now there.
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
