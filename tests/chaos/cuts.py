"""Cuts one worker host after another from the rest, and measures how long the others stand still.

`python -m tests.chaos.cuts --cuts 10` makes three hosts of eight workers in network namespaces, keeps them busy, and
cuts the link of one for half a minute, ten times. It ends with the checker's word that nothing is lost or doubled.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import ENDED, ProductStatus
from tests.chaos import network
from tests.chaos.case import Defect
from tests.chaos.house import open_house
from tests.chaos.network import Network, Way, open_network
from tests.chaos.pictures import open_chaos_host
from tests.chaos.scenarios import Stage
from tests.support.processes import wait_until

POLL_SECONDS = 0.1
LEAST_SECONDS = 6.0  # of a cut
STILL_SECONDS = 15.0  # without any product ending: more than the 13 s in which a lost session is ended

console = Console(highlight=False, soft_wrap=True)

Cutting = Callable[[Network, int], AbstractContextManager[None]]
CUTS: dict[str, Cutting] = {
    "link down": lambda net, host: net.cut(host),
    "all lost": lambda net, host: net.dropping(host, *Way),
    "lost to host": lambda net, host: net.dropping(host, Way.TO_HOST),
    "lost from host": lambda net, host: net.dropping(host, Way.FROM_HOST),
}


@dataclass(frozen=True)
class Options:
    """What to cut: `kinds` come in turn, for so many seconds, or until all is taken over where that is `enough`."""

    cuts: int
    kinds: tuple[str, ...] = ("link down",)
    seconds: float = 30.0
    hosts: int = 3
    workers: int = 8
    lease: int = 20
    between: int = 300  # products that must end before the next cut
    file: int = 500  # products; another is sent where fewer are left
    enough: bool = False


@dataclass(frozen=True)
class Cut:
    """One cut. Times are seconds from the cut; None where it did not happen before the link came back."""

    kind: str
    held: int  # products that the host had when it was cut
    still: float  # the longest time without any product ending
    goes_on: float | None  # when products end again, after the longest time without
    taken_over: float | None  # when none of its products was left as it was
    ended: int  # products that ended meanwhile

    @property
    def frozen(self) -> bool:
        """The healthy workers stood still."""
        return self.still > STILL_SECONDS


def run(options: Options, folder: Path, *, tell: Callable[[str], None]) -> tuple[list[Cut], list[Defect]]:
    """Cut, measure, mend; then wait for the end and check."""
    settings = {"WORKERS": str(options.workers), "LEASE_SECONDS": str(options.lease), "DISPATCH_WINDOW": "64"}
    with (
        open_network(options.hosts + 1) as net,
        open_chaos_host(net.address) as shop,
        open_house(
            folder, database="postgresql", network=net, settings=settings, clocks=[0.0] * options.hosts
        ) as house,
    ):
        assert isinstance(net, Network), "run as a module, which enters a namespace of its own"
        feeding = Feeding(Stage(house, shop), options.file)
        cuts = []
        feeding.recover(options.between)
        for number in range(options.cuts):
            kind = options.kinds[number % len(options.kinds)]
            with CUTS[kind](net, number % options.hosts):
                cuts.append(_watch(feeding, kind, options))
            tell(json.dumps(asdict(cuts[-1])))
            feeding.recover(options.between)
        feeding.stage.settle()
        wait_until(lambda: not feeding.open_requests(), seconds=120)
        return cuts, feeding.stage.defects()


class Feeding:
    """Keeps enough products waiting, and looks how far they are."""

    def __init__(self, stage: Stage, file: int) -> None:
        self.stage = stage
        self._file = file
        self._names = (f"cut-{number}" for number in itertools.count())
        self._sent = 0

    def look(self) -> tuple[int, set[tuple[int, str]]]:
        """How many products have ended, and which are held, with their tokens. Sends a file where few are left."""
        over = [ProductStatus.COMPLETED, ProductStatus.FAILED]
        held = sa.select(Product.id, Product.lease_token).where(Product.status == ProductStatus.PROCESSING)
        with self.stage.house.app.app_context(), db.engine.connect() as connection:
            ended = connection.execute(sa.select(sa.func.count()).where(Product.status.in_(over))).scalar_one()
            holders = {(row.id, row.lease_token) for row in connection.execute(held)}
        while self._sent - ended < self._file:
            self.stage.send((next(self._names), self._file))
            self._sent += self._file
        return ended, holders

    def recover(self, products: int) -> None:
        """Wait until the house is at work, as before the first cut."""
        ended = self.look()[0] + products
        wait_until(lambda: self.look()[0] >= ended, seconds=900, pause=POLL_SECONDS)

    def open_requests(self) -> int:
        """How many requests have not ended."""
        is_open = sa.select(sa.func.count()).where(ProcessingRequest.status.not_in(ENDED))
        with self.stage.house.app.app_context(), db.engine.connect() as connection:
            return int(connection.execute(is_open).scalar_one())


def _watch(feeding: Feeding, kind: str, options: Options) -> Cut:
    started = time.monotonic()
    first, held = feeding.look()
    left, ended, last = set(held), first, started
    still, goes_on, taken_over = 0.0, None, None
    while time.monotonic() < started + options.seconds:
        time.sleep(POLL_SECONDS)
        count, holders = feeding.look()
        now = time.monotonic()
        if now - last > still:
            still, goes_on = now - last, None
        if count > ended:
            ended, last = count, now
            goes_on = goes_on or now - started
        left &= holders
        if not left and taken_over is None:
            taken_over = now - started
        if options.enough and taken_over and now - started > LEAST_SECONDS:
            break
    return Cut(kind, len(held), still, goes_on, taken_over, ended - first)


def main() -> int:
    """Run as asked; 0 only where no cut froze the others, each was taken over, and the checker found nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cuts", description=__doc__)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--kinds", default="link down", help=f"in turn, separated by commas: {', '.join(CUTS)}")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each lasts")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--lease", type=int, default=20)
    parser.add_argument("--between", type=int, default=300, help="products that must end before the next cut")
    parser.add_argument(
        "--file", type=int, default=500, help="products of a file; another is sent where fewer are left"
    )
    parser.add_argument("--enough", action="store_true", help="end a cut once its products are taken over")
    parser.add_argument("--folder", type=Path, help="keep logs and objects in this empty folder")
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    options = Options(**given | {"kinds": tuple(given["kinds"].split(","))})
    with tempfile.TemporaryDirectory(prefix="cuts-", ignore_cleanup_errors=True) as temporary:
        folder = folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        cuts, defects = run(options, folder, tell=console.print)
    frozen = sum(cut.frozen for cut in cuts)
    kept = sum(cut.taken_over is None for cut in cuts)
    console.print(f"{len(cuts)} cuts: {frozen} froze the others, {kept} kept products beyond {options.seconds:.0f} s")
    for defect in defects:
        console.print(f"{defect.kind} {defect.where}: {defect.detail}")
    return 1 if frozen or kept or defects else 0


if __name__ == "__main__":
    if reason := network.missing():
        sys.exit(reason)
    if not network.is_inside():
        network.enter_namespace("tests.chaos.cuts", sys.argv[1:])
    sys.exit(main())
