"""Short scenarios with real processes. Each brings about the one moment that a promise is about.

Each ends without a defect with the real code, and with a defect under its mutation.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import ENDED, DeliveryStatus, ProductStatus
from tests.chaos import traps
from tests.chaos.callers import Callers
from tests.chaos.case import Defect
from tests.chaos.checker import check
from tests.chaos.cluster import Cluster, open_cluster, stop_ours
from tests.chaos.facts import Facts, Row, collect, rows_of
from tests.chaos.pictures import ChaosHost, open_chaos_host
from tests.chaos.uploads import TROUBLED_HOSTS, Line, Place, Upload
from tests.support.hosts.host_troubles import always_answers
from tests.support.hosts.rate_limits import FixedWindow, RateLimit
from tests.support.processes import wait_until

# Seconds without any change after which a scenario is over, even if requests are open. With two workers an owner may
# send one webhook at a time, so the others wait until the lease of a killed sender has expired (start.py: 20 s).
PATIENCE = 30.0
MUTATED_PATIENCE = 15.0  # the same with a mutation: no sender is killed, and a sweeper enqueues lost work after 5 s
IGNORED = {"late", "made_again"}  # scenarios are about other defects
TOGETHER_SECONDS = 10.0
# A worker process has one product in hand, so that what is suspended with it is what the scenario is about.
ONE_EACH = {"WORKERS": "4", "WORKER_PROCESSES": "4"}
LIMIT_SECONDS = 5.0  # so long that a busy machine, too, makes more than two requests meanwhile
TROUBLE_SECONDS, HOST_PAUSE = 3.0, 60.0  # HOST_PAUSE is the longest pause between two requests to a host


class Trial:
    """A cluster, an image host, and the files that scenarios have uploaded."""

    def __init__(self, cluster: Cluster, image_host: ChaosHost, *, patience: float = PATIENCE) -> None:
        self.cluster, self.image_host, self._patience = cluster, image_host, patience
        self._callers: list[tuple[Callers, threading.Thread]] = []
        self._halted: list[list[Row]] = []  # all rows when nothing had changed for so long that it was given up

    def send(self, *files: tuple[str, int]) -> None:
        """Upload files, given by name and number of products of one image each, in a thread."""
        self.upload(*(_upload(name, count) for name, count in files))

    def upload(self, *files: Upload) -> None:
        """Upload files in a thread."""
        callers = Callers(self.cluster, self.image_host, files, seed=0)
        thread = threading.Thread(target=callers.run)
        thread.start()
        self._halted = []
        self._callers.append((callers, thread))

    def rows(self, entity: type[ProcessingRequest | Product | WebhookDelivery]) -> list[Row]:
        """The current rows of a table."""
        with self.cluster.app.app_context():
            return rows_of(entity)

    def caught(self, trap: str) -> int:
        """Wait until a trap has stopped a process; the id of the process."""
        file = (self.cluster.traps / trap).with_suffix(".caught")
        wait_until(file.exists)
        return int(file.read_text())

    def settle(self) -> bool:
        """Wait until everything has ended, or nothing changes any more; whether everything has ended."""
        deadline, seen = time.monotonic(), self._halted
        while True:
            if (now := [self.rows(entity) for entity in (ProcessingRequest, Product, WebhookDelivery)]) != seen:
                seen, deadline = now, time.monotonic() + self._patience
            if self.has_ended():
                return True
            if time.monotonic() >= deadline:
                self._halted = seen
                return False
            time.sleep(0.1)

    def defects(self) -> list[Defect]:
        """The defects at the end."""
        return [defect for defect in check(self._facts()) if defect.kind not in IGNORED]

    def has_ended(self) -> bool:
        """Whether every request has ended and every webhook is delivered."""
        ended, told = {end.value for end in ENDED}, DeliveryStatus.DELIVERED.value
        sent = not any(thread.is_alive() for _, thread in self._callers)
        return (
            sent
            and all(row["status"] in ended for row in self.rows(ProcessingRequest))
            and all(row["status"] == told for row in self.rows(WebhookDelivery))
        )

    def _facts(self) -> Facts:
        for callers, thread in self._callers:
            callers.stopped.set()
            thread.join()
        stop_ours(self.cluster)
        sent = [each for callers, _ in self._callers for each in callers.sent]
        return collect(self.cluster, self.image_host, sent, seconds_to_end=0)


def _upload(name: str, products: int) -> Upload:
    places = [Place("chelsea.jpg", f"/chelsea.jpg?file={name}&row={row}") for row in range(1, products + 1)]
    lines = [Line(f"{row}.", f"SKU {row}", (place,)) for row, place in enumerate(places, start=1)]
    return Upload(name, 0.0, tuple(lines))


def finishing_together(trial: Trial) -> None:
    """Two workers finish the two products of a request at the same moment, and no sweeper runs to elect a finalizer.

    Requests come one after the other, because a webhook over the limit of its owner would also wait for a sweeper.
    """
    names = [f"pair-{number}" for number in range(8)]
    both = {name: threading.Barrier(2) for name in names}

    def wait_for_the_other(path: str) -> None:
        with suppress(threading.BrokenBarrierError):
            both[path.partition("file=")[2].partition("&")[0]].wait(TOGETHER_SECONDS)

    for sweeper in trial.cluster.sweepers:
        sweeper.end()
    trial.image_host.before = wait_for_the_other
    for name in names:
        trial.send((name, 2))
        if not trial.settle():
            return


def finishing_late(trial: Trial) -> None:
    """A worker is suspended just before it finishes a product, and resumes after another worker has finished it."""
    open_again = threading.Event()
    trial.image_host.before = lambda path: None if "row=1" in path else _wait(open_again)
    traps.set_trap(trial.cluster.traps, "finish", number=signal.SIGSTOP)
    trial.send(("late-finish", 3))
    suspended = trial.caught("finish")
    done = ProductStatus.COMPLETED.value
    wait_until(lambda: {row["status"] for row in trial.rows(Product) if row["row"] == 1} == {done})
    os.kill(suspended, signal.SIGCONT)
    time.sleep(1)  # its late result arrives
    open_again.set()


def finalizing_late(trial: Trial) -> None:
    """A finalizer is suspended just before it ends the request, and resumes after another one has ended it."""
    traps.set_trap(trial.cluster.traps, "complete", number=signal.SIGSTOP)
    trial.send(("late-end", 1))
    suspended = trial.caught("complete")
    ended = {end.value for end in ENDED}
    wait_until(lambda: {row["status"] for row in trial.rows(ProcessingRequest)} <= ended)
    os.kill(suspended, signal.SIGCONT)
    time.sleep(1)  # its late result arrives


def enqueueing_lost(trial: Trial) -> None:
    """The web process dies after the commit of an upload and before its plan is enqueued."""
    traps.set_trap(trial.cluster.traps, "plans")
    trial.send(("never-enqueued", 1))


def hosts_in_trouble(trial: Trial) -> None:
    """Of the hosts of each product's images one is busy, one is away and one limits requests; all come back."""
    busy, away, limited = hosts = trial.image_host.troubled
    busy.rules, limited.rules = [always_answers(503)], [RateLimit(FixedWindow(2, LIMIT_SECONDS))]
    away.go_away()
    places = [
        tuple(Place("chelsea.jpg", f"/chelsea.jpg?row={row}", host) for host in range(1, len(hosts) + 1))
        for row in range(1, 9)
    ]
    lines = [Line(f"{row}.", f"SKU {row}", three) for row, three in enumerate(places, start=1)]
    trial.upload(Upload("troubled", 0.0, tuple(lines)))
    wait_until(lambda: bool(busy.log.refused and limited.log.refused))
    time.sleep(TROUBLE_SECONDS)
    busy.rules = limited.rules = []
    away.come_back()
    with suppress(AssertionError):  # the checker says what has not ended
        wait_until(trial.has_ended, seconds=HOST_PAUSE + PATIENCE)


def _wait(event: threading.Event) -> None:
    event.wait(60)


Scenario = Callable[[Trial], None]


def run_scenarios(
    scenarios: Sequence[Scenario], folder: Path, *, database: str, mutation: str = "", **settings: str
) -> list[Defect]:
    """Run scenarios one after the other in one cluster, with a mutation or without; the defects at the end."""
    with (
        open_chaos_host(troubled=TROUBLED_HOSTS) as image_host,
        open_cluster(folder, database=database, mutation=mutation, settings=ONE_EACH | settings) as cluster,
    ):
        trial = Trial(cluster, image_host, patience=MUTATED_PATIENCE if mutation else PATIENCE)
        for each in scenarios:
            each(trial)
            trial.settle()
        return trial.defects()
