"""One run: callers and faults at the same time, then a wait until all requests have ended, then the checker."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import ENDED, DeliveryStatus
from tests.chaos.callers import Callers
from tests.chaos.case import Defect
from tests.chaos.checker import SECONDS_TO_END, check, made_again
from tests.chaos.cluster import CLOCKS, Cluster, open_cluster, stop_ours
from tests.chaos.facts import Facts, collect, expected
from tests.chaos.fault_plan import plan_faults
from tests.chaos.injector import FaultInjector
from tests.chaos.network import Network, open_network
from tests.chaos.pictures import BROKEN, PICTURES, ChaosHost, open_chaos_host
from tests.chaos.uploads import TROUBLED_HOSTS, plan_uploads

HOSTS = len(CLOCKS) + 1  # those of the pools, and that of web
PROGRESS_SECONDS = 5.0
SENDING_SHARE = 0.9  # of the time of the faults; during the last ones no file is uploaded
ANNOUNCING_SECONDS = 150.0  # a killed sender's lease must expire first

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """The options of a run; the seed determines the faults and the files."""

    seed: int
    images: int
    faults: int
    database: str = "postgresql"
    pace: float = 0.4  # seconds between two faults


@dataclass
class Report:
    """The result of a run."""

    options: Options
    defects: list[Defect]
    faults: dict[str, int]
    missed_faults: dict[str, int]
    figures: dict[str, float]
    deaths: dict[str, dict[str, int]] = field(default_factory=dict)  # exits that no fault caused, by process

    def write(self, file: Path) -> None:
        """Write the report as JSON."""
        file.write_text(json.dumps(asdict(self), indent=2))


def run(options: Options, folder: Path, *, tell: Tell) -> Report:
    """Do a whole run in an empty folder."""
    for picture in [*PICTURES, *BROKEN]:
        expected(picture)  # cached before the run
    seconds = options.faults * options.pace
    uploads = plan_uploads(seed=options.seed, images=options.images, seconds=seconds * SENDING_SHARE)
    planned = partial(plan_faults, seed=options.seed, count=options.faults, seconds=seconds, database=options.database)
    with (
        open_network(HOSTS) as net,
        open_chaos_host(net.address, troubled=TROUBLED_HOSTS) as image_host,
        open_cluster(folder, database=options.database, network=net) as cluster,
    ):
        cluster.troubled_hosts = image_host.troubled
        plan = planned(network=isinstance(net, Network))
        tell(f"seed {options.seed}, {options.database}: {len(uploads)} files, {len(plan)} faults over {seconds:.0f} s")
        callers = Callers(cluster, image_host, uploads, seed=options.seed)
        return Run(options, cluster, image_host, callers, FaultInjector(cluster, plan), tell).carry_out()


class Run:
    """A run in progress."""

    def __init__(
        self,
        options: Options,
        cluster: Cluster,
        image_host: ChaosHost,
        callers: Callers,
        injector: FaultInjector,
        tell: Tell,
    ) -> None:
        self._options = options
        self._cluster, self._image_host = cluster, image_host
        self._callers, self._injector = callers, injector
        self._tell = tell
        self._started = time.monotonic()
        self._told = 0.0

    def carry_out(self) -> Report:
        """Upload and inject faults at the same time, wait until everything has ended, check."""
        threads = [threading.Thread(target=each.run) for each in (self._callers, self._injector)]
        for thread in threads:
            thread.start()
        while threads[1].is_alive():
            self._progress()
            if not threads[0].is_alive():
                self._tell_faults()
        backlog = self._figures()["images_left"]
        self._tell(f"the last fault is over; {backlog} images are left")
        ended = self._wait(lambda: not threads[0].is_alive() and not self._figures()["open"], SECONDS_TO_END + 30)
        announced = self._wait(lambda: not self._figures()["unannounced"], ANNOUNCING_SECONDS if ended else 0)
        self._callers.stopped.set()
        threads[0].join()
        stop_ours(self._cluster)
        facts = collect(self._cluster, self._image_host, self._callers.sent, seconds_to_end=ended or 2 * SECONDS_TO_END)
        return self._report(facts, backlog=backlog, announced=announced)

    def _wait(self, done: Callable[[], bool], seconds: float) -> float:
        """Seconds from the last fault until `done`; 0 if that does not happen in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._progress()
            if done():
                return time.monotonic() - self._injector.last
        return 0.0

    def _report(self, facts: Facts, *, backlog: int, announced: float) -> Report:
        images, again = sum(len(sent.upload.places) for sent in facts.sent), made_again(facts)
        figures = {
            "seconds": time.monotonic() - self._started,
            "files": len(facts.sent),
            "images": images,
            "images_left_at_the_last_fault": backlog,
            "seconds_to_end": facts.seconds_to_end,
            "seconds_to_announce": announced,
            "made_again": again,
            "made_again_percent": 100 * again / images,
            "requests_to_troubled_hosts": sum(host.log.attempts for host in self._image_host.troubled),
            "refused_by_troubled_hosts": sum(host.log.refused for host in self._image_host.troubled),
            "uploads_sent_again": sum(sent.failures for sent in facts.sent),
            "webhooks": len(facts.deliveries),
            "webhooks_received": len(facts.received),
            "superseded_finalizers": sum(row["finalize_epoch"] for row in facts.requests) - len(facts.deliveries),
            "most_attempts": max((row["attempt"] for row in facts.products), default=0),
        }
        deaths = {each.name: dict(each.ended) for each in self._cluster.everything if each.ended}
        defects = [*check(facts), *(Defect("broken_fault", "", error) for error in self._injector.errors)]
        injected, missed = self._injector.injected, self._injector.missed
        return Report(self._options, defects, dict(injected), dict(missed), figures, deaths)

    def _progress(self) -> None:
        """Wait a little; every few seconds tell the progress."""
        time.sleep(0.2)
        seconds = time.monotonic() - self._started
        if seconds - self._told < PROGRESS_SECONDS:
            return
        self._told = seconds
        figures = self._figures()
        files = len(self._callers.sent)
        self._tell(
            f"{seconds:5.0f} s  faults {sum(self._injector.injected.values())}/{self._injector.planned}"
            f"  images {figures['images']}/{self._options.images}  requests ended {figures['ended']}/{files}"
        )

    def _tell_faults(self) -> None:
        """Let the faults that found no target give up once nothing can be one any more."""
        figures = self._figures()
        if not figures["open"]:
            self._cluster.made.set()
            if not figures["unannounced"]:
                self._cluster.announced.set()

    def _figures(self) -> Counter[str]:
        """Progress by the database; during its outages, as if nothing had ended."""
        try:
            with self._cluster.app.app_context():
                return _count()
        except DBAPIError:
            return Counter(open=1, unannounced=1)


def _count() -> Counter[str]:
    request, delivery = ProcessingRequest, WebhookDelivery
    is_open = request.status.not_in(ENDED)
    made = request.images_completed + request.images_failed + request.images_cancelled
    of_requests = sa.select(
        sa.func.count().filter(is_open).label("open"),
        sa.func.count().filter(sa.not_(is_open)).label("ended"),
        sa.func.coalesce(sa.func.sum(made), 0).label("images"),
        sa.func.coalesce(sa.func.sum(request.images_total - made), 0).label("images_left"),
    )
    waiting = delivery.status.in_([DeliveryStatus.PENDING, DeliveryStatus.SENDING])
    with db.engine.connect() as connection:
        visible = of_requests.where(request.removed_at.is_(None))
        counts: dict[str, Any] = dict(connection.execute(visible).mappings().one())
        unannounced = connection.execute(sa.select(sa.func.count()).where(waiting)).scalar_one()
    return Counter({"unannounced": int(unannounced), **{name: int(count) for name, count in counts.items()}})
