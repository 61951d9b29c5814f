"""What `imgproc check` looks at in Redis: whether it takes our scripts and keeps our keys, and who works."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from imgproc.cli.database_checks import clock
from imgproc.cli.findings import Finding, ok, wrong
from imgproc.core.config import Settings
from imgproc.core.errors import InfrastructureError
from imgproc.queue import presence
from imgproc.queue.connection import redis_client, redis_errors
from imgproc.queue.pause import is_paused
from imgproc.queue.worker_count import worker_counts

START = "start one with imgproc up"
OLDEST = 7  # version of Redis; Valkey says that it is a Redis of 7.2
FULL = 0.9  # share of `maxmemory` in use from which more is needed
SWEEP_SECONDS = 60  # without a whole pass of a sweeper
# Writes as our scripts do, and leaves nothing.
TRY = "redis.call('SET', KEYS[1], '1', 'PX', 1000) redis.call('DEL', KEYS[1]) return redis.call('TIME')"
PROBE = "imgproc:check"


def check(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with Redis, the workers and the sweeper. A Redis that is away is one finding."""
    if settings.redis_url is None:
        text = f"No Redis is configured, and no stack runs in {settings.data_dir}: {START}, or set REDIS_URL."
        yield wrong("redis", text=text)
        return
    place = f"Redis at {host_of(settings.redis_url)}"
    try:
        with redis_errors():
            redis_client().ping()
            seconds, _ = redis_client().eval(TRY, 1, PROBE)
            facts = redis_client().info()
        yield from _server(facts, place) or [ok("redis", text=f"{place} answers.")]
        yield from clock(datetime.fromtimestamp(int(seconds), timezone.utc), of="Redis")
        yield from _workers()
        yield from _sweeper()
    except InfrastructureError as error:
        remedy = _remedy(str(error.__cause__ or error))
        yield wrong("redis", text=f"{place} cannot be used ({_cause(error)}): {remedy}.")


def _remedy(cause: str) -> str:
    """What to do about an error of Redis, by its words."""
    remedies = {
        "OOM": "raise maxmemory, or remove what others keep there",
        "maxmemory": "raise maxmemory, or remove what others keep there",
        "MISCONF": "free its disk; its log says more",
        "read only replica": "point REDIS_URL at the primary server",
        "NOPERM": "let the user run all commands on the keys rq:*, imgproc:* and LIMITS*",
        "no permissions": "let the user run all commands on the keys rq:*, imgproc:* and LIMITS*",
        "MOVED": "imgproc needs one Redis that is no cluster",
        "cluster": "imgproc needs one Redis that is no cluster",
    }
    return next((remedy for word, remedy in remedies.items() if word in cause), "check that it runs, and REDIS_URL")


def _server(facts: dict[str, Any], place: str) -> list[Finding]:
    """What is wrong with a Redis that answers, by its INFO; managed servers leave out some of it."""
    found = []
    if facts.get("redis_mode") == "cluster":
        found.append(f"{place} is a cluster: imgproc needs one Redis that is none, as one script uses several keys.")
    if int(str(facts.get("redis_version", OLDEST)).partition(".")[0]) < OLDEST:
        found.append(f"{place} is of version {facts['redis_version']}: update it to {OLDEST} or newer, or to Valkey.")
    most, used = int(facts.get("maxmemory", 0)), int(facts.get("used_memory", 0))
    policy = facts.get("maxmemory_policy", "noeviction")
    if most and policy != "noeviction":
        found.append(f"{place} may evict jobs and limits (maxmemory-policy {policy}): set it to noeviction.")
    if most and used > FULL * most:
        found.append(f"{place} uses {100 * used // most}% of its maxmemory: raise maxmemory, or find who fills it.")
    if "err" in (facts.get("rdb_last_bgsave_status"), facts.get("aof_last_write_status")):
        found.append(f"{place} cannot save its data: free its disk; its log says more.")
    return [wrong("redis", text=text) for text in found]


def _workers() -> Iterator[Finding]:
    if is_paused():
        yield wrong("workers", text="All workers are paused and take no jobs: imgproc resume lets them go on.")
        return
    counts = worker_counts()
    if idle := [queue for queue, count in counts.items() if not count]:
        yield wrong("workers", text=f"No worker takes jobs of {', '.join(idle)}: start imgproc worker.")
        return
    yield ok(
        "workers", text=f"{counts['express']} worker processes make images, and {counts['deliveries']} send webhooks."
    )


def _sweeper() -> Iterator[Finding]:
    age = presence.pass_age()
    if age is None or age > SWEEP_SECONDS:
        since = "has been seen" if age is None else f"has ended a pass for {age:.0f} s"
        yield wrong("sweeper", text=f"No sweeper {since}: start imgproc sweep --loop; if one runs, its log says why.")
        return
    yield ok("sweeper", text=f"A sweeper ended a pass {age:.0f} s ago.")


def host_of(url: str) -> str:
    """The host and the port of a URL, without its credentials; the path of a Unix socket."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def _cause(error: InfrastructureError) -> str:
    return str(error.__cause__ or error).partition("\n")[0].rstrip(".")
