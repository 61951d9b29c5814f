"""Simulates many workers at one host: the real scripts in a real Redis, with a clock that the simulation sets."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from redis import Redis

from imgproc.queue import host_limits
from imgproc.queue.host_limits import HOLD_SECONDS, KEPT_SECONDS

CLOCK = "{KEYS[5], KEYS[6]}"  # seconds and microseconds, after the keys of the host
WAKE_SECONDS = 0.03  # from the end of a download until the worker has enqueued the next products
SWEEP_SECONDS = 0.2
LIMITS = 60, 16, 3600, 120  # lease, newcomers, patience, dead patience
LATE_SECONDS = 0.005  # on average


@dataclass(frozen=True)
class Outcome:
    """How a host treats one request: `trouble` is empty if it serves it, `seconds` later."""

    trouble: str
    seconds: float
    pause: float = 0.0
    answered: bool = True


# The time, and the number of requests under way with this one -> the outcome.
Model = Callable[[float, int], Outcome]


@dataclass
class Result:
    """What happened: `gone` images were given up."""

    requests: int = 0
    served: list[float] = field(default_factory=list)
    most_at_once: int = 0
    gone: int = 0
    waits: int = 0

    @property
    def requests_per_image(self) -> float:
        """All requests for each image served."""
        return self.requests / len(self.served)

    def rate(self, *, images: int | None = None) -> float:
        """Images served in a second, over the first `images` of them."""
        ends = self.served[:images]
        return len(ends) / ends[-1]


class Simulation:
    """`contenders` threads of workers download `images` from one host that behaves as `model` says."""

    def __init__(self, redis: Redis, model: Model, *, images: int, contenders: int = 64, most: int = 24) -> None:
        self._model, self._most = model, most
        self._scripts = [
            redis.register_script(host_limits._script(name).replace("redis.call('TIME')", CLOCK))
            for name in ("host_enter", "host_report", "host_room")
        ]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._random = Random(1)
        self._fresh, self._busy, self._contenders = images, 0, contenders
        self._parked: list[tuple[float, bool, int]] = []  # due, whether refused
        self._under_way = self.calls = 0
        self.now, self.result = 0.0, Result()
        self._images = images
        redis.flushdb()

    def run(self, *, seconds: float = 3600) -> Result:
        """Run until every image is served or given up, or `seconds` have passed."""
        self._at(0, self._sweep)
        while self._events and len(self.result.served) + self.result.gone < self._images:
            self.now, _, event = heapq.heappop(self._events)
            if self.now > seconds:
                break
            event()
        return self.result

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _call(self, script: int, *arguments: Any) -> Any:
        self.calls += 1
        now = 1_000_000 + self.now
        keys = [*host_limits._keys("host:80"), str(int(now)), str(int(now % 1 * 1e6))]
        return self._scripts[script](keys, [KEPT_SECONDS, self._most, HOLD_SECONDS, *arguments])

    def _fill(self) -> None:
        """Let free threads take images that nobody has tried, as long as few are parked."""
        while self._busy < self._contenders and self._fresh and len(self._parked) < 256:
            self._fresh -= 1
            self._begin(0)

    def _sweep(self) -> None:
        due = [each for each in self._parked if each[0] <= self.now]
        self._take(due)
        if self._parked:
            self._wake(self._call(2, "", *LIMITS))
        self._fill()
        self._at(self.now + SWEEP_SECONDS, self._sweep)

    def _take(self, some: list[tuple[float, bool, int]]) -> None:
        for each in some:
            if self._busy < self._contenders:
                self._parked.remove(each)
                self._begin(each[2])

    def _wake(self, most: int) -> None:
        ready = sorted(each for each in self._parked if each[0] <= self.now or not each[1])
        self._take(ready[:most])

    def _begin(self, refusals: int) -> None:
        self._busy += 1
        name, give_up = str(next(self._order)), self.now + HOLD_SECONDS
        self._at(self.now, lambda: self._enter(name, give_up, refusals, []))

    def _enter(self, name: str, give_up: float, refusals: int, permit: list[Any]) -> None:
        verdict, seconds, *rest = self._call(0, name, *LIMITS, int(self.now < give_up))
        later = self.now + float(seconds)
        if verdict == b"hold":
            self._at(later, lambda: self._enter(name, give_up, refusals, []))
        elif verdict == b"go" and later > self.now:
            self._at(later, lambda: self._enter(name, give_up, refusals, rest[:-1]))
        elif verdict in (b"go", b"kept"):
            self._at(later + self._late(), lambda: self._request(name, permit or rest[:-1], refusals))
        else:
            if verdict == b"gone":
                self.result.gone += 1
            else:
                self.result.waits += 1
                self._parked.append((max(later, self.now + HOLD_SECONDS), False, refusals))
            self._leave(0)

    def _request(self, name: str, permit: list[Any], refusals: int) -> None:
        self._under_way += 1
        self.result.requests += 1
        outcome = self._model(self.now, self._under_way)
        self.result.most_at_once = max(self.result.most_at_once, self._under_way)
        ends = self.now + outcome.seconds
        self._at(ends, lambda: self._end(name, permit, outcome, refusals))
        self._at(ends + self._late(), self._notice_end)

    def _late(self) -> float:
        """Seconds that a busy machine loses."""
        return self._random.expovariate(1 / LATE_SECONDS)

    def _notice_end(self) -> None:
        self._under_way -= 1

    def _end(self, name: str, permit: list[Any], outcome: Outcome, refusals: int) -> None:
        told = self._call(1, name, outcome.trouble, outcome.pause, int(outcome.answered), int(refusals > 2), *permit)
        if outcome.trouble:
            self._park_refused(told[3], outcome, refusals)
        else:
            self.result.served.append(self.now)
        self._at(self.now + WAKE_SECONDS, lambda: self._leave(told[0]))

    def _park_refused(self, again_in: bytes, outcome: Outcome, refusals: int) -> None:
        """As `journey.patience` does; an image of a host that never answered fails after its patience."""
        if self.now > LIMITS[3] and not outcome.answered and not self.result.served:
            self.result.gone += 1
            return
        pause = max(0.5, float(again_in)) if again_in else min(60, 0.5 * 2.0**refusals)
        self._parked.append((self.now + max(outcome.pause, pause), True, refusals + (not again_in)))

    def _leave(self, spare: int) -> None:
        self._busy -= 1
        self._wake(spare)
        self._fill()
