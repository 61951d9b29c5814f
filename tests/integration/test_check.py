"""`imgproc check` beside servers that are wrong in one way each: it says what, and what to do."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask
from pytest_httpserver import HTTPServer
from werkzeug import Response

from imgproc.api import api_keys
from imgproc.app import create_app
from imgproc.cli import checks, database_checks, machine_checks, redis_checks, store_checks
from imgproc.cli.findings import Finding
from imgproc.core.config import Settings, load_settings
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db, transaction
from imgproc.pipeline.notify import generate_secret
from imgproc.queue import pause, presence
from imgproc.queue.connection import redis_client
from tests.integration.conftest import Environ

Check = Callable[[Settings], Iterator[Finding]]
on_postgresql = pytest.mark.parametrize("app", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def said(check: Check, settings: Settings, *, state: str = "wrong") -> str:
    """The sentences of one state."""
    return " ".join(found.text for found in check(settings) if found.state == state)


def said_with(environ: Environ, check: Check, *, state: str = "wrong", **changes: str) -> str:
    """What a check finds with changed settings, by an app of its own."""
    settings = load_settings(environ | changes)
    with create_app(settings).app_context():
        try:
            return said(check, settings, state=state)
        finally:
            db.session.remove()
            db.engine.dispose()


# -- the database ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "said_of_it"),
    [
        ("nobody@", 'role "nobody" does not exist'),
        ("postgres@", 'database "missing" does not exist'),
    ],
)
def test_names_a_role_and_a_database_that_do_not_exist(
    environ: Environ, postgresql_url: str, user: str, said_of_it: str
) -> None:
    """In the words of PostgreSQL, with the setting to look at."""
    url = postgresql_url.replace("postgres@", user).replace("/postgres?", "/missing?")
    found = said_with(environ, database_checks.check, DATABASE_URL=url)
    assert said_of_it in found
    assert found.endswith("check that it runs, and DATABASE_URL.")


def test_names_a_database_that_is_away(environ: Environ) -> None:
    """Nothing listens."""
    found = said_with(environ, database_checks.check, DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/d")
    assert "PostgreSQL at 127.0.0.1 cannot be used" in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("revision", "said_of_it"),
    [
        ("0001", "an older version (0001): run imgproc init"),
        ("9999", "a newer version (9999): update imgproc"),
        (None, "has no tables: run imgproc init"),
    ],
)
def test_names_tables_of_another_version(
    environ: Environ, tmp_path: Path, revision: str | None, said_of_it: str
) -> None:
    """Migrations that are behind, or ahead after a rollback."""
    settings = load_settings(environ | {"DATA_DIR": str(tmp_path)})
    with create_app(settings).app_context():
        if revision:
            flask_migrate.upgrade()
            with transaction() as connection:
                connection.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        assert said_of_it in said(database_checks.check, settings)
        db.engine.dispose()


@pytest.fixture
def other_role(app: Flask) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A role that is not the owner of the tables, and how to run a statement as the superuser."""

    def run(statement: str) -> None:
        with db.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    run("CREATE ROLE other LOGIN")
    yield db.engine.url.set(username="other").render_as_string(), run
    run("DROP OWNED BY other")
    run("DROP ROLE other")


@on_postgresql
@pytest.mark.parametrize(
    ("statement", "said_of_it"),
    [
        ("GRANT USAGE ON SCHEMA public TO other", "may not read and change every table"),
        ("ALTER ROLE other SET default_transaction_read_only = on", "read-only, as a standby is"),
        ("ALTER ROLE other CONNECTION LIMIT 20", "gives our role 20 connections"),
    ],
)
def test_names_what_a_role_lacks(
    app: Flask, environ: Environ, other_role: tuple[str, Callable[[str], None]], statement: str, said_of_it: str
) -> None:
    """Rights, writes or connections."""
    url, run = other_role
    run("GRANT SELECT ON alembic_version TO other")
    run(statement)
    assert said_of_it in said_with(environ, database_checks.check, DATABASE_URL=url)


@on_postgresql
def test_names_too_few_connections(app: Flask, environ: Environ) -> None:
    """A pool and a web process together may open more connections than the server allows."""
    url = db.engine.url.render_as_string()
    found = said_with(environ, database_checks.check, DATABASE_URL=url, WORKERS="100", WORKER_PROCESSES="40")
    assert "may take 218: raise max_connections, lower WORKER_PROCESSES, or put PgBouncer in front." in found


@on_postgresql
def test_a_superuser_is_noted(app: Flask, environ: Environ) -> None:
    """All works, so it is not wrong."""
    found = said_with(environ, database_checks.check, state="note", DATABASE_URL=db.engine.url.render_as_string())
    assert "role postgres is a superuser" in found


@pytest.mark.parametrize(("seconds", "direction"), [(300, "behind"), (-300, "ahead of")])
def test_names_a_clock_that_is_apart(seconds: float, direction: str) -> None:
    """By minutes, and in which direction."""
    theirs = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    (found,) = database_checks.clock(theirs, of="Redis")
    assert re.search(rf"(299|300|301) s {direction} that of Redis: let NTP set both", found.text)
    assert not [*database_checks.clock(datetime.now(timezone.utc), of="Redis")]


# -- Redis, workers and sweeper ----------------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize(
    ("option", "value", "said_of_it"),
    [
        ("maxmemory", "1", "raise maxmemory"),
        ("maxmemory-policy", "allkeys-lru", "set it to noeviction"),
        ("replicaof", "127.0.0.1 1", "point REDIS_URL at the primary server"),
    ],
)
def test_names_a_redis_that_keeps_or_takes_nothing(
    app: Flask, environ: Environ, option: str, value: str, said_of_it: str
) -> None:
    """Full, evicting, or a replica."""
    redis: Any = redis_client()
    before = redis.config_get("maxmemory*")
    try:
        if option == "replicaof":
            redis.replicaof(*value.split())
        else:
            redis.config_set("maxmemory", "500mb")
            redis.config_set(option, value)
        assert said_of_it in said(redis_checks.check, load_settings(environ))
    finally:
        redis.replicaof("NO", "ONE")
        for name, value_before in before.items():
            redis.config_set(name, value_before)


@on_sqlite
def test_names_a_user_of_redis_without_rights(app: Flask, environ: Environ) -> None:
    """With the keys that it needs."""
    redis: Any = redis_client()
    redis.execute_command("ACL", "SETUSER", "weak", "on", ">hunter2", "+ping", "~rq:*")
    url = environ["REDIS_URL"].replace("redis://", "redis://weak:{}@")
    try:
        found = said_with(environ, redis_checks.check, REDIS_URL=url.format("hunter2"))
        assert "let the user run all commands on the keys rq:*, imgproc:*" in found
        wrong = said_with(environ, redis_checks.check, REDIS_URL=url.format("secret"))
        assert re.search("invalid username-password.*and REDIS_URL", wrong)
        assert "hunter2" not in found + wrong
    finally:
        redis.execute_command("ACL", "DELUSER", "weak")


@on_sqlite
def test_names_who_does_not_work(app: Flask, environ: Environ) -> None:
    """No workers, workers that are paused, no sweeper or one that hangs."""
    settings = load_settings(environ)
    found = said(redis_checks.check, settings)
    assert "No worker takes jobs of express, bulk, deliveries: start imgproc worker." in found
    assert "No sweeper has been seen" in found
    pause.pause(seconds=600)
    redis_client().set(presence.SWEPT, 1, ex=presence.SWEPT_SECONDS - 120)
    found = said(redis_checks.check, settings)
    assert "All workers are paused and take no jobs: imgproc resume lets them go on." in found
    assert "No sweeper has ended a pass for 120 s" in found
    presence.report_pass()
    assert "No sweeper" not in said(redis_checks.check, settings)


# -- the object store --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code for code in store_checks.REMEDIES if not code.isdigit()])
def test_names_what_the_store_refuses(environ: Environ, httpserver: HTTPServer, code: str) -> None:
    """Each answer of a store has its remedy."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
    httpserver.expect_request(re.compile(".*")).respond_with_response(Response(body, 403, content_type="text/xml"))
    found = said_with(environ, store_checks.check, S3_ENDPOINT_URL=httpserver.url_for(""))
    assert f"store an object in originals ({code} to PutObject): {store_checks.REMEDIES[code]}." in found


@pytest.mark.parametrize(
    ("changes", "said_of_it"),
    [
        ({"S3_OUTPUTS_BUCKET": "missing"}, "imgproc init makes buckets that are missing"),
        ({"S3_SECRET_ACCESS_KEY": "hunter2"}, "S3_SECRET_ACCESS_KEY"),
        ({"S3_ACCESS_KEY_ID": "nobody"}, "S3_ACCESS_KEY_ID"),
        ({"S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "check that S3_ENDPOINT_URL is right and up"),
        (
            {"S3_PUBLIC_URL": "http://127.0.0.1:1/outputs"},
            "Strangers cannot read outputs at http://127.0.0.1:1/outputs",
        ),
    ],
)
def test_names_a_wrong_setting_of_the_store(
    sqlite_app: Flask, environ: Environ, changes: dict[str, str], said_of_it: str
) -> None:
    """Beside a real server."""
    found = said_with(environ, store_checks.check, **changes)
    assert said_of_it in found
    assert "hunter2" not in found


# -- the machine, the web, keys and webhooks ---------------------------------------------------------------------------


def test_names_a_disk_without_room(environ: Environ, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder, what it is for, and how much it may need."""
    settings = load_settings(environ | {"DATA_DIR": str(tmp_path)})
    assert said(machine_checks.check, settings) == ""
    usage = machine_checks.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine_checks.shutil, "disk_usage", lambda _: usage._replace(free=5 * 1024**2))
    found = said(machine_checks.check, settings)
    assert "/tmp, for uploads, has 5 MiB free, and 200 MiB may be needed: free space" in found
    assert f"{tmp_path}, for the database, has 5 MiB free" in found


@on_sqlite
def test_an_expired_key_lets_no_one_in(app: Flask, environ: Environ) -> None:
    """Keys that are revoked or have expired do not count."""
    settings = load_settings(environ | {"API_KEYS_REQUIRED": "true"})
    api_keys.create_key("shop")
    assert "one of 1 API keys" in said(checks._keys, settings, state="ok")
    with transaction() as connection:
        connection.execute(sa.update(ApiKey).values(expires_at=datetime.now(timezone.utc) - timedelta(seconds=1)))
    db.session.rollback()  # its snapshot is older
    assert said(checks._keys, settings) == "API keys are required, and none is valid: run imgproc keys create NAME."


@pytest.mark.parametrize(
    ("raw", "is_weak"), [(b"short", True), (b"a" * 32, True), (b"passwordpassword" * 2, True), (None, False)]
)
def test_names_a_weak_webhook_secret(environ: Environ, raw: bytes | None, is_weak: bool) -> None:
    """Whoever guesses it can forge webhooks."""
    secret = generate_secret() if raw is None else f"whsec_{b64encode(raw).decode()}"
    found = said(checks._webhooks, load_settings(environ | {"WEBHOOK_SECRET": secret}))
    assert ("WEBHOOK_SECRET can be guessed" in found) == is_weak
