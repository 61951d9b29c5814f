"""Carries out the plan of faults, each in its time, several at once where their plans overlap."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from tests.chaos.fault_plan import Fault
from tests.chaos.faults import STRIKES
from tests.chaos.house import House

AT_ONCE = 12
PATIENCE = 20.0  # seconds until a fault that finds no victim is given up


class Striking:
    """The faults under way: `struck` counts those that hit, `missed` those that found nobody."""

    def __init__(self, house: House, plan: Sequence[Fault]) -> None:
        self.struck: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.errors: list[str] = []
        self.last: float = time.monotonic()  # when the last one was over
        self._house = house
        self._plan = plan
        self._lock = threading.Lock()

    def run(self) -> None:
        """Carry out the whole plan; returns when the last fault is over."""
        started = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as threads:
            for fault in self._plan:
                time.sleep(max(0.0, started + fault.at - time.monotonic()))
                threads.submit(self._strike, fault)
        self.last = time.monotonic()

    def _strike(self, fault: Fault) -> None:
        began = datetime.now(timezone.utc).isoformat()
        try:
            hit = self._insist(fault)
        except Exception as error:  # noqa: BLE001 - a fault that breaks must not pass for one that hit
            self.errors.append(f"{fault.kind}: {error!r}")
            hit = False
        ended = datetime.now(timezone.utc).isoformat()
        with self._lock:
            (self.struck if hit else self.missed)[fault.kind] += 1
            with (self._house.folder / "faults.log").open("a") as journal:
                journal.write(f"{began} {ended} {fault.number} {fault.kind} {'hit' if hit else 'missed'}\n")

    def _insist(self, fault: Fault) -> bool:
        deadline = time.monotonic() + PATIENCE
        while not STRIKES[fault.kind](self._house, fault):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
