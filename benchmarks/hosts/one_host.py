"""The rows of one merchant: 300 pictures in 75 products of 4, from one host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.hosts.figures import Figures
from benchmarks.hosts.own_network import refused_connections
from benchmarks.hosts.uploads import csv_of, pictures, wait_for, wait_for_end
from benchmarks.runs import process, stack_of
from tests.support.hosts.dead_addresses import refusing_address
from tests.support.hosts.host_troubles import Away, closes, most_at_once, one_broken
from tests.support.hosts.rate_limits import (
    FixedWindow,
    Queue,
    RateLimit,
    SlidingWindow,
    TokenBucket,
    rate_limit_fields,
    retry_after,
    retry_after_date,
)
from tests.support.hosts.replies import Reply, Rule
from tests.support.hosts.troubled_host import TroubledHost, troubled_host
from tests.support.stack import Stack

PRODUCTS, QUICK_PRODUCTS, IMAGES = 75, 15, 4
TAKES = 0.2  # seconds that a picture takes from a host that limits connections, so that they are the narrow place
PATIENCE = 420.0
AWAY, QUICK_AWAY, BEFORE_IT_GOES = 40.0, 10.0, 40  # seconds, and requests
BROKEN = "/0-0.jpg"  # the picture at the dead address, or behind the broken URL


@dataclass(frozen=True)
class Kind:
    """A kind of host; `rate` is how many pictures a second it allows."""

    title: str
    rules: Callable[[float], Sequence[Rule]] = lambda _away: ()
    rate: float | None = None
    latency: float = 0.0
    most_connections: int | None = None
    leaves: bool = False  # it refuses connections for a while
    goes_away: bool = False
    dead: bool = False  # one of the pictures is at an address where nothing listens
    hopeless: int = 0  # pictures that cannot complete
    notes: Sequence[str] = field(default_factory=tuple)


ROWS = {
    "five": Kind("5 requests a second, else 429", lambda _: [RateLimit(FixedWindow(5))], rate=5),
    "twenty": Kind("20 requests a second, else 429", lambda _: [RateLimit(SlidingWindow(20))], rate=20),
    "nginx": Kind(
        "nginx `limit_req rate=10r/s burst=5 nodelay`: else 503",
        lambda _: [RateLimit(TokenBucket(10, burst=6), status=503)], rate=10,
    ),
    "queue": Kind(
        "nginx `limit_req rate=10r/s burst=10`: 10 wait, else 503", lambda _: [Queue(10, length=10)], rate=10,
    ),
    "four-connections": Kind(
        "4 at a time, else 503", lambda _: [most_at_once(4)], rate=4 / TAKES, latency=TAKES,
    ),
    "two-connections": Kind(
        "2 connections, else reset", lambda _: [closes], rate=2 / TAKES, latency=TAKES, most_connections=2,
    ),
    "cloudlinux": Kind(
        "6 at a time, else 508 (CloudLinux)", lambda _: [most_at_once(6, status=508)], rate=6 / TAKES, latency=TAKES,
    ),
    "away": Kind(
        "answers 503 for 40 s", lambda away: [Away(BEFORE_IT_GOES, away)], goes_away=True,
    ),
    "origin-away": Kind(
        "answers 521 for 40 s (Cloudflare)", lambda away: [Away(BEFORE_IT_GOES, away, Reply(521))], goes_away=True,
    ),
    "gone": Kind("refuses connections for 40 s", leaves=True, goes_away=True),
    "slow": Kind("answers after 300 ms", latency=0.3),
    "retry-after": Kind(
        "20 requests in 4 s, else 429 with `Retry-After` in seconds",
        lambda _: [RateLimit(FixedWindow(20, window=4), tell=retry_after)], rate=5,
    ),
    "dates": Kind(
        "20 requests in 4 s, else 503 with `Retry-After` as a date",
        lambda _: [RateLimit(SlidingWindow(20, window=4), status=503, tell=retry_after_date)], rate=5,
    ),
    "fields": Kind(
        "20 requests in 4 s, told by `RateLimit-Remaining` and `-Reset`",
        lambda _: [RateLimit(FixedWindow(20, window=4), tell=rate_limit_fields)], rate=5,
    ),
    "penalty": Kind(
        "10 requests a second, else 429 to everything for 10 s with `Retry-After`",
        lambda _: [RateLimit(SlidingWindow(10), tell=retry_after, penalty=10)],
    ),
    "one-dead": Kind("one picture at a dead address among good ones", dead=True, hopeless=1),
    "one-broken": Kind("one picture that answers 503 always", lambda _: [one_broken(BROKEN)], hopeless=1),
}  # fmt: skip


def measure(name: str, *, quick: bool) -> Figures:
    """One row."""
    kind, products = ROWS[name], QUICK_PRODUCTS if quick else PRODUCTS
    away = QUICK_AWAY if quick else AWAY
    with stack_of() as stack, troubled_host(pictures()) as good, refusing_address() as nowhere:
        process(stack, good.url, 2 * stack.settings().workers)  # every worker opens its connections
        with _host(kind, away) as host:
            urls = [[f"{host.url}/p/{row}-{place}.jpg" for place in range(IMAGES)] for row in range(products)]
            if kind.dead:
                urls[0][0] = f"{nowhere}{BROKEN}"
            return _figures(stack, host, kind, urls, away)


@contextmanager
def _host(kind: Kind, away: float) -> Iterator[TroubledHost]:
    rules = kind.rules(away)
    with troubled_host(pictures(), rules=rules, latency=kind.latency, most_connections=kind.most_connections) as host:
        if kind.leaves:
            threading.Thread(target=_leave, args=(host, away), daemon=True).start()
        yield host


def _leave(host: TroubledHost, away: float) -> None:
    """Go away once some pictures are served."""
    wait_for(lambda: len(host.log.served), lambda served: served >= BEFORE_IT_GOES, seconds=PATIENCE)
    host.away_for(away)


def _figures(stack: Stack, host: TroubledHost, kind: Kind, urls: list[list[str]], away: float) -> Figures:
    good = sum(map(len, urls)) - kind.hopeless
    refused, started = refused_connections(), time.monotonic()
    request_id = stack.submit(csv_of(urls))["requestId"]
    wait_for(
        lambda: _completed(stack, request_id),
        lambda completed: completed >= good or _has_ended(stack, request_id),
        seconds=PATIENCE,
    )
    seconds = time.monotonic() - started
    status = wait_for_end(stack, request_id, seconds=180 if kind.hopeless else 5)
    attempts = host.log.attempts
    notes = [*kind.notes, *_end(status, time.monotonic() - started)]
    if kind.leaves:
        more = None if refused is None else (refused_connections() or 0) - refused
        attempts += more or 0
        notes += ["refused connections are not counted here"] if more is None else [f"{more} connections were refused"]
    broken = sum(count for path, count in host.log.paths.items() if kind.hopeless and path.endswith(BROKEN))
    if kind.hopeless and not kind.dead:
        notes.append(f"the broken URL was asked {broken} times")
    served_in = host.log.seconds_served()
    return Figures(
        kind.title.replace("40 s", f"{away:.0f} s"),
        done=min(1.0, status["progress"]["images"]["completed"] / good),
        requests=(attempts - broken) / good,
        share=len(host.log.served) / (kind.rate * served_in) if kind.rate and served_in else None,
        seconds=seconds,
        goes_away=kind.goes_away,
        notes=notes,
    )


def _completed(stack: Stack, request_id: str) -> int:
    completed: int = stack.status(request_id)["progress"]["images"]["completed"]
    return completed


def _has_ended(stack: Stack, request_id: str) -> bool:
    return stack.status(request_id)["finishedAt"] is not None


def _end(status: dict[str, object], seconds: float) -> list[str]:
    if status["finishedAt"] is None:
        return [f"not ended after {seconds:.0f} s"]
    return []
