"""The plan of faults, made from the seed alone before a run starts."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

# How often each fault comes, by weight. Cheap faults (a lost queue, a refused webhook) come more often than faults that
# interrupt images or stop all processes for a second, so that work still goes on.
WEIGHTS = {
    "flush_redis": 10,
    "duplicate_jobs": 10,
    "receiver_answers_500": 8,
    "kill_worker": 7,
    "kill_sweeper": 6,
    "kill_web_before_enqueueing": 6,
    "restart_redis_empty": 6,
    "kill_s3": 6,
    "stall_s3": 6,
    "kill_receiver": 6,
    "receiver_hangs": 5,
    "restart_postgresql": 5,
    "kill_web": 4,
    "stall_worker": 4,
    "kill_worker_before_electing": 3,
    "kill_worker_before_finalizing": 2,
    "kill_worker_before_announcing": 2,
    "kill_worker_before_recording": 2,
    "kill_pool": 2,
    "change_clock": 2,
}

# Only where hosts are network namespaces. These faults are rare, because each hits several workers.
NETWORK_WEIGHTS = {"cut_host": 2, "cut_one_way": 2, "lose_packets": 2, "delay_packets": 2}

# Besides the other faults, because they cost no CPU: one for every `OTHERS_PER_HOST_FAULT` others.
HOST_WEIGHTS = {
    "host_limits_requests": 2,
    "host_answers_503": 2,
    "host_allows_one": 2,
    "host_goes_away": 2,
    "host_stays_silent": 1,
    "host_hangs": 1,
    "host_drips": 1,
}
OTHERS_PER_HOST_FAULT = 8

# Seconds that a fault lasts, at least and at most. A stalled worker outlives its lease of three seconds.
# An outage is long enough for every client to notice it.
LASTS = {
    "stall_worker": (4.0, 6.0),
    "restart_redis_empty": (0.2, 1.0),
    "kill_s3": (0.2, 1.0),
    "stall_s3": (0.5, 1.5),
    "restart_postgresql": (0.0, 0.5),
    "receiver_answers_500": (0.5, 3.0),
    "receiver_hangs": (1.0, 4.0),
    "kill_receiver": (0.2, 2.0),
    "cut_host": (2.0, 15.0),
    "cut_one_way": (2.0, 15.0),
    "lose_packets": (2.0, 6.0),
    "delay_packets": (2.0, 6.0),
    **dict.fromkeys(HOST_WEIGHTS, (3.0, 12.0)),
}


@dataclass(frozen=True)
class Fault:
    """One fault: `at` seconds after the start, lasting `lasts` seconds; `chance` (0 to 1) picks the victim."""

    number: int
    kind: str
    at: float
    lasts: float
    chance: float


def plan_faults(*, seed: int, count: int, seconds: float, database: str, network: bool = False) -> list[Fault]:
    """`count` faults, and those of image hosts besides, in the order of their times, spread over `seconds`."""
    possible = WEIGHTS if database == "postgresql" else WEIGHTS | {"restart_postgresql": 0}
    possible = possible | (NETWORK_WEIGHTS if network else {})
    others = _spread(random.Random(f"faults {seed}"), _shares(possible, count), seconds)
    kinds = _shares(HOST_WEIGHTS, -(-count // OTHERS_PER_HOST_FAULT))
    of_hosts = _spread(random.Random(f"host faults {seed}"), kinds, seconds)
    in_order = sorted([*others, *of_hosts], key=lambda fault: fault.at)
    return [replace(fault, number=number) for number, fault in enumerate(in_order)]


def _spread(chance: random.Random, kinds: list[str], seconds: float) -> list[Fault]:
    """Faults of these kinds in random order, spread over `seconds`."""
    chance.shuffle(kinds)
    step = seconds / len(kinds)
    return [
        Fault(
            number=number,
            kind=kind,
            at=(number + chance.random()) * step,
            lasts=chance.uniform(*LASTS.get(kind, (0.0, 0.0))),
            chance=chance.random(),
        )
        for number, kind in enumerate(kinds)
    ]


def _shares(weights: dict[str, int], count: int) -> list[str]:
    """`count` kinds in proportion to their weights, rounded by the largest remainders."""
    total = sum(weights.values())
    exact = {kind: count * weight / total for kind, weight in weights.items()}
    shares = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: shares[kind] - exact[kind])
    for kind in by_remainder[: count - sum(shares.values())]:
        shares[kind] += 1
    return [kind for kind, share in shares.items() for _ in range(share)]
