"""What `imgproc check` looks at: one finding for each part, with the remedy where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from imgproc.client import ApiError, Client
from imgproc.core.config import Settings
from imgproc.core.errors import InfrastructureError
from imgproc.core.hosts import bracketed, is_loopback
from imgproc.db import revisions
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db
from imgproc.db.timeouts import is_limited
from imgproc.embedded.ports import local_url
from imgproc.journey.outage import describe
from imgproc.journey.services import services
from imgproc.pipeline.storage.buckets import PROBE, probe
from imgproc.queue import connection
from imgproc.queue.worker_count import worker_counts

SECONDS = 10.0  # for an answer
START = "start one with imgproc up"


@dataclass(frozen=True)
class Finding:
    """What a check found: `ok`, or `wrong`, or `note` for what is only worth knowing."""

    part: str
    state: str
    text: str


def ok(part: str, *, text: str) -> Finding:
    """All is well."""
    return Finding(part, "ok", text)


def wrong(part: str, *, text: str) -> Finding:
    """Something has to be done, and the text says what."""
    return Finding(part, "wrong", text)


def findings(settings: Settings) -> Iterator[Finding]:
    """Check one part after the other, in an app context. A server that is away is a finding, not an exception."""
    checks: tuple[Callable[[Settings], Finding | None], ...] = (
        _database,
        _redis,
        _workers,
        _buckets,
        _public_outputs,
        _web,
        _keys,
        _webhooks,
    )
    for check in checks:
        if found := check(settings):
            yield found


def _database(settings: Settings) -> Finding:
    url = sa.make_url(settings.database_url)
    place = f"SQLite {url.database}" if url.get_backend_name() == "sqlite" else f"PostgreSQL at {url.host}"
    try:
        found, newest = revisions.current(), revisions.newest()
    except DBAPIError as error:
        return wrong(
            "database", text=f"{place} cannot be reached ({describe(error)}): check that it runs, and DATABASE_URL."
        )
    if found is None:
        return wrong("database", text=f"{place} has no tables: run imgproc init.")
    if found not in revisions.known():
        return wrong("database", text=f"{place} has the tables of a newer version ({found}): update imgproc.")
    if found != newest:
        return wrong("database", text=f"{place} has the tables of an older version ({found}): run imgproc init.")
    if settings.database_pooling == "transaction" and not _is_limited():
        remedy = "run imgproc init, then RECONNECT in PgBouncer's console"
        return wrong("database", text=f"{place} does not limit the statements of our role: {remedy}.")
    return ok("database", text=f"{place} answers, and its tables are up to date ({found}).")


def _is_limited() -> bool:
    with db.engine.connect() as connection:
        return is_limited(connection)


def _redis(settings: Settings) -> Finding:
    if settings.redis_url is None:
        return wrong(
            "redis",
            text=f"No Redis is configured, and no stack runs in {settings.data_dir}: {START}, or set REDIS_URL.",
        )
    place = f"Redis at {_host(settings.redis_url)}"
    try:
        connection.ping()
    except InfrastructureError as error:
        return wrong("redis", text=f"{place} cannot be reached ({_cause(error)}): check that it runs, and REDIS_URL.")
    return ok("redis", text=f"{place} answers.")


def _workers(settings: Settings) -> Finding | None:
    if settings.redis_url is None:
        return None
    try:
        counts = worker_counts()
    except InfrastructureError:
        return None  # the finding `redis` says so
    idle = [queue for queue, count in counts.items() if not count]
    if idle:
        return wrong("workers", text=f"No worker takes jobs of {', '.join(idle)}: start imgproc worker.")
    return ok(
        "workers", text=f"{counts['express']} worker processes make images, and {counts['deliveries']} send webhooks."
    )


def _buckets(settings: Settings) -> Finding:
    if settings.s3_endpoint_url is None:
        where = f"no stack runs in {settings.data_dir}"
        return wrong("buckets", text=f"No object store is configured, and {where}: {START}, or set S3_ENDPOINT_URL.")
    store = services().store
    names = " and ".join(store.buckets)
    try:
        store.ping()
        with probe(store):
            pass
    except InfrastructureError as error:
        return wrong("buckets", text=f"{_sentence(error)} imgproc init makes buckets that are missing.")
    return ok("buckets", text=f"{names} at {_host(settings.s3_endpoint_url)} can be read and written.")


def _public_outputs(settings: Settings) -> Finding | None:
    """Whether strangers can get an object of the outputs bucket, and none of the originals bucket."""
    if settings.s3_endpoint_url is None:
        return None
    store = services().store
    originals = f"{settings.s3_endpoint_url.rstrip('/')}/{settings.s3_originals_bucket}"
    try:
        with probe(store) as key:
            shown, hidden = _get(store.public_url(key)), _get(f"{originals}/{store.full_key(key)}")
    except InfrastructureError:
        return None  # the finding `buckets` says so
    if hidden == PROBE:
        return wrong("access", text=f"Everyone can read the bucket {settings.s3_originals_bucket}: make it private.")
    if shown != PROBE:
        remedy = "run imgproc init, or check S3_PUBLIC_URL and what stands in front of the bucket"
        return wrong("access", text=f"Strangers cannot read outputs at {settings.s3_public_url}: {remedy}.")
    return ok("access", text=f"Strangers can read outputs at {settings.s3_public_url}, and no originals.")


def _get(url: str) -> bytes | None:
    """The body that our own store serves at a URL without credentials; None if it serves none."""
    with requests.Session() as session:
        session.trust_env = not is_loopback(bracketed(urlsplit(url).hostname or ""))
        try:
            response = session.get(url, timeout=SECONDS, stream=True)
            return next(response.iter_content(len(PROBE) + 1), b"") if response.ok else None
        except requests.RequestException:
            return None


def _web(settings: Settings) -> Finding:
    url = settings.imgproc_url or local_url(settings)
    try:
        with Client(url, retries=0, timeout=SECONDS) as client:
            client.ready()
    except ApiError as error:
        if error.code == "not_ready":
            return wrong("web", text=f"{url} answers, but is not ready: {error.detail}")
        return wrong("web", text=f"{error.detail} Start it with imgproc up or gunicorn wsgi:app, or set IMGPROC_URL.")
    return ok("web", text=f"{url} answers and is ready.")


def _keys(settings: Settings) -> Finding | None:
    try:
        active = db.session.execute(sa.select(sa.func.count()).where(ApiKey.revoked_at.is_(None))).scalar_one()
    except DBAPIError:
        return None  # the finding `database` says so
    if settings.api_keys_required:
        if not active:
            return wrong("keys", text="API keys are required, and there is none: run imgproc keys create NAME.")
        return ok("keys", text=f"Callers need one of {active} API keys.")
    if not (is_loopback(bracketed(settings.host)) or settings.trusted_hosts):
        return wrong(
            "keys",
            text=f"Everyone who can reach {settings.host}:{settings.port} can use imgproc: set API_KEYS_REQUIRED=true, "
            "or set TRUSTED_HOSTS to the names of this server.",
        )
    return Finding("keys", "note", text="Callers need no API key; API_KEYS_REQUIRED=true would ask for one.")


def _webhooks(settings: Settings) -> Finding:
    if settings.webhook_secret is None and not settings.api_keys_required:
        remedy = "set WEBHOOK_SECRET (make env generates one)"
        return wrong("webhooks", text=f"Webhooks of callers without an API key cannot be signed: {remedy}.")
    return ok("webhooks", text="Webhooks can be signed.")


def _host(url: str) -> str:
    """The host and the port of a URL, without its credentials; the path of a Unix socket."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def _cause(error: InfrastructureError) -> str:
    return str(error.__cause__ or error).partition("\n")[0].rstrip(".")


def _sentence(error: InfrastructureError) -> str:
    text = str(error).rstrip()
    return text if text.endswith(".") else f"{text}."
