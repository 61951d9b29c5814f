"""What the processes of a pool do: how many there are, which jobs they take, and how many at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from imgproc.core.config import Settings
from imgproc.journey.services import images_of_process
from imgproc.queue.enqueue import ALONE, BULK, DELIVERIES, EXPRESS

RESERVED = 4  # one worker of so many takes no bulk
BULK_NICENESS = 10  # added to that of the others, so that they get most of the processor while they need it


@dataclass(frozen=True)
class Role:
    """A kind of process: the queues it takes jobs from, in this order, how many at a time, and how much it yields."""

    queues: tuple[str, ...]
    threads: int = 1
    niceness: int = 0

    @property
    def name(self) -> str:
        """Its name in the metrics."""
        return "deliveries" if DELIVERIES in self.queues else "images"


LONER = Role((ALONE,))  # runs one job after the other, and ends when none is left


def roles_of(queues: Collection[str], *, settings: Settings) -> dict[Role, int]:
    """How many processes of each role a pool has that takes the jobs of `queues`.

    `WORKERS` jobs run at a time, in threads of `WORKER_PROCESSES`. There are more processes where the memory of one has
    no place for an image of each of its jobs.
    """
    workers, processes = settings.workers, settings.worker_processes
    reserved = workers // RESERVED if {EXPRESS, BULK} <= set(queues) else 0
    # Reserved workers are there for the express jobs; without them the express jobs come first.
    general = tuple(name for name in ((BULK, EXPRESS) if reserved else (EXPRESS, BULK)) if name in queues)
    niceness = BULK_NICENESS if reserved else 0
    most = images_of_process(settings)
    roles = _spread((EXPRESS,), reserved, -(-processes // RESERVED), most=most, niceness=0)
    if general:
        roles |= _spread(general, workers - reserved, processes, most=most, niceness=niceness)
    if DELIVERIES in queues:
        roles[Role((DELIVERIES,), settings.delivery_workers)] = 1
    return roles


def _spread(queues: tuple[str, ...], workers: int, processes: int, *, most: int, niceness: int) -> dict[Role, int]:
    """The roles of `workers` threads, spread evenly over `processes`; each has at most `most`."""
    if not workers:
        return {}
    processes = min(workers, max(processes, -(-workers // most)))
    threads, larger = divmod(workers, processes)
    wanted = {Role(queues, threads + 1, niceness): larger, Role(queues, threads, niceness): processes - larger}
    return {role: number for role, number in wanted.items() if number}
