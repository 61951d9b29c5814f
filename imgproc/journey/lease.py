"""Keeps the lease of claimed work: renews it in time, and ends a process that is stuck or must stop."""

from __future__ import annotations

import contextvars
import math
import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import LeaseLost, WorkerStopping
from imgproc.core.process import SignalEvent
from imgproc.journey.lease_keeper import keeper
from imgproc.journey.outage import describe, retry_on_outage

STUCK_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
STOP_GRACE = 8.0  # seconds that a process asked to stop may go on with its work; supervisors kill it after 15
TICK = 0.5  # seconds between two looks at the clock

stopping = SignalEvent()  # set when this process is asked to stop

runs_alone = contextvars.ContextVar("runs_alone", default=False)  # this job has the process for itself

log = structlog.get_logger(__name__)


def check_stopping() -> None:
    """Raise if this process was asked to stop; called between two steps of long work.

    Raises:
        WorkerStopping: this process was asked to stop.
    """
    if stopping.is_set():
        raise WorkerStopping("The worker was asked to stop.")


def new_token() -> str:
    """A fencing token: unique for every claim."""
    return uuid.uuid4().hex


class Lease:
    """Renews a lease while the body works.

    `renew` returns False if the lease was taken over, and `give_back` returns the work untouched. `seconds` is the
    length of the lease; `deadline` is in seconds from now. After the deadline the lease is no longer renewed. A process
    that is still inside the body one lease later is stuck in a C call that no signal can interrupt: it gives its other
    work back and ends itself, the pool starts a new one, and the sweeper enqueues the work again. A process that is
    asked to stop has `STOP_GRACE` seconds to leave the body; then it gives the work back, and ends once it holds no
    other lease.
    """

    def __init__(
        self,
        renew: Callable[[], bool],
        *,
        seconds: float,
        deadline: float,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._renew = renew
        self.give_back = give_back
        self._seconds = seconds
        self._deadline = time.monotonic() + deadline
        self._renewal = threading.Lock()
        self._lost = threading.Event()
        self._looking = threading.Lock()
        self._left = False
        self._stop_at = math.inf
        self._stopped = False
        self._aside: threading.Thread | None = None  # asks the database
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a werkzeug proxy
        self._context = contextvars.copy_context()  # with the ids that this thread has bound for its log
        self.tick = min(TICK, seconds / 6)
        self._hold_from(time.monotonic())

    def __enter__(self) -> Lease:
        keeper.hold(self)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        keeper.release(self)
        with self._looking:  # a look under way may start a thread
            self._left = True
        if self._aside:
            self._aside.join()

    def check(self) -> None:
        """Stop early if another worker has taken over the work. Call this before anything is stored.

        A process that was suspended (SIGSTOP, a sleeping machine) may wake long after its lease has expired and before
        its thread notices. So this asks the database if the lease may have expired by our own clock.

        Raises:
            LeaseLost: another worker has taken over the work.
        """
        if not self._lost.is_set() and time.monotonic() > self._surely_until:
            with self._app.app_context():
                retry_on_outage(self._renew_now)
        if self._lost.is_set():
            raise LeaseLost("The lease expired during the work.")

    def _hold_from(self, asked_at: float) -> None:
        """Set when to renew the lease and until when it is surely ours, counted from before the database was asked."""
        self._renew_at = asked_at + self._seconds / 3
        self._surely_until = asked_at + self._seconds * 0.9

    def look(self, now: float) -> None:
        """Renew the lease if that is due. End the process if it is stuck, or must stop and the work takes too long."""
        with self._looking:
            if not self._left:
                self._look(now)

    def _look(self, now: float) -> None:
        if now > self._deadline + self._seconds:
            self._context.copy().run(self._end_stuck)
        if stopping.is_set():
            self._stop_at = min(self._stop_at, now + STOP_GRACE)
        if self._stopped or (self._aside and self._aside.is_alive()):
            return
        if now > self._stop_at:
            self._ask_aside(self._stop)
            self._stopped = True
        elif self._renew_at < now < self._deadline and not self._lost.is_set():
            self._ask_aside(self._renew_quietly)

    def _ask_aside(self, ask: Callable[[], None]) -> None:
        """Ask the database from a thread of its own, because it may be slow, and other leases must be looked at."""
        thread = threading.Thread(target=self._context.copy().run, args=(ask,), name="lease", daemon=True)
        thread.start()
        self._aside = thread

    def _end_stuck(self) -> None:
        log.error("worker_stuck", detail="Past its deadline; ending this process so that another starts.")
        latest = threading.Timer(STOP_GRACE, os._exit, (STUCK_EXIT_CODE,))
        latest.daemon = True
        try:
            latest.start()
        except RuntimeError:  # no memory for a thread: what others hold expires
            os._exit(STUCK_EXIT_CODE)
        for other in keeper.others(self):
            with self._app.app_context(), suppress(DBAPIError):  # its lease expires where the database is away
                other.give_back()
        os._exit(STUCK_EXIT_CODE)

    def _stop(self) -> None:
        log.warning("work_given_back", detail="Asked to stop, and the work takes longer than the time that is left.")
        with self._app.app_context():
            retry_on_outage(self.give_back)
        self._lost.set()
        if not keeper.release(self):
            os._exit(0)

    def _renew_quietly(self) -> None:
        with self._app.app_context():
            try:
                self._renew_now()
            except DBAPIError as error:
                log.warning("renewal_failed", error=describe(error))

    def _renew_now(self) -> None:
        with self._renewal:
            asked_at = time.monotonic()
            if self._renew():
                self._hold_from(asked_at)
            else:
                self._lost.set()
