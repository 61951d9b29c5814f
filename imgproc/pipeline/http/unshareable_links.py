"""Finds links that certainly serve no picture to a program; `unshareable_rules` has the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from imgproc.pipeline.http.unshareable_rules import RULES, LinkRule

MAX_HOST_CHARS = 254

_HOST = re.compile(r"//([^/?#:,\s]+)")
_LINK = re.compile(r"//(([^/?#:,\s]+)[^,\s\"]*)")


def any_unshareable(text: str) -> bool:
    """Whether any of the URLs in `text`, separated by commas or lines, certainly serves no picture.

    A text of many URLs has few hosts, so only the URLs of a host that has rules are read.
    """
    hosts = {host for host in set(_HOST.findall(text)) if has_rules(host)}
    return bool(hosts) and any(unshareable(f"https://{link}") for link, host in _LINK.findall(text) if host in hosts)


def has_rules(host: str) -> bool:
    """Whether we know links of the host that serve no picture."""
    return bool(_rules_of(host.lower()))


def unshareable(url: str) -> str | None:
    """What `url` leads to and what to give instead, as the end of a sentence; None if it may serve a picture."""
    parts = split_link(url)
    rules = _rules_of(parts.hostname or "") if parts else ()
    for path, rule in rules:
        if parts and path.match(parts._replace(scheme="", netloc="").geturl()):
            return f"leads to {rule.what}: {rule.remedy}"
    return None


def split_link(url: str) -> SplitResult | None:
    """The parts of `url`, if it is a link as services give them: http(s), no user name, no port of its own."""
    try:
        parts = urlsplit(url)
        usual = parts.scheme in {"http", "https"} and "@" not in parts.netloc and parts.port in {None, 80, 443}
    except ValueError:
        return None
    return parts if usual and parts.hostname else None


def names_of(host: str) -> Iterator[str]:
    """The keys of a table of hosts that concern `host`: `a.x.com`, `.a.x.com`, `.x.com`, `.com`."""
    yield host
    while 0 < len(host) < MAX_HOST_CHARS:
        yield f".{host}"
        host = host.partition(".")[2]


@lru_cache(maxsize=4096)  # Files have many URLs of few hosts.
def _rules_of(host: str) -> tuple[tuple[re.Pattern[str], LinkRule], ...]:
    return tuple(rule for name in names_of(host) for rule in _BY_HOST.get(name, ()))


_BY_HOST: dict[str, list[tuple[re.Pattern[str], LinkRule]]] = {}
for _rule in RULES:
    for _name in _rule.hosts.split():
        _BY_HOST.setdefault(_name, []).append((re.compile(_rule.path, re.I), _rule))
