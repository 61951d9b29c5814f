"""The gate in front of each host: it lets a request through, or says how long the host needs a pause.

`Downloader` passes it before every request and reports how the host answered. The gate that all workers share is in
`queue`; this file only says what a gate is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit


class Trouble(str, Enum):
    """Why a host did not serve a request although the request may be right."""

    BUSY = "busy"  # it asks for fewer requests: 429, 503
    AWAY = "away"  # it does not answer: refused, reset, not resolved for now, 502, 504
    SLOW = "slow"  # it accepts the request and then hangs, or sends too slowly


@dataclass(frozen=True)
class Answer:
    """How a host answered one request.

    `trouble` is None if it served it, `pause` is the seconds for which it asks for no further request, and `answered`
    says that there was an HTTP response at all.
    """

    trouble: Trouble | None = None
    pause: float | None = None
    answered: bool = True


class Visit(Protocol):
    """One request that the gate let through."""

    keep_alive: bool  # whether the connection may stay open afterwards
    pause: float | None  # the seconds that the response asks to wait, noted by the visitor

    def report(self, answer: Answer) -> None:
        """Tell how the host answered. Without a report the request counts for nothing."""


class HostGate(Protocol):
    """Limits the requests to each host."""

    def visit(self, host: str, *, again: bool) -> AbstractContextManager[Visit]:
        """Let one request to `host` (`name:port`, in lower case) through; the body of the `with` makes it.

        `again` says that the host has refused the same image several times.

        Raises:
            HostWait: the host needs a pause first.
        """


class _Unlimited:
    keep_alive = True

    def __init__(self) -> None:
        self.pause: float | None = None

    def report(self, answer: Answer) -> None:
        pass


class OpenGate:
    """A gate without limits, where no other is given."""

    @contextmanager
    def visit(self, host: str, *, again: bool) -> Iterator[Visit]:  # noqa: ARG002 - the protocol's signature
        """Let every request through at once."""
        yield _Unlimited()


def host_and_port(url: str) -> str:
    """The host of a URL as a gate names it."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
