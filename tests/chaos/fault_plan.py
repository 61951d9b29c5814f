"""What will go wrong, and when: a plan made from the seed alone, before anything runs."""

from __future__ import annotations

import random
from dataclasses import dataclass

# How often each fault comes, by weight. What costs little (a ring lost, a webhook refused) comes more often than what
# takes images out of workers' hands or stops everybody for a second, so that the house gets on with its work meanwhile.
WEIGHTS = {
    "flush_redis": 10,
    "duplicate_doorbells": 10,
    "receiver_says_500": 8,
    "kill_worker": 7,
    "kill_sweeper": 6,
    "kill_web_before_ringing": 6,
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

# Where hosts are network namespaces. They come seldom, as a host has several workers.
NETWORK_WEIGHTS = {"cut_host": 2, "cut_one_way": 2, "lose_packets": 2, "delay_packets": 2}

# Seconds that a fault lasts, from and to. A stalled worker outlives its lease of three seconds; an outage is long
# enough for every client to run into it.
LASTS = {
    "stall_worker": (4.0, 6.0),
    "restart_redis_empty": (0.2, 1.0),
    "kill_s3": (0.2, 1.0),
    "stall_s3": (0.5, 1.5),
    "restart_postgresql": (0.0, 0.5),
    "receiver_says_500": (0.5, 3.0),
    "receiver_hangs": (1.0, 4.0),
    "kill_receiver": (0.2, 2.0),
    "cut_host": (2.0, 15.0),
    "cut_one_way": (2.0, 15.0),
    "lose_packets": (2.0, 6.0),
    "delay_packets": (2.0, 6.0),
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
    """`count` faults, shuffled, each kind with its fair share, spread over `seconds`; with `network`, cuts too."""
    chance = random.Random(f"faults {seed}")
    possible = WEIGHTS if database == "postgresql" else WEIGHTS | {"restart_postgresql": 0}
    possible = possible | (NETWORK_WEIGHTS if network else {})
    kinds = _shares(possible, count)
    chance.shuffle(kinds)
    step = seconds / count
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
    """`count` kinds in the proportion of their weights; what rounding leaves goes to those it wronged most."""
    total = sum(weights.values())
    exact = {kind: count * weight / total for kind, weight in weights.items()}
    shares = {kind: int(share) for kind, share in exact.items()}
    wronged = sorted(exact, key=lambda kind: shares[kind] - exact[kind])
    for kind in wronged[: count - sum(shares.values())]:
        shares[kind] += 1
    return [kind for kind, share in shares.items() for _ in range(share)]
