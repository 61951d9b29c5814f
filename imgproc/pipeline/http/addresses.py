"""The rules for which addresses we may connect to. Nothing here resolves a name or opens a socket.

Every rule is about the address that a socket connects to. Names, redirects and odd spellings of an IP all end in one,
so an attacker cannot disguise it. `session` checks it before and after each connect. `check_url` gives the same answer
earlier where the URL alone decides.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from urllib3.util import Url

from imgproc.core.errors import ForbiddenAddress
from imgproc.pipeline.http.urls import PORTS, parse_url

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANY_NETWORK = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))

# The whole IANA IPv4 Special-Purpose Address Registry. It calls a few ranges globally reachable (AS112, AMT), but they
# serve no images.
SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared address space of carriers; some clouds serve their metadata here
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; most clouds serve their metadata here
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and limited broadcast
        "168.63.129.16/32",  # not in IANA's registry: Azure's platform services, reachable from every virtual network
    )
)

# IANA assigns unicast addresses from this block only. All others are special (loopback, unique local, link-local,
# multicast, discard-only, SRv6) or contain an IPv4 address (compatible ::a.b.c.d, translated ::ffff:0:a.b.c.d, the
# local NAT64 prefix 64:ff9b:1::/48).
GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments, among them Teredo, which contains an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which contains an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# RFC 6052: DNS64 maps every IPv4-only host into this range, so an IPv6-only network needs it.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether `address` is on the open internet: unicast, and in no special-purpose range of the IANA registries."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in SPECIAL_V4)
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    # ISATAP (RFC 5214) puts an IPv4 address after ::0:5efe or ::200:5efe in any network.
    is_isatap = (int(address) >> 32) & 0xFDFF_FFFF == 0x5EFE
    return address in GLOBAL_UNICAST_V6 and not is_isatap and not any(address in network for network in SPECIAL_V6)


def check_address(address: Address, port: int, *, host: str, allowed_networks: Sequence[Network]) -> None:
    """Refuse `address` unless `allowed_networks` contains it, or it is public and `port` is 80 or 443.

    `host` is the host of the URL. The error names only that, so it does not reveal the addresses of internal names.

    Raises:
        ForbiddenAddress: this address and port may not be connected to.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ForbiddenAddress(f"{host} carries a zone id, which names an interface of this machine; leave it out.")
        # A dual-stack socket writes IPv4 peers as ::ffff:a.b.c.d; it is the same address.
        address = address.ipv4_mapped or address
    if any(address in network for network in allowed_networks):
        return
    if not is_public(address):
        raise _private(host)
    _check_port(port, host=host)


def _private(host: str) -> ForbiddenAddress:
    return ForbiddenAddress(
        f"{host} is at a private or reserved address; use a public URL, or open its network with ALLOWED_NETWORKS."
    )


def _check_port(port: int, *, host: str) -> None:
    if port not in PORTS.values():
        raise ForbiddenAddress(
            f"{host} is requested on port {port}; use port 80 or 443, or open its network with ALLOWED_NETWORKS."
        )


def literal_address(host: str) -> Address | None:
    """The address that `host` spells, in any form C libraries read (`127.1`, `0x7f.1`, `2130706433`), or None."""
    host = host.removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        if ":" in host:
            return ipaddress.IPv6Address(host)
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def check_url(url: str, *, allowed_networks: Sequence[Network]) -> Url:
    """The parts of `url`, unless it can be refused without DNS. A URL that passes is checked again when connecting.

    Raises:
        InvalidInput: `invalid_url`: it is not an absolute http(s) URL, or it carries a user name or password.
        ForbiddenAddress: its host spells a forbidden address, or its port is closed whatever the host resolves to.
    """
    parts = parse_url(url)
    host, port = parts.host or "", parts.port or PORTS[parts.scheme or ""]
    address = literal_address(host)
    if address is not None:
        check_address(address, port, host=host, allowed_networks=allowed_networks)
    elif not allowed_networks:
        if f".{host}".rstrip(".").endswith(".localhost"):  # Always loopback (RFC 6761).
            raise _private(host)
        _check_port(port, host=host)
    return parts
