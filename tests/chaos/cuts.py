"""Cuts one worker host after another from the network, and measures how long the others stop.

`python -m tests.chaos.cuts --cuts 10` makes three hosts of eight workers in network namespaces, keeps them busy, and
cuts the link of one for half a minute, ten times. At the end the checker looks for anything lost or duplicated.
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
from tests.chaos.cluster import open_cluster
from tests.chaos.network import Network, Way, open_network
from tests.chaos.pictures import open_chaos_host
from tests.chaos.scenarios import Trial
from tests.support.processes import wait_until

POLL_SECONDS = 0.1
LEAST_SECONDS = 6.0  # that a cut lasts
LONGEST_PAUSE = 15.0  # seconds without any product ending; a lost session is ended within 13 s

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
    """The cuts to make: `kinds` in turn, each for `seconds`; with `enough`, only until the products are taken over."""

    cuts: int
    kinds: tuple[str, ...] = ("link down",)
    seconds: float = 30.0
    hosts: int = 3
    workers: int = 8
    lease: int = 20
    between: int = 300  # products that must end before the next cut
    file: int = 500  # products; another file is sent when fewer are left
    answer: float = 0.0  # seconds until the image host answers, for which a worker holds a product and costs no CPU
    enough: bool = False


@dataclass(frozen=True)
class Cut:
    """One cut. Times are seconds from the cut; None if the event did not happen before the link came back."""

    kind: str
    held: int  # products that workers held when the host was cut
    pause: float  # the longest time without any product ending
    resumed: float | None  # when products end again after the longest pause
    taken_over: float | None  # when none of these products was held under the same lease any more
    ended: int  # products that ended during the cut

    @property
    def stopped_the_others(self) -> bool:
        """Whether the healthy workers made no progress for too long."""
        return self.pause > LONGEST_PAUSE


def run(options: Options, folder: Path, *, tell: Callable[[str], None]) -> tuple[list[Cut], list[Defect]]:
    """Cut, measure and reconnect; then wait until every request has ended, and check."""
    settings = {"WORKERS": str(options.workers), "LEASE_SECONDS": str(options.lease), "DISPATCH_WINDOW": "64"}
    with (
        open_network(options.hosts + 1) as net,
        open_chaos_host(net.address) as image_host,
        open_cluster(
            folder, database="postgresql", network=net, settings=settings, clocks=[0.0] * options.hosts
        ) as cluster,
    ):
        assert isinstance(net, Network), "run this as a module, so that it enters its own namespace"
        image_host.before = lambda _path: time.sleep(options.answer)
        feeder = Feeder(Trial(cluster, image_host), options.file)
        cuts = []
        feeder.recover(options.between)
        for number in range(options.cuts):
            kind = options.kinds[number % len(options.kinds)]
            with CUTS[kind](net, number % options.hosts):
                cuts.append(_watch(feeder, kind, options))
            tell(json.dumps(asdict(cuts[-1])))
            feeder.recover(options.between)
        image_host.before = lambda _path: None
        feeder.trial.settle()
        wait_until(lambda: not feeder.open_requests(), seconds=120)
        return cuts, feeder.trial.defects()


class Feeder:
    """Keeps enough products waiting, and reads their progress."""

    def __init__(self, trial: Trial, file: int) -> None:
        self.trial = trial
        self._file = file
        self._names = (f"cut-{number}" for number in itertools.count())
        self._sent = 0

    def progress(self) -> tuple[int, set[tuple[int, str]]]:
        """How many products have ended, and which are leased, with their tokens. Sends a file when few are left."""
        over = [ProductStatus.COMPLETED, ProductStatus.FAILED]
        held = sa.select(Product.id, Product.lease_token).where(Product.status == ProductStatus.PROCESSING)
        with self.trial.cluster.app.app_context(), db.engine.connect() as connection:
            ended = connection.execute(sa.select(sa.func.count()).where(Product.status.in_(over))).scalar_one()
            holders = {(row.id, row.lease_token) for row in connection.execute(held)}
        while self._sent - ended < self._file:
            self.trial.send((next(self._names), self._file))
            self._sent += self._file
        return ended, holders

    def recover(self, products: int) -> None:
        """Wait until so many more products have ended, so that all workers are busy before the next cut."""
        ended = self.progress()[0] + products
        wait_until(lambda: self.progress()[0] >= ended, seconds=900, pause=POLL_SECONDS)

    def open_requests(self) -> int:
        """How many requests have not ended."""
        is_open = sa.select(sa.func.count()).where(ProcessingRequest.status.not_in(ENDED))
        with self.trial.cluster.app.app_context(), db.engine.connect() as connection:
            return int(connection.execute(is_open).scalar_one())


def _watch(feeder: Feeder, kind: str, options: Options) -> Cut:
    started = time.monotonic()
    first, held = feeder.progress()
    left, ended, last = set(held), first, started
    pause, resumed, taken_over = 0.0, None, None
    while time.monotonic() < started + options.seconds:
        time.sleep(POLL_SECONDS)
        count, holders = feeder.progress()
        now = time.monotonic()
        if now - last > pause:
            pause, resumed = now - last, None
        if count > ended:
            ended, last = count, now
            resumed = resumed or now - started
        left &= holders
        if not left and taken_over is None:
            taken_over = now - started
        if options.enough and taken_over and now - started > LEAST_SECONDS:
            break
    return Cut(kind, len(held), pause, resumed, taken_over, ended - first)


def main() -> int:
    """Make the cuts; 0 if no cut stopped the other hosts, each host's work was taken over, and there is no defect."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cuts", description=__doc__)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--kinds", default="link down", help=f"in turn, separated by commas: {', '.join(CUTS)}")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each cut lasts")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--lease", type=int, default=20)
    parser.add_argument("--between", type=int, default=300, help="products that must end before the next cut")
    parser.add_argument("--file", type=int, default=500, help="products of a file; another is sent when fewer are left")
    parser.add_argument("--answer", type=float, default=0.0, help="seconds until the image host answers")
    parser.add_argument("--enough", action="store_true", help="end a cut once its products are taken over")
    parser.add_argument("--folder", type=Path, help="keep logs and objects in this empty folder")
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    options = Options(**given | {"kinds": tuple(given["kinds"].split(","))})
    with tempfile.TemporaryDirectory(prefix="cuts-", ignore_cleanup_errors=True) as temporary:
        folder = folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        cuts, defects = run(options, folder, tell=console.print)
    stopped = sum(cut.stopped_the_others for cut in cuts)
    kept = sum(cut.taken_over is None for cut in cuts)
    console.print(
        f"{len(cuts)} cuts: {stopped} stopped the others, {kept} kept products beyond {options.seconds:.0f} s"
    )
    for defect in defects:
        console.print(f"{defect.kind} {defect.where}: {defect.detail}")
    return 1 if stopped or kept or defects else 0


if __name__ == "__main__":
    if reason := network.missing():
        sys.exit(reason)
    if not network.is_inside():
        network.enter_namespace("tests.chaos.cuts", sys.argv[1:])
    sys.exit(main())
