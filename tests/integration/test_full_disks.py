"""A full disk of each server: uploads are refused with a retryable error, and accepted work is only delayed."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import InfrastructureError
from imgproc.db.engine import db
from imgproc.journey import image_maker, outage
from imgproc.journey.services import services
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.api.answers import AppFactory
from tests.integration.driver import burst, drain, pass_time, submit, upload, work
from tests.support import small_disks
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.postgresql import PostgreSQL
from tests.support.s3 import create_buckets, object_store_service

Disk = Callable[[], Any]  # a context in which it is full
ROUNDS = 5  # more than there are attempts
MOST_UPLOADS = 40
needs_mounts = pytest.mark.skipif(bool(small_disks.why_not()), reason=small_disks.why_not())


@contextmanager
def full_temporary_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary files on a disk without room."""
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", lambda *_, **__: io.FileIO("/dev/full", "r+"))
        yield


@contextmanager
def full_redis() -> Iterator[None]:
    """A Redis that has reached its `maxmemory`, and evicts nothing."""
    redis_client().config_set("maxmemory", "1")
    try:
        yield
    finally:
        redis_client().config_set("maxmemory", "0")


@contextmanager
def full_sqlite() -> Iterator[None]:
    """A database that cannot grow by a page."""
    with closing(db.engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM")  # pages that earlier tests freed would be room
    db.engine.dispose()  # the limit is that of a connection

    def limit(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # means as many as there are

    sa.event.listen(db.engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(db.engine, "connect", limit)
        db.engine.dispose()


@contextmanager
def full_folder(folder: Path) -> Iterator[None]:
    """A disk that is full until the end of the block."""
    filler = small_disks.fill(folder)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def on_postgresql(make_app: AppFactory, _folder: Path) -> Iterator[Disk]:
    """The tables of PostgreSQL on a small disk; its log of writes has room, as it needs to start again."""
    server = PostgreSQL()
    tables = server._data / "base"
    service = small_disks.on_small_disk(server.service(), tables, size="64m")
    with small_disks.running(service) as pid, migrated(make_app, DATABASE_URL=server.url):
        yield partial(full_folder, small_disks.seen_by(pid, tables))
    server.remove()


@contextmanager
def on_s3(make_app: AppFactory, folder: Path) -> Iterator[Disk]:
    """The objects on a small disk."""
    objects = folder / "objects"
    objects.mkdir()
    service, endpoint = object_store_service(objects, "127.0.0.1")
    small = small_disks.on_small_disk(service, objects, size="2m")
    with small_disks.running(small) as pid, migrated(make_app, S3_ENDPOINT_URL=endpoint):
        yield partial(full_folder, small_disks.seen_by(pid, objects))


@contextmanager
def migrated(make_app: AppFactory, **changes: str) -> Iterator[None]:
    """An app with tables and buckets, in its context, and an empty Redis."""
    with make_app(**changes).app_context():
        flask_migrate.upgrade()
        create_buckets(services().store)
        redis_client().flushall()
        yield
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers keep finished work for no time, as after an outage of many minutes."""
    monkeypatch.setattr(image_maker, "OUTAGE_PATIENCE", 0)
    monkeypatch.setattr(outage, "DATABASE_PATIENCE", 0)


def try_to_work() -> None:
    """A round of work while a disk is full, late enough for what was delayed."""
    burst()
    with suppress(DBAPIError, RedisError):
        pass_time(60)
    with suppress(DBAPIError, InfrastructureError):
        sweeper.sweep()
    db.session.rollback()


def stays_whole(full: Disk, shop: ImageHost, *, refuses: str | None, planned: bool) -> None:
    """Requests survive a disk that is full for longer than all attempts; uploads are refused, or accepted as well."""
    csv = csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/coffee.png")
    accepted = [submit(csv, outputFormat="xlsx")]
    if planned:
        work(most=1)
    with full():
        for _ in range(MOST_UPLOADS if refuses else 1):
            answer = upload(csv, outputFormat="xlsx", reference="x" * 500)
            if answer.status_code != 202:
                break
            accepted.append(answer.json["requestId"])  # a database has some room in its pages
        for _ in range(ROUNDS):
            try_to_work()
    assert (answer.status_code, answer.json.get("code")) == (503 if refuses else 202, refuses)
    assert not refuses or answer.headers["Retry-After"]
    for request_id in accepted:
        status = drain(request_id)
        assert (status["status"], status["progress"]["images"]["completed"]) == ("completed", 2), status


@pytest.mark.parametrize("planned", [False, True])
def test_a_full_disk_of_the_workers_delays_requests(
    app: Flask, shop: ImageHost, monkeypatch: pytest.MonkeyPatch, *, planned: bool
) -> None:
    """The web has the disk of another machine, or spools in memory; workers read and write whole files."""
    stays_whole(partial(full_temporary_files, monkeypatch), shop, refuses=None, planned=planned)


@pytest.mark.parametrize("planned", [False, True])
def test_a_full_redis_loses_nothing(app: Flask, shop: ImageHost, *, planned: bool) -> None:
    """An upload is accepted, and its work is enqueued later."""
    stays_whole(full_redis, shop, refuses=None, planned=planned)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
@pytest.mark.parametrize("planned", [False, True])
def test_a_full_disk_of_sqlite_refuses_uploads(app: Flask, shop: ImageHost, *, planned: bool) -> None:
    """What was accepted before goes on once there is room."""
    stays_whole(full_sqlite, shop, refuses="database_unavailable", planned=planned)


@needs_mounts
@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize(("server", "code"), [(on_postgresql, "database_unavailable"), (on_s3, "storage_unavailable")])
def test_a_full_disk_of_a_server_refuses_uploads(
    server: Any, code: str, make_app: AppFactory, tmp_path: Path, shop: ImageHost, *, planned: bool
) -> None:
    """What was accepted before goes on once there is room."""
    with server(make_app, tmp_path) as full:
        stays_whole(full, shop, refuses=code, planned=planned)


@contextmanager
def refused_products(sqlstate: str) -> Iterator[None]:
    """A PostgreSQL that finds no room for new products, but can change rows."""
    refuse = f"BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END"
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${refuse}$$")
        connection.exec_driver_sql("CREATE TRIGGER refuse BEFORE INSERT ON products EXECUTE FUNCTION refuse()")
    try:
        yield
    finally:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse CASCADE")


@pytest.mark.parametrize("app", ["postgresql"], indirect=True)
@pytest.mark.parametrize("sqlstate", ["53000", "53100", "53300", "58030", "25006"])
def test_a_database_that_takes_no_rows_uses_up_no_attempt(app: Flask, shop: ImageHost, sqlstate: str) -> None:
    """Its disk is full or fails, or it is a standby for a while: such errors tell nothing of the file."""
    stays_whole(partial(refused_products, sqlstate), shop, refuses=None, planned=False)
