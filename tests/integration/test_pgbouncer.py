"""A thousand workers behind a PgBouncer that pools transactions use fewer than PostgreSQL's 100 connections."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from imgproc.app import create_app
from imgproc.cli import database_checks
from imgproc.core.config import load_settings
from imgproc.db.engine import POSTGRESQL_SETTINGS, db, transaction
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import ProductStatus
from imgproc.db.timeouts import LONG, SHORT, allow, limit_role
from imgproc.db.transitions import products
from imgproc.embedded.supervisor import Service, spawn
from imgproc.journey.lease import new_token
from tests.support.postgresql import postgresql
from tests.support.processes import wait_until

WORKERS = 1000
SERVER_CONNECTIONS = 80
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
CONFIG = """
[databases]
postgres = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = {connections}
{user}
logfile = {folder}/log
"""
BACKENDS = sa.text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="pgbouncer is missing (Debian: apt install pgbouncer), so pooling is not tested."
)


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """A PgBouncer before the server of `url`, which listens on a socket; the URL that leads through it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    host = str(sa.make_url(url).query["host"])
    values = {"host": host, "port": port, "connections": SERVER_CONNECTIONS, "folder": folder}
    file = folder / "pgbouncer.ini"
    file.write_text(CONFIG.format(user="user = nobody" if os.geteuid() == 0 else "", **values))
    folder.chmod(0o777)  # PgBouncer does not run as root
    Path(host).chmod(0o711)
    assert PROGRAM
    process = spawn(Service("pgbouncer", [PROGRAM, str(file)], log_file=folder / "out"))
    try:
        through = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        wait_until(lambda: _answers(through))
        yield through
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _answers(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL with its default of 100 connections."""
    with postgresql() as url:
        directly = sa.create_engine(url)
        with directly.begin() as connection:
            limit_role(connection, settings=POSTGRESQL_SETTINGS)
        directly.dispose()
        yield url


@pytest.fixture
def pooled_app(environ: dict[str, str], server: str) -> Iterator[Flask]:
    """The app behind PgBouncer, with as many connections of its own as there are workers."""
    with pgbouncer(server) as url:
        settings = {"DATABASE_URL": url, "DATABASE_POOLING": "transaction", "WEB_THREADS": str(WORKERS)}
        app = create_app(load_settings(environ | settings))
        with app.app_context():
            flask_migrate.upgrade()
            yield app
            db.engine.dispose()


@contextmanager
def most_backends(url: str) -> Iterator[list[int]]:
    """The numbers of connections that PostgreSQL has while the block runs."""
    seen: list[int] = []
    ended = threading.Event()
    engine = sa.create_engine(url)

    def look() -> None:
        with engine.connect() as connection:
            while not ended.is_set():
                seen.append(connection.execute(BACKENDS).scalar_one())
                connection.rollback()
                time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
        engine.dispose()


def save_products(count: int) -> list[int]:
    """Queued products of a request; their ids."""
    request_id = "00000000-0000-0000-0000-000000000001"
    with transaction() as connection:
        texts = {"filename": "a.csv", "input_key": "a", "options": {}, "fingerprint": ""}
        connection.execute(sa.insert(ProcessingRequest).values(id=request_id, **texts))
        same = {"product_name": "a", "serial_number": "1", "input_cell": "", "status": ProductStatus.QUEUED}
        rows = [{"request_id": request_id, "row": row, "line": row} | same for row in range(1, count + 1)]
        made = connection.execute(sa.insert(Product).returning(Product.id), rows)
        return list(made.scalars())


def test_a_thousand_workers_fit(pooled_app: Flask, server: str) -> None:
    """Each has a session with PgBouncer, claims a product, renews its lease, and gives it back."""
    ids = save_products(WORKERS)
    all_connected = threading.Barrier(WORKERS)

    def work(product_id: int) -> bool:
        token = new_token()
        with pooled_app.app_context():
            with db.engine.connect():
                all_connected.wait(120)
            claimed = products.claim(product_id, token=token, lease_seconds=60)
            kept = products.renew_lease(product_id, token=token, lease_seconds=60)
            products.give_back(product_id, token=token)
            return claimed is not None and kept

    with most_backends(server) as backends, ThreadPoolExecutor(WORKERS) as workers:
        assert list(workers.map(work, ids)) == [True] * WORKERS
    assert max(backends) <= SERVER_CONNECTIONS + 2
    with db.engine.connect() as connection:
        statuses = sa.select(Product.status, Product.lease_token).distinct()
        assert connection.execute(statuses).all() == [(ProductStatus.PENDING, None)]


def test_sessions_keep_their_limits(pooled_app: Flask) -> None:
    """Every session has the limits of the role; only the transaction of long work has its own."""
    show = sa.text("SHOW statement_timeout")
    with db.engine.connect() as connection:
        assert connection.execute(show).scalar_one() == f"{SHORT.statement}s"
        connection.rollback()
        with allow(LONG):
            assert connection.execute(show).scalar_one() == f"{LONG.statement // 60}min"
            connection.rollback()
        assert connection.execute(show).scalar_one() == f"{SHORT.statement}s"


def test_a_statement_that_runs_often_is_not_prepared(pooled_app: Flask) -> None:
    """A prepared statement belongs to one session, and the next transaction may be in another."""
    with db.engine.connect() as first, db.engine.connect() as second:
        for _ in range(8):
            for connection in (first, second):
                assert connection.execute(sa.select(sa.literal(1))).scalar_one() == 1
                connection.rollback()


def test_the_check_names_a_role_without_limits(pooled_app: Flask, server: str) -> None:
    """`imgproc init` sets them."""
    settings = load_settings({"DATABASE_URL": str(db.engine.url), "DATABASE_POOLING": "transaction"})
    assert "wrong" not in {found.state for found in database_checks.check(settings)}
    directly = sa.create_engine(server)
    with directly.begin() as connection:
        connection.exec_driver_sql("ALTER ROLE postgres RESET ALL")
    with directly.begin() as connection:  # so that PgBouncer opens new sessions
        others = "pid <> pg_backend_pid() AND datname IS NOT NULL"
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    directly.dispose()
    db.engine.dispose()
    [found] = database_checks.check(settings)
    assert found.state == "wrong"
    assert "run imgproc init" in found.text
