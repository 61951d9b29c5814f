"""The limit of each host: which limit the law finds in a simulation, and how workers keep it at real hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import pytest
from redis import Redis

from imgproc.core.config import load_settings
from imgproc.core.errors import DownloadError, HostWait
from imgproc.db.transitions.products import PendingImage, RefusedImage
from imgproc.journey.patience import HostPause, pause_or_error
from imgproc.pipeline.http.host_gate import Answer, Trouble
from imgproc.queue.host_limits import HostLimits
from tests.support.host_simulation import Model, Outcome, Simulation
from tests.support.hosts.rate_limits import FixedWindow, Meter, SlidingWindow, TokenBucket
from tests.support.valkey_server import valkey

IMAGES = 300
SERVED = 0.02  # seconds


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis of its own: the simulation empties it."""
    with valkey(tmp_path_factory.mktemp("limits")) as url:
        yield Redis.from_url(url)


def allows(meter: Meter) -> Model:
    """A host that allows as many requests a second as `meter`."""
    return lambda now, _n: Outcome("busy", 0.002) if meter.wait(now) else Outcome("", SERVED)


def tells(meter: Meter, *, penalty: float = 0.0) -> Model:
    """A host that tells those it refuses when to come back, in whole seconds; it refuses all for `penalty` seconds."""
    blocked = 0.0

    def model(now: float, _n: int) -> Outcome:
        nonlocal blocked
        wait = max(0.0, blocked - now) or meter.wait(now)
        if wait and now >= blocked:
            wait = max(wait, penalty)
            blocked = now + penalty
        return Outcome("busy", 0.002, pause=int(now + wait) + 1 - int(now)) if wait else Outcome("", SERVED)

    return model


def holds(most: int, *, trouble: str = "busy", seconds: float = 0.3) -> Model:
    """A host that serves `most` requests at a time, each in `seconds`."""
    refusal = Outcome(trouble, 0.002, answered=trouble == "busy")
    return lambda _now, n: refusal if n > most else Outcome("", seconds)


@pytest.mark.parametrize(
    ("make", "allowed"),
    [
        pytest.param(lambda: allows(TokenBucket(5, 5)), 5, id="5 a second, in bursts"),
        pytest.param(lambda: allows(SlidingWindow(5)), 5, id="5 in any second"),
        pytest.param(lambda: allows(FixedWindow(20)), 20, id="20 in each second"),
        pytest.param(lambda: allows(SlidingWindow(20)), 20, id="20 in any second"),
        pytest.param(lambda: tells(SlidingWindow(20, window=4)), 5, id="20 in any 4 s, told by dates"),
        pytest.param(lambda: holds(4), 4 / 0.3, id="4 at a time"),
        pytest.param(lambda: holds(4, trouble="away"), 4 / 0.3, id="4 connections, others reset"),
        pytest.param(lambda: holds(2), 2 / 0.3, id="2 at a time"),
        pytest.param(lambda: holds(2, trouble="away"), 2 / 0.3, id="2 connections, others reset"),
    ],
)
def test_finds_what_a_host_allows(redis: Redis, make: Callable[[], Model], allowed: float) -> None:
    """All images arrive, at most 15% of the requests are wasted, and 85% of what the host allows is reached.

    The last images are those that were refused; their pauses are longer than a run of this length can hide.
    """
    result = Simulation(redis, make(), images=IMAGES, contenders=32).run()
    assert len(result.served) == IMAGES
    assert result.requests_per_image <= 1.15
    assert result.rate(images=IMAGES * 9 // 10) >= 0.85 * allowed


def test_a_refusal_that_costs_much_is_made_seldom(redis: Redis) -> None:
    """A host that allows 10 requests a second refuses all for 10 s after each one too many: soon none is too many."""
    result = Simulation(redis, tells(SlidingWindow(10), penalty=10), images=IMAGES, contenders=32).run()
    assert len(result.served) == IMAGES
    assert result.requests_per_image <= 1.05
    assert result.served[-1] < 150


def test_a_lone_image_is_asked_for_soon_after_its_host_is_back(redis: Redis) -> None:
    """Its pauses follow the time for which the host has been away, and do not double."""

    def model(now: float, _n: int) -> Outcome:
        return Outcome("", 0.1) if now > 100 else Outcome("away", 0.002)

    result = Simulation(redis, model, images=1).run()
    assert 100 < result.served[0] < 100 * 1.25 + 2
    assert result.requests < 30


def test_a_healthy_host_is_asked_as_much_as_the_setting_allows(redis: Redis) -> None:
    """No image is refused, and the window grows to the most that is set."""
    result = Simulation(redis, holds(1000), images=IMAGES, contenders=48, most=24).run()
    assert result.requests == IMAGES
    assert 24 <= result.most_at_once <= 32  # it notices the end of some a little late
    assert result.rate() >= 0.75 * 24 / 0.3  # it begins slowly, and this is only a few seconds


def test_a_host_that_comes_back_gets_few_requests_meanwhile(redis: Redis) -> None:
    """It is away for 40 s; every image arrives, soon after it is back."""

    def model(now: float, _n: int) -> Outcome:
        return Outcome("away", 0.002, answered=False) if 1 < now < 41 else Outcome("", 0.1)

    result = Simulation(redis, model, images=IMAGES).run()
    assert len(result.served) == IMAGES
    assert result.requests_per_image <= 1.25
    assert result.served[-1] < 41 + 25


@pytest.mark.parametrize("hard", [1, 5])
def test_a_limit_that_is_lifted_is_soon_forgotten(redis: Redis, hard: float) -> None:
    """For 20 s the host allows few requests a second, then any number."""
    bucket = TokenBucket(hard, 1)

    def model(now: float, _n: int) -> Outcome:
        return Outcome("busy", 0.002) if now < 20 and bucket.wait(now) else Outcome("", SERVED)

    result = Simulation(redis, model, images=600, contenders=32).run()
    assert len(result.served) == 600
    assert result.requests_per_image <= 1.15
    assert result.served[-1] < 20 + 60


@pytest.mark.parametrize("seconds", [0.002, 10.0], ids=["refuses", "silent"])
def test_a_dead_host_is_given_up_after_its_patience(redis: Redis, seconds: float) -> None:
    """Few requests are made, and few at a time; the images fail soon after two minutes."""
    simulation = Simulation(redis, lambda _now, _n: Outcome("away", seconds, answered=False), images=IMAGES)
    result = simulation.run()
    assert (len(result.served), result.gone) == (0, IMAGES)
    assert result.most_at_once <= 4
    assert result.requests < 40
    assert 120 < simulation.now < 300


def test_many_images_of_a_silent_host_end_soon_and_ask_the_gate_seldom(redis: Redis) -> None:
    """All learn that it is given up a few seconds after the first one did."""
    simulation = Simulation(
        redis, lambda _now, _n: Outcome("slow", 10, answered=False), images=IMAGES, contenders=32, most=24
    )
    result = simulation.run()
    assert result.gone == IMAGES
    assert simulation.now < 150
    assert simulation.calls < 12 * IMAGES


def limits(redis: Redis, *, lease: float = 60, most: int = 24) -> HostLimits:
    """The limits as a worker has them."""
    return HostLimits(redis, most=most, newcomers=6, lease=lease, patience=3600, dead_patience=120)


def verdict(gate: HostLimits, host: str, name: str) -> bytes:
    """What the gate says to one request that cannot wait."""
    answer: bytes = (gate.ask(host, name, may_hold=False) or [b""])[0]
    return answer


def test_a_request_to_pause_holds_for_every_worker(redis: Redis) -> None:
    """What one worker is told, another obeys."""
    redis.flushdb()
    with limits(redis).visit("shop:443") as visit:
        visit.report(Answer(Trouble.BUSY, pause=30))
    with pytest.raises(HostWait) as waits, limits(redis).visit("shop:443"):
        pass
    assert 25 < waits.value.seconds < 35
    assert waits.value.trouble == "busy"


@pytest.mark.parametrize("serves", [True, False], ids=["while others are served", "while nothing is served"])
def test_only_an_image_that_its_host_refuses_alone_has_growing_pauses(redis: Redis, serves: bool) -> None:
    """A host that serves nothing is asked at its own pace; that is no fault of the image, and is not counted."""
    redis.flushdb()
    gate = limits(redis)
    for trouble in (None, Trouble.BUSY, None if serves else Trouble.BUSY, Trouble.BUSY):
        redis.hset("imgproc:host:shop:443", mapping={"pause_at": 0, "cut_at": 0, "next_at": 0})
        with gate.visit("shop:443") as visit:
            visit.report(Answer(trouble))
    error = DownloadError("busy", code="http_503", retryable=True, trouble="busy")
    error.host = "shop:443"
    image = PendingImage(1, 1, "https://shop/a.jpg", refusals=7)
    pause = pause_or_error(gate, load_settings({}), image, error, claimed_at=datetime.now(timezone.utc))
    assert isinstance(pause, HostPause)
    assert pause.refused == RefusedImage(1, host_answered=True, host_serves=serves)
    assert (pause.seconds > 40) == serves


def test_the_permit_of_a_killed_worker_expires(redis: Redis) -> None:
    """It is not returned, and another worker gets it later."""
    redis.flushdb()
    dead, alive = limits(redis, lease=0.3, most=1), limits(redis, most=1)
    dead.ask("shop:443", "killed", may_hold=False)
    with alive.visit("shop:443") as visit:
        visit.report(Answer())
    dead.ask("shop:443", "killed again", may_hold=False)
    assert verdict(alive, "shop:443", "other") == b"wait"


def test_hosts_that_never_answered_share_a_bound(redis: Redis) -> None:
    """Many dead hosts together hold no more than their share of the workers."""
    redis.flushdb()
    gate = limits(redis)
    verdicts = [verdict(gate, f"dead{number}:80", str(number)) for number in range(20)]
    assert verdicts.count(b"go") == 6
    with pytest.raises(HostWait), gate.visit("new:80"):
        pass


def test_downloads_go_on_while_redis_is_away() -> None:
    """There is no limit then, and no error."""
    gate = limits(Redis("127.0.0.1", 1, socket_connect_timeout=0.2))
    for _ in range(100):
        with gate.visit("shop:443") as visit:
            visit.report(Answer(Trouble.BUSY))
    assert gate.standing("shop:443") is None


def test_a_host_has_room_while_nothing_is_under_way_there(redis: Redis) -> None:
    """Not while it is asked, pauses, or the hosts that have never answered hold their share."""
    redis.flushdb()
    gate = limits(redis)
    with gate.visit("asked:80"), gate.visit("paused:80") as visit:
        visit.report(Answer(Trouble.BUSY, pause=30))
        for key in ("asked:80", "paused:80"):
            redis.hset(f"imgproc:host:{key}", mapping={"next_at": 0, "refused_at": 0})
        room = gate.room(["asked:80", "paused:80", "new:80"])
        assert list(room) == ["new:80"]
        assert 1 <= room["new:80"] <= 24
    assert list(gate.room(["asked:80", "paused:80"])) == ["asked:80"]
    for number in range(6):
        verdict(gate, f"dead{number}:80", str(number))
    assert gate.room(["new:80"]) == {}
    assert gate.room([]) == {}
