"""Connections that a worker does not use are closed, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from imgproc.db.idle import close_idle_connections
from tests.support.postgresql import postgresql
from tests.support.processes import wait_until

OTHERS = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'worker'")
ASK = sa.text("SELECT pg_backend_pid()")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """One server for the module."""
    with postgresql() as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """An engine as a worker has."""
    engine = sa.create_engine(url, connect_args={"application_name": "worker"})
    yield engine
    engine.dispose()


@pytest.fixture
def open_connections(url: str) -> Iterator[sa.Connection]:
    """A connection of another client, to count those of the worker."""
    other = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        yield connection
    other.dispose()


def test_an_unused_connection_is_closed_and_opened_again(engine: sa.Engine, open_connections: sa.Connection) -> None:
    """It is gone for as long as the worker waits for a host, and the next transaction finds another."""
    close_idle_connections(engine, after=0.05)
    for _ in range(2):
        with engine.connect() as connection:
            connection.execute(ASK)
        wait_until(lambda: open_connections.execute(OTHERS).scalar() == 0)


def test_a_connection_in_use_is_kept(engine: sa.Engine, open_connections: sa.Connection) -> None:
    """The thread that renews a lease comes and goes beside a long transaction, which keeps its connection."""
    close_idle_connections(engine, after=0.05)
    with engine.connect() as connection:
        first = connection.execute(ASK).scalar()
        with engine.connect() as renewal:
            renewal.execute(ASK)
        wait_until(lambda: not engine.pool._pool.empty())  # type: ignore[attr-defined]  # the renewal's is back
        assert connection.execute(ASK).scalar() == first
    wait_until(lambda: open_connections.execute(OTHERS).scalar() == 0)


def test_a_busy_worker_keeps_its_connection(engine: sa.Engine) -> None:
    """Transactions that follow each other use one connection."""
    close_idle_connections(engine, after=60)
    pids = set()
    for _ in range(20):
        with engine.connect() as connection:
            pids.add(connection.execute(ASK).scalar())
    assert len(pids) == 1
