"""The headers that say who asks for a picture, and those that the operator sets for single hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imgproc import __version__

AGENT_NAME = "imgproc"


def user_agent(contact_url: str | None = None) -> str:
    """The User-Agent (RFC 9110, 10.1.5) in the form that hosts know from crawlers, with an address for questions."""
    contact = f"; +{contact_url}" if contact_url else ""
    return f"Mozilla/5.0 (compatible; {AGENT_NAME}/{__version__}{contact})"


USER_AGENT = user_agent()

# `image/webp` and `image/avif` are not named, although we read both: hosts then send a copy that has lost quality once
# already instead of the original. Some firewalls refuse requests without a language, which every browser sends.
IMAGE_HEADERS = {"Accept": "image/*,*/*;q=0.5", "Accept-Language": "en-US,en;q=0.9"}


class HostHeaders:
    """Headers for single hosts (`shop.example`, or `.shop.example` for all below it too); they may be secrets.

    They are for the request to that host alone: a redirect to another host is a request with the headers of that host.
    """

    def __init__(self, by_host: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._by_host = {host.lower(): dict(headers) for host, headers in (by_host or {}).items()}

    def __repr__(self) -> str:
        return f"HostHeaders({', '.join(sorted(self._by_host))})"

    def of(self, host: str) -> dict[str, str]:
        """The headers for `host`: those of the longest name that covers it."""
        host = host.lower().removesuffix(".")
        parents = host.split(".")
        names = [host, *("." + ".".join(parents[start:]) for start in range(len(parents)))]
        return next((dict(self._by_host[name]) for name in names if name in self._by_host), {})


@dataclass(frozen=True)
class Identity:
    """Who asks for pictures: the User-Agent, and the headers of single hosts."""

    user_agent: str = USER_AGENT
    host_headers: HostHeaders = field(default_factory=HostHeaders)
