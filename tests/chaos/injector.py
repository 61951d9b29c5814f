"""Injects the planned faults on schedule, several at once if their times overlap."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from tests.chaos.cluster import Cluster
from tests.chaos.fault_plan import Fault
from tests.chaos.faults import FAULTS
from tests.chaos.host_faults import HOST_FAULTS

AT_ONCE = 16
PATIENCE = 20.0  # seconds after which a fault that finds no target is given up


class FaultInjector:
    """Injects faults: `injected` counts those that hit, `missed` those that found no target."""

    def __init__(self, cluster: Cluster, plan: Sequence[Fault]) -> None:
        self.injected: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.errors: list[str] = []
        self.last: float = time.monotonic()  # when the last fault was over
        self._cluster = cluster
        self.planned = len(plan)
        self._plan = plan
        self._lock = threading.Lock()

    def run(self) -> None:
        """Carry out the whole plan; return when the last fault is over."""
        started = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as threads:
            for fault in self._plan:
                time.sleep(max(0.0, started + fault.at - time.monotonic()))
                threads.submit(self._inject, fault)
        self.last = time.monotonic()

    def _inject(self, fault: Fault) -> None:
        began = datetime.now(timezone.utc).isoformat()
        try:
            hit = self._try_until_hit(fault)
        except Exception as error:  # noqa: BLE001 - a fault that raises must not count as a hit
            self.errors.append(f"{fault.kind}: {error!r}")
            hit = False
        ended = datetime.now(timezone.utc).isoformat()
        with self._lock:
            (self.injected if hit else self.missed)[fault.kind] += 1
            with (self._cluster.folder / "faults.log").open("a") as journal:
                journal.write(f"{began} {ended} {fault.number} {fault.kind} {'hit' if hit else 'missed'}\n")

    def _try_until_hit(self, fault: Fault) -> bool:
        """Try again for as long as there may be a target. Troubles of hosts wait for one themselves, each in turn."""
        if fault.kind in HOST_FAULTS:
            return HOST_FAULTS[fault.kind](self._cluster, fault)
        deadline = time.monotonic() + PATIENCE
        while not FAULTS[fault.kind](self._cluster, fault):
            if self._cluster.announced.is_set() or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
