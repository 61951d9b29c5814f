"""Short plays with real processes, each of which brings about the one moment that a promise is about.

Played by the code as it is, each ends without a defect; by a mutation of it, not.
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
from tests.chaos.case import Defect
from tests.chaos.checker import check
from tests.chaos.facts import Facts, Row, collect, rows_of
from tests.chaos.house import House, open_house, stop_ours
from tests.chaos.pictures import ChaosHost, open_chaos_host
from tests.chaos.sending import Sending
from tests.chaos.uploads import Line, Place, Upload
from tests.support.processes import wait_until

# Seconds without any change until a play is over, whatever is still open. With two workers an owner may send one
# webhook at a time, so the others wait until the lease of a killed sender has expired (start.py: 20 s).
PATIENCE = 30.0
WAITED_FOR = {"late", "made_again"}  # a play is about other things
TOGETHER_SECONDS = 10.0


class Stage:
    """A house, a shop, and the files that a play has sent."""

    def __init__(self, house: House, shop: ChaosHost) -> None:
        self.house, self.shop = house, shop
        self._sendings: list[tuple[Sending, threading.Thread]] = []

    def send(self, *files: tuple[str, int]) -> None:
        """Upload files of so many products of one image each, by name; callers go on by themselves."""
        sending = Sending(self.house, self.shop, [_upload(name, count) for name, count in files], seed=0)
        thread = threading.Thread(target=sending.run)
        thread.start()
        self._sendings.append((sending, thread))

    def rows(self, entity: type[ProcessingRequest | Product | WebhookDelivery]) -> list[Row]:
        """A table as it is now."""
        with self.house.app.app_context():
            return rows_of(entity)

    def caught(self, trap: str) -> int:
        """Wait until a process has fallen into a trap that stops it; its id."""
        file = (self.house.traps / trap).with_suffix(".caught")
        wait_until(file.exists)
        return int(file.read_text())

    def settle(self) -> bool:
        """Wait until all is calm, or nothing happens any more; whether it is calm."""
        deadline = time.monotonic() + PATIENCE
        seen = None
        while not self._is_calm() and time.monotonic() < deadline:
            if (now := [self.rows(entity) for entity in (ProcessingRequest, Product, WebhookDelivery)]) != seen:
                seen, deadline = now, time.monotonic() + PATIENCE
            time.sleep(0.1)
        return self._is_calm()

    def defects(self) -> list[Defect]:
        """What is wrong in the end."""
        return [defect for defect in check(self._facts()) if defect.kind not in WAITED_FOR]

    def _is_calm(self) -> bool:
        ended, told = {end.value for end in ENDED}, DeliveryStatus.DELIVERED.value
        sent = not any(thread.is_alive() for _, thread in self._sendings)
        return (
            sent
            and all(row["status"] in ended for row in self.rows(ProcessingRequest))
            and all(row["status"] == told for row in self.rows(WebhookDelivery))
        )

    def _facts(self) -> Facts:
        for sending, thread in self._sendings:
            sending.stopped.set()
            thread.join()
        stop_ours(self.house)
        sent = [each for sending, _ in self._sendings for each in sending.sent]
        return collect(self.house, self.shop, sent, seconds_to_end=0)


def _upload(name: str, products: int) -> Upload:
    places = [Place("chelsea.jpg", f"/chelsea.jpg?file={name}&row={row}") for row in range(1, products + 1)]
    lines = [Line(f"{row}.", f"SKU {row}", (place,)) for row, place in enumerate(places, start=1)]
    return Upload(name, 0.0, tuple(lines))


def finishing_together(stage: Stage) -> None:
    """Requests of two products whose workers finish in the same moment, with no sweeper to hold elections for them.

    One request after the other: a webhook that finds no room to be sent waits for a sweeper, too.
    """
    names = [f"twins-{number}" for number in range(8)]
    both = {name: threading.Barrier(2) for name in names}

    def wait_for_twin(path: str) -> None:
        with suppress(threading.BrokenBarrierError):
            both[path.partition("file=")[2].partition("&")[0]].wait(TOGETHER_SECONDS)

    for sweeper in stage.house.sweepers:
        sweeper.end()
    stage.shop.before = wait_for_twin
    for name in names:
        stage.send((name, 2))
        if not stage.settle():
            return


def finishing_late(stage: Stage) -> None:
    """A worker is stopped just before it finishes a product, and goes on when another has finished it."""
    open_again = threading.Event()
    stage.shop.before = lambda path: None if "row=1" in path else _wait(open_again)
    traps.set_trap(stage.house.traps, "finish", number=signal.SIGSTOP)
    stage.send(("late-finish", 3))
    zombie = stage.caught("finish")
    done = ProductStatus.COMPLETED.value
    wait_until(lambda: {row["status"] for row in stage.rows(Product) if row["row"] == 1} == {done})
    os.kill(zombie, signal.SIGCONT)
    time.sleep(1)  # it says its late word
    open_again.set()


def finalizing_late(stage: Stage) -> None:
    """A finalizer is stopped just before it ends the request, and goes on when another has ended it."""
    traps.set_trap(stage.house.traps, "complete", number=signal.SIGSTOP)
    stage.send(("late-end", 1))
    zombie = stage.caught("complete")
    ended = {end.value for end in ENDED}
    wait_until(lambda: {row["status"] for row in stage.rows(ProcessingRequest)} <= ended)
    os.kill(zombie, signal.SIGCONT)
    time.sleep(1)  # it says its late word


def ringing_lost(stage: Stage) -> None:
    """The web process dies between the commit of an upload and the ring of its plan."""
    traps.set_trap(stage.house.traps, "plans")
    stage.send(("never-rung", 1))


def _wait(event: threading.Event) -> None:
    event.wait(60)


Play = Callable[[Stage], None]


def play(plays: Sequence[Play], folder: Path, *, database: str, mutation: str = "") -> list[Defect]:
    """Give plays one after the other in one house, whose processes have a defect or none; what is wrong at the end."""
    with open_chaos_host() as shop, open_house(folder, database=database, mutation=mutation) as house:
        stage = Stage(house, shop)
        for each in plays:
            each(stage)
            stage.settle()
        return stage.defects()
