"""Checks that the CPU time of some work grows linearly: it measures n and 4n of the worst case."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

ROUNDS = 3
TRIES = 3
SLACK = 0.004  # seconds; below it the clock and the allocator matter more than the work
MOST = 8.0  # four times the input takes four times the work if linear, sixteen times if quadratic
CLEAR = 6.0  # one measurement of each is enough where the larger takes at most this many times as long


def assert_linear(make: Callable[[int], Any], work: Callable[[Any], Any], n: int) -> None:
    """Fail if `work(make(4 * n))` takes more than eight times as long as `work(make(n))` in each of three tries.

    The inputs are measured again only if the first figure is too high: other processes can only add time. The larger
    comes first, because the first call fills the caches.
    """
    small, large = make(n), make(4 * n)
    if _cost(work, large) <= CLEAR * max(min(_cost(work, small) for _ in range(ROUNDS)), SLACK):
        return
    tried = []
    for _ in range(TRIES):
        once = min(_cost(work, small) for _ in range(ROUNDS))
        costs = []
        for _ in range(ROUNDS):
            costs.append(_cost(work, large))
            if costs[-1] <= MOST * max(once, SLACK):
                return
        tried.append((once, *costs))
    raise AssertionError(f"CPU seconds for n = {n}, and then for {4 * n}: {tried}")


def _cost(work: Callable[[Any], Any], given: Any) -> float:
    start = time.process_time()
    work(given)
    return time.process_time() - start
