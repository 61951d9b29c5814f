"""Holding on to work: a thread renews the lease, and ends a process that is stuck or must stop."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import LeaseLost, WorkerStopping
from imgproc.db.timeouts import is_outage

STUCK_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
STOP_GRACE = 8.0  # seconds a process asked to stop may go on with the work in hand; supervisors kill after 15
TICK = 0.5  # seconds between two looks at the clock
DATABASE_PATIENCE = 600.0  # seconds a finished product waits for a database that is away
Result = TypeVar("Result")

stopping = threading.Event()  # set when this process is asked to stop

log = structlog.get_logger(__name__)


def check_stopping() -> None:
    """Long work asks between two steps whether to go on.

    Raises:
        WorkerStopping: this process was asked to stop.
    """
    if stopping.is_set():
        raise WorkerStopping("The worker was asked to stop.")


def new_token() -> str:
    """A fencing token: unique for every claim."""
    return uuid.uuid4().hex


class Lease:
    """Renews a lease from a thread while the body works.

    `renew` returns False where the lease is lost, and `give_back` returns the work untouched. `seconds` is the lease's
    length, `deadline` is in seconds from now. After the deadline the lease is no longer renewed, and a process still
    inside the body (stuck in a C call that no signal can interrupt) ends itself, so that the pool starts a new one and
    the sweeper gives the work to it. A process asked to stop has `STOP_GRACE` seconds to leave the body; then it gives
    the work back and ends.
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
        self._give_back = give_back
        self._seconds = seconds
        self._deadline = time.monotonic() + deadline
        self._renewal = threading.Lock()
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a werkzeug proxy
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._hold_from(time.monotonic())

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Stop early where the work belongs to somebody else; to be asked before anything is stored.

        A process that was stopped (SIGSTOP, a suspended machine) may wake long after its lease ran out and before its
        thread has noticed; so where the lease may have run out by our own clock, the database is asked.

        Raises:
            LeaseLost: the lease was taken over.
        """
        if not self._lost.is_set() and time.monotonic() > self._surely_until:
            with self._app.app_context():
                insist(self._renew_now)
        if self._lost.is_set():
            raise LeaseLost("The lease ran out while the work was under way.")

    def _hold_from(self, asked_at: float) -> None:
        """The lease is surely ours for most of its length, counted from before the database was asked."""
        self._renew_at = asked_at + self._seconds / 3
        self._surely_until = asked_at + self._seconds * 0.9

    def _keep(self) -> None:
        stop_at = None
        while not self._ended.wait(min(TICK, self._seconds / 6)):
            now = time.monotonic()
            if now > self._deadline + self._seconds:
                log.error("worker_stuck", detail="Past its deadline; ending this process so that another starts.")
                os._exit(STUCK_EXIT_CODE)
            if stopping.is_set():
                stop_at = stop_at or now + STOP_GRACE
                if now > stop_at:
                    self._stop()
            if self._renew_at < now < self._deadline and not self._lost.is_set():
                self._renew_quietly()

    def _stop(self) -> None:
        log.warning("work_given_back", detail="Asked to stop, and the work would have taken longer than that allows.")
        with self._app.app_context():
            insist(self._give_back)
        os._exit(0)

    def _renew_quietly(self) -> None:
        with self._app.app_context():
            try:
                self._renew_now()
            except DBAPIError as error:
                log.warning("lease_not_renewed", error=str(error.orig))

    def _renew_now(self) -> None:
        with self._renewal:
            asked_at = time.monotonic()
            if self._renew():
                self._hold_from(asked_at)
            else:
                self._lost.set()


def insist(transition: Callable[[], Result]) -> Result:
    """Carry a transition through an outage of the database: the work is done, only its record is missing.

    The transition must be safe to run twice, as a compare-and-swap on a lease token is.

    Raises:
        sqlalchemy.exc.DBAPIError: the database stayed away for ten minutes.
    """
    give_up = time.monotonic() + DATABASE_PATIENCE
    delay = 0.1
    while True:
        try:
            return transition()
        except DBAPIError as error:
            if not is_outage(error) or time.monotonic() > give_up:
                raise
            log.warning("database_away", retry_in=delay, error=str(error.orig))
            time.sleep(delay)
            delay = min(delay * 2, 5.0)
