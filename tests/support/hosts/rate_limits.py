"""Rules that allow so many requests a second, and what hosts tell those that they refuse."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Protocol

from tests.support.hosts.replies import Asked, Reply


class Meter(Protocol):
    """Counts requests."""

    def wait(self, now: float) -> float:
        """0 and the request counts, if it is allowed at `now` (seconds); else the seconds until one is."""

    def left(self, now: float) -> int:
        """How many more are allowed at `now`."""


@dataclass
class FixedWindow:
    """`most` requests in each `window` seconds; the count starts again with each window."""

    most: int
    window: float = 1.0
    _number: int = -1
    _count: int = 0

    def wait(self, now: float) -> float:
        """See `Meter`."""
        if not self.left(now):
            return (self._number + 1) * self.window - now
        self._count += 1
        return 0.0

    def left(self, now: float) -> int:
        """See `Meter`."""
        if (number := int(now // self.window)) != self._number:
            self._number, self._count = number, 0
        return self.most - self._count


@dataclass
class SlidingWindow:
    """`most` requests in any `window` seconds."""

    most: int
    window: float = 1.0
    _times: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """See `Meter`."""
        if not self.left(now):
            return self._times[0] + self.window - now
        self._times.append(now)
        return 0.0

    def left(self, now: float) -> int:
        """See `Meter`."""
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()
        return self.most - len(self._times)


@dataclass
class TokenBucket:
    """`rate` requests a second on average, `burst` at once. A burst of 1 is nginx's `limit_req` without `burst`."""

    rate: float
    burst: int = 1
    _tokens: float = math.inf
    _at: float = 0.0

    def wait(self, now: float) -> float:
        """See `Meter`."""
        if not self.left(now):
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return 0.0

    def left(self, now: float) -> int:
        """See `Meter`."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return int(self._tokens)


Tell = Callable[[float, int], Mapping[str, str]]  # seconds to wait, requests left -> headers of the answer


def nothing(_wait: float, _left: int) -> Mapping[str, str]:
    """No header."""
    return {}


def retry_after(wait: float, _left: int) -> Mapping[str, str]:
    """`Retry-After` in whole seconds."""
    return {"Retry-After": str(max(1, math.ceil(wait)))} if wait else {}


def retry_after_date(wait: float, _left: int) -> Mapping[str, str]:
    """`Retry-After` as an HTTP date, which has whole seconds."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=wait)
    whole = moment.replace(microsecond=0) + timedelta(seconds=1)
    now = format_datetime(datetime.now(timezone.utc), usegmt=True)
    return {"Retry-After": format_datetime(whole, usegmt=True), "Date": now} if wait else {"Date": now}


def rate_limit_fields(wait: float, left: int) -> Mapping[str, str]:
    """The fields of many APIs (draft-ietf-httpapi-ratelimit-headers-07), on every answer."""
    return {"RateLimit-Remaining": str(left), "RateLimit-Reset": str(max(1, math.ceil(wait)))}


def rate_limit_policy(wait: float, left: int) -> Mapping[str, str]:
    """The structured fields of the newer drafts (-08 and later), on every answer."""
    return {"RateLimit": f'"default";r={left};t={max(1, math.ceil(wait))}'}


@dataclass
class Queue:
    """Serves `rate` requests a second and lets up to `length` wait, as nginx's `limit_req` with `burst` does."""

    rate: float
    length: int
    status: int = 503
    _free_at: float = 0.0

    def __call__(self, asked: Asked, reply: Reply) -> Reply:
        """Serve the request in its turn, or refuse it at once."""
        wait = max(0.0, self._free_at - asked.at)
        if wait * self.rate > self.length:
            return Reply(self.status)
        self._free_at = asked.at + wait + 1 / self.rate
        return replace(reply, delay=reply.delay + wait)


@dataclass
class RateLimit:
    """Refuses what `meter` does not allow with `status`; after a refusal, everything for `penalty` seconds."""

    meter: Meter
    status: int = 429
    tell: Tell = nothing
    penalty: float = 0.0
    _blocked_until: float = 0.0

    def __call__(self, asked: Asked, reply: Reply) -> Reply:
        """Let the request through, or refuse it at once."""
        wait = self._blocked_until - asked.at
        if wait <= 0 and (wait := self.meter.wait(asked.at)):
            wait = max(wait, self.penalty)
            self._blocked_until = asked.at + self.penalty
        headers = self.tell(max(0.0, wait), self.meter.left(asked.at))
        if wait <= 0:
            return replace(reply, headers={**reply.headers, **headers})
        return Reply(self.status, headers=headers)
