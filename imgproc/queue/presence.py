"""What pools and sweepers tell Redis of themselves, so that any web process can say whether they are alive.

Redis measures every age by its own clock, because the clocks of hosts differ. Without these keys no work is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis import Redis

from imgproc.queue.connection import redis_client, redis_errors

ROLES = ("images", "deliveries")  # of workers
PRESENT_SECONDS = 30  # without a report after which the workers of a pool count as dead
POOLS, WORKERS, SWEPT = "imgproc:pools", "imgproc:pool-workers", "imgproc:swept"
KEY_TYPES = {POOLS: "zset", WORKERS: "hash", SWEPT: "string"}
SWEPT_SECONDS = 7 * 24 * 3600  # for which the last pass is remembered

# Forgets the pools that have not reported for a day. KEYS: pools, workers. ARGV: the pool, and its workers by role, as
# "role=number ...".
_REPORT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for _, pool in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - 86400)) do
  redis.call('ZREM', KEYS[1], pool)
  redis.call('HDEL', KEYS[2], pool)
end
"""
# Returns the workers of each pool that has reported in the last seconds. ARGV: how many seconds.
_PRESENT = """
local now = tonumber(redis.call('TIME')[1])
local pools = redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[1]), '+inf')
local found = {}
for _, pool in ipairs(pools) do
  found[#found + 1] = redis.call('HGET', KEYS[2], pool) or ''
end
return found
"""


def report_pool(client: Redis, name: str, workers: Mapping[str, int]) -> None:
    """Say how many workers of each role the pool `name` has now; a pool that stops reports none.

    Raises:
        QueueUnavailable: Redis is away.
    """
    text = " ".join(f"{role}={number}" for role, number in workers.items())
    with redis_errors():
        client.eval(_REPORT, 2, POOLS, WORKERS, name, text)


def workers_alive() -> dict[str, int]:
    """How many workers all pools have, by role.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        found = redis_client().eval(_PRESENT, 2, POOLS, WORKERS, PRESENT_SECONDS)
    alive = dict.fromkeys(ROLES, 0)
    for text in found:
        for part in text.decode(errors="replace").split():
            role, _, number = part.partition("=")
            if role in ROLES and number.isdecimal():
                alive[role] += int(number)
    return alive


def report_pass() -> None:
    """Say that a sweeper has ended a whole pass now.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        redis_client().set(SWEPT, 1, ex=SWEPT_SECONDS)


def pass_age() -> float | None:
    """Seconds since the last whole pass of a sweeper; None if there was none in a week, or since Redis lost its keys.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        left = redis_client().pttl(SWEPT)
    return SWEPT_SECONDS - left / 1000 if left > 0 else None
