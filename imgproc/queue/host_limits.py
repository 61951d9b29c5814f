"""The limit of each host that images are downloaded from, shared by all workers through Redis.

The law that finds the limit is in `host_law.lua` and the files that it names. A request takes one round trip to begin
and one to report. While Redis is away downloads go on without limits.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError

from imgproc.core.errors import HostWait

PREFIX = "imgproc:host"
KEPT_SECONDS = 3 * 3600  # that the state of an unused host is kept
LAW = "host_window", "host_rate", "host_law", "host_state"  # in the order in which they need each other
HOLD_SECONDS = 0.5  # that a request waits inside the gate, at most
AWAY_SECONDS = 5.0  # between two tries at a Redis that is away

log = structlog.get_logger(__name__)


class Answer(Protocol):
    """How a host answered; see `pipeline.http.host_gate.Answer`."""

    @property
    def trouble(self) -> str | None:
        """Why the host did not serve the request."""

    @property
    def pause(self) -> float | None:
        """The seconds for which it asks for no further request."""

    @property
    def answered(self) -> bool:
        """Whether there was a response at all."""


@dataclass(frozen=True)
class Standing:
    """What a host was last known for: whether it ever answered, and whether it served others meanwhile.

    `pause` is the seconds until a host that serves nothing is asked again; None if it serves.
    """

    answered: bool
    serves: bool
    pause: float | None = None


class HostLimits:
    """A gate that all workers share; see `pipeline.http.host_gate.HostGate`.

    `most` is the most requests to one host that may be under way, and `lease` the seconds until the permit of a killed
    worker expires. A host that refuses everything is given up after `patience` seconds, or after `dead_patience` if it
    has never answered.
    """

    def __init__(
        self, redis: Redis, *, most: int, newcomers: int, lease: float, patience: float, dead_patience: float
    ) -> None:
        self._arguments = KEPT_SECONDS, most, HOLD_SECONDS
        self._limits = lease, newcomers, patience, dead_patience
        names = ("host_enter", "host_report", "host_room")
        self._enter, self._report, self._room = (redis.register_script(_script(name)) for name in names)
        self._redis = redis
        self._away_until = 0.0
        self._lock = threading.Lock()
        self._standings: dict[str, Standing] = {}
        self._spare: dict[str, int] = {}

    @contextmanager
    def visit(self, host: str, *, again: bool = False) -> Iterator[_Visit]:
        """Let one request to `host` through; it may wait for up to half a second.

        Raises:
            HostWait: the host needs a longer pause first, or is given up.
        """
        visit = _Visit(self, host, uuid.uuid4().hex, again=again)
        visit.enter()
        try:
            yield visit
        finally:
            visit.leave()

    def standing(self, host: str) -> Standing | None:
        """What this process last learned of the host; None if it learned nothing."""
        return self._standings.get(host)

    def restore(self, host: str) -> None:
        """Tell Redis that the host has answered before, in case Redis has lost it."""
        pipeline = self._redis.pipeline()
        pipeline.hset(f"{PREFIX}:{host}", "answered", "1")
        pipeline.expire(f"{PREFIX}:{host}", KEPT_SECONDS)
        self.run(pipeline.execute)

    def take_spare(self) -> dict[str, int]:
        """How many more requests could begin, by host, as far as this process was told since the last call."""
        with self._lock:
            spare, self._spare = self._spare, {}
        return spare

    def room(self, hosts: Sequence[str]) -> dict[str, int]:
        """How many products that wait for a host may go on now, by host; only those of `hosts` where any may.

        Some may where nothing is under way, and all where the host is given up.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for host in hosts:
            self._room(_keys(host), [*self._arguments, "", *self._limits], client=pipeline)
        found: list[int] = self.run(pipeline.execute) or []
        return {host: room for host, room in zip(hosts, found, strict=False) if room}

    def learn(self, host: str, *, standing: Standing, spare: int) -> None:
        """Remember what Redis said of a host."""
        with self._lock:
            if len(self._standings) > 1000:
                self._standings.clear()
            self._standings[host] = standing
            if spare:
                self._spare[host] = spare
            else:
                self._spare.pop(host, None)

    def ask(self, host: str, visit_id: str, *, may_hold: bool) -> list[Any] | None:
        """Ask whether a request may begin; None while Redis is away. `may_hold` says that it may ask again soon."""
        answer: list[Any] | None = self.run(
            self._enter, _keys(host), [*self._arguments, visit_id, *self._limits, int(may_hold)]
        )
        return answer

    def tell(self, host: str, visit_id: str, *arguments: object) -> list[Any] | None:
        """Report how a request ended; None while Redis is away."""
        told: list[Any] | None = self.run(self._report, _keys(host), [*self._arguments, visit_id, *arguments])
        return told

    def run(self, command: Any, *arguments: Any) -> Any:
        """Run a command; None while Redis is away. That is logged once, and Redis is asked again after a while."""
        if time.monotonic() < self._away_until:
            return None
        try:
            answer = command(*arguments)
        except RedisError as error:
            if not self._away_until:
                log.warning("host_limits_suspended", error=str(error), detail="Downloads go on without limits.")
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None
        if self._away_until:
            log.info("host_limits_resumed")
            self._away_until = 0.0
        return answer


class _Visit:
    """One request; see `pipeline.http.host_gate.Visit`."""

    keep_alive = True

    def __init__(self, limits: HostLimits, host: str, visit_id: str, *, again: bool) -> None:
        self.pause: float | None = None
        self._limits, self._host, self._id, self._again = limits, host, visit_id, again
        self._permit: list[Any] | None = None

    def enter(self) -> None:
        """Wait for a permit, but not for long.

        Raises:
            HostWait: it takes longer, or the host is given up.
        """
        give_up = time.monotonic() + HOLD_SECONDS
        while (answer := self._limits.ask(self._host, self._id, may_hold=time.monotonic() < give_up)) is not None:
            verdict, seconds, *rest = answer
            pause = float(seconds)
            if verdict == b"hold":
                time.sleep(pause)
                continue
            if verdict == b"go":
                *self._permit, keep_alive = rest
                self.keep_alive = bool(keep_alive)
                if pause:
                    time.sleep(pause)
                    continue
                return
            if verdict == b"kept":
                return
            self._permit = None
            raise _wait(self._host, verdict.decode(), pause, rest[0].decode())

    def report(self, answer: Answer) -> None:
        """Tell how the host answered."""
        self._tell(answer.trouble or "", answer.pause or 0, int(answer.answered))

    def leave(self) -> None:
        """Return the permit of a request that was not reported."""
        self._tell("none", 0, 0)

    def _tell(self, *answer: object) -> None:
        if self._permit is None:
            return
        permit, self._permit = self._permit, None
        told = self._limits.tell(self._host, self._id, *answer, int(self._again), *permit)
        if told is not None:
            spare, answered, serves, pause = told
            standing = Standing(bool(answered), bool(serves), float(pause) if pause else None)
            self._limits.learn(self._host, standing=standing, spare=spare)


def _wait(host: str, verdict: str, seconds: float, reason: str) -> HostWait:
    trouble = None if reason == "limit" else reason
    if verdict == "gone":
        detail = f"{host} has served no request for {seconds:.0f} s."
        return HostWait(detail, host=host, seconds=seconds, trouble=trouble, gone=True)
    seconds = max(seconds, HOLD_SECONDS)
    return HostWait(f"{host} needs a pause of {seconds:.1f} s.", host=host, seconds=seconds, trouble=trouble)


def _keys(host: str) -> list[str]:
    state = f"{PREFIX}:{host}"
    return [state, f"{state}:permits", f"{state}:line", f"{PREFIX}s:unanswered"]


def _script(name: str) -> str:
    """The text of a script, with the law and the state in front."""
    folder = Path(__file__).parent
    return "".join((folder / f"{part}.lua").read_text() for part in (*LAW, name))
