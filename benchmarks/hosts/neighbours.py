"""The rows of two merchants: a small file of good pictures, alone and beside another merchant's trouble."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.hosts.callers import announce_again, uploaded
from benchmarks.hosts.figures import Figures
from benchmarks.hosts.uploads import csv_of, of_one_host, pictures, time_of_neighbour, wait_for
from benchmarks.runs import process, stack_of
from tests.support.hosts.host_troubles import drips, hangs, silent
from tests.support.hosts.replies import Reply, Rule
from tests.support.hosts.troubled_host import TroubledHost, troubled_host
from tests.support.stack import Stack

PATIENCE = 300.0
PICTURES = 64  # of the other merchant
WEBHOOKS, CALLERS, RECEIVER_TAKES = 128, 16, 14.0  # seconds, below the deadline of a webhook
ROWS_OF_BIG_FILE, QUICK_ROWS = 100_000, 5_000
BUSTED, QUICK_BUSTED = 20_000, 2_000
VICTIM_TAKES = 0.1
ALONE_ROUNDS = 3

Notes = Callable[[], Sequence[str]]
Begin = Callable[[Stack, ExitStack, bool], Notes]


@dataclass(frozen=True)
class Beside:
    """What the other merchant does. `begin` starts it, and returns once it is under way; it may leave notes."""

    title: str
    begin: Begin


def measure(name: str, *, quick: bool) -> Figures:
    """One row: the neighbour alone, then beside the trouble, on the same stack."""
    row = ROWS[name]
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(stack_of())
        good = cleanup.enter_context(troubled_host(pictures()))
        process(stack, good.url, 2 * stack.settings().workers)
        alone = [
            time_of_neighbour(stack, good.url, tag=f"alone-{turn}", seconds=PATIENCE) for turn in range(ALONE_ROUNDS)
        ]
        notes = row.begin(stack, cleanup, quick)
        beside = time_of_neighbour(stack, good.url, tag="beside", seconds=PATIENCE)
        return Figures(row.title, alone=median(alone), beside=beside, notes=notes())


def _of_host(*rules: Rule) -> Begin:
    """64 products of one picture each, all of one troubled host."""

    def begin(stack: Stack, cleanup: ExitStack, _quick: bool) -> Notes:
        host = cleanup.enter_context(troubled_host(pictures(), rules=rules))
        stack.submit(of_one_host(host.url, PICTURES))
        _under_way(host)
        return lambda: [f"at most {host.log.most_at_once} requests at a time to that host"]

    return begin


def _many_silent(stack: Stack, cleanup: ExitStack, _quick: bool) -> Notes:
    host = cleanup.enter_context(troubled_host(pictures(), rules=[silent], address="0.0.0.0"))
    stack.submit(csv_of([f"{host.url_of(number)}/a.jpg"] for number in range(PICTURES)))
    _under_way(host)
    return lambda: [f"at most {host.log.most_at_once} requests at a time to all of those hosts"]


def _slow_receiver(stack: Stack, cleanup: ExitStack, _quick: bool) -> Notes:
    """Requests of many callers, which have ended, and whose webhooks are sent again: now their receiver is slow."""
    good = cleanup.enter_context(troubled_host(pictures()))
    receiver = cleanup.enter_context(troubled_host(lambda _asked: Reply(204)))
    webhook = f"{receiver.url}/webhook"
    uploads = uploaded(stack, host=good.url, webhook=webhook, callers=CALLERS, each=WEBHOOKS // CALLERS)
    receiver.latency = RECEIVER_TAKES
    receiver.forget()
    announce_again(stack, uploads)
    _under_way(receiver)
    return lambda: [f"at most {receiver.log.most_at_once} webhooks at a time to that receiver"]


def _big_file(stack: Stack, cleanup: ExitStack, quick: bool) -> Notes:
    host = cleanup.enter_context(troubled_host(pictures()))
    stack.submit(of_one_host(host.url, QUICK_ROWS if quick else ROWS_OF_BIG_FILE))
    _under_way(host)
    return lambda: []


def _busting(stack: Stack, cleanup: ExitStack, quick: bool) -> Notes:
    """One picture under many URLs, which differ in their query; the first rows of a million."""
    victim = cleanup.enter_context(troubled_host(pictures(), latency=VICTIM_TAKES))
    stack.submit(csv_of([f"{victim.url}/a.jpg?cb={row}"] for row in range(QUICK_BUSTED if quick else BUSTED)))
    _under_way(victim)
    return lambda: [
        f"the victim got {_rate(victim):.0f} requests a second, at most {victim.log.most_at_once} at a time"
    ]


def _rate(host: TroubledHost) -> float:
    seconds = [count for count, _, _ in host.log.by_second()]
    return sum(seconds) / max(1, len(seconds))


def _under_way(host: TroubledHost) -> None:
    """Wait for the first requests at the host, and a second more for the others."""
    wait_for(lambda: len(host.log.lines), lambda count: count >= 1, seconds=PATIENCE)
    time.sleep(1)


ROWS = {
    "silent": Beside("64 pictures that hang on a silent host", _of_host(silent)),
    "hanging": Beside("64 pictures that hang in the middle", _of_host(hangs)),
    "dripping": Beside("64 pictures that come byte by byte", _of_host(drips(1, 0.5))),
    "many-silent": Beside("64 pictures, each on another silent host", _many_silent),
    "receiver": Beside("128 webhooks of 16 callers to a receiver that takes 14 s", _slow_receiver),
    "big-file": Beside("a file of 100,000 rows", _big_file),
    "busting": Beside("a million URLs of one host, by their query", _busting),
}
