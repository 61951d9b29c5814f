"""Starts one of our own processes after it has set the clock, the traps and the mutation.

`python -m tests.chaos.start worker` runs `rq_worker.py`; `... sweeper` runs the loop of the sweeper.
"""

from __future__ import annotations

import os
import runpy
import sys
from datetime import datetime, timedelta, timezone

import time_machine

from imgproc.cli import main as cli
from imgproc.db.transitions import deliveries, finalization, products
from imgproc.journey import jobs, patience
from imgproc.queue import enqueue
from tests.chaos import mutations, traps

CLOCK = "CHAOS_CLOCK"  # seconds by which this host's clock is wrong
MUTATION = "CHAOS_MUTATION"
SENDING_SECONDS = 20.0  # the lease of a delivery: short, but longer than any attempt may take

LONGEST_PAUSE = 8.0  # seconds for which an image waits for a host that has refused it; troubles last at most 12 s


def set_clock() -> None:
    """Make every clock but the monotonic one wrong, as on a host that has lost its time server."""
    if wrong_by := float(os.environ.get(CLOCK) or 0):
        moment = datetime.now(timezone.utc) + timedelta(seconds=wrong_by)
        time_machine.travel(moment, tick=True).start()


def main(role: str) -> None:
    """Become a pool of workers or a sweeper."""
    set_clock()
    mutations.apply(os.environ.get(MUTATION, ""))
    if role == "sweeper":
        cli.main(["sweep", "--loop"])
        return
    jobs.SENDING_SECONDS = SENDING_SECONDS
    patience.LONGEST_PAUSE = LONGEST_PAUSE
    traps.arm(products, "finish")
    traps.arm(finalization, "elect_finalizer")
    traps.arm(finalization, "complete")
    traps.arm(enqueue, "deliveries")
    traps.arm(deliveries, "record")
    runpy.run_path("rq_worker.py", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
