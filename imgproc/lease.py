"""Holding on to work: a thread renews the lease, and a process stuck past its deadline ends itself."""

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

from imgproc.errors import LeaseLost, WorkerStopping

STUCK_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
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

    `renew` returns False where the lease is lost. `deadline` is in seconds from now; after it the lease is no longer
    renewed, and a process still inside the body (stuck in a C call that no signal can interrupt) ends itself, so that
    the pool starts a new one and the sweeper gives the work to it.
    """

    def __init__(self, renew: Callable[[], bool], *, seconds: float, deadline: float) -> None:
        self._renew = renew
        self._interval = seconds / 3
        self._deadline = time.monotonic() + deadline
        self._grace = seconds
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a werkzeug proxy
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Stop early where the work belongs to somebody else.

        Raises:
            LeaseLost: the lease was taken over.
        """
        if self._lost.is_set():
            raise LeaseLost("The lease ran out while the work was under way.")

    def _keep(self) -> None:
        with self._app.app_context():
            while not self._ended.wait(self._interval):
                if time.monotonic() > self._deadline + self._grace:
                    log.error("worker_stuck", detail="Past its deadline; ending this process so that another starts.")
                    os._exit(STUCK_EXIT_CODE)
                if time.monotonic() < self._deadline and not self._lost.is_set():
                    self._renew_once()

    def _renew_once(self) -> None:
        try:
            if not self._renew():
                self._lost.set()
        except DBAPIError as error:
            log.warning("lease_not_renewed", error=str(error.orig))


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


def is_outage(error: DBAPIError) -> bool:
    """Whether the database is away or busy, and not our statement wrong."""
    return error.connection_invalidated or type(error).__name__ in {"OperationalError", "InterfaceError"}
