"""What `imgproc check` looks at: a finding for each part, with the remedy where something is wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from imgproc.cli import database_checks, machine_checks, redis_checks, store_checks
from imgproc.cli.findings import Finding, note, ok, wrong
from imgproc.client import ApiError, Client
from imgproc.core.config import Settings
from imgproc.core.hosts import bracketed, is_loopback
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db
from imgproc.embedded.ports import local_url

SECONDS = 10.0  # for an answer
LEAST_SECRET = 24  # bytes, by Standard Webhooks
LEAST_DIFFERENT = 12  # bytes; of 24 random ones fewer differ once in 10^9 times


def findings(settings: Settings) -> Iterator[Finding]:
    """Check one part after the other, in an app context. A server that is away is a finding, not an exception."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        database_checks.check,
        redis_checks.check,
        store_checks.check,
        machine_checks.check,
        _web,
        _keys,
        _webhooks,
    )
    for check in checks:
        yield from check(settings)


def _web(settings: Settings) -> Iterator[Finding]:
    url = settings.imgproc_url or local_url(settings)
    try:
        with Client(url, retries=0, timeout=SECONDS) as client:
            client.ready()
    except ApiError as error:
        if error.code == "not_ready":
            yield wrong("web", text=f"{url} answers, but is not ready: {error.detail}")
            return
        yield wrong("web", text=f"{error.detail} Start it with imgproc up or gunicorn wsgi:app, or set IMGPROC_URL.")
        return
    yield ok("web", text=f"{url} answers and is ready.")


def _keys(settings: Settings) -> Iterator[Finding]:
    lives = sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > datetime.now(timezone.utc))
    active = sa.select(sa.func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None), lives)
    try:
        number = db.session.execute(active).scalar_one()
    except DBAPIError:
        return  # the finding `database` says so
    if settings.api_keys_required:
        if not number:
            yield wrong("keys", text="API keys are required, and none is valid: run imgproc keys create NAME.")
            return
        yield ok("keys", text=f"Callers need one of {number} API keys.")
    elif not (is_loopback(bracketed(settings.host)) or settings.trusted_hosts):
        text = f"Everyone who can reach {settings.host}:{settings.port} can use imgproc: set API_KEYS_REQUIRED=true, "
        yield wrong("keys", text=f"{text}or set TRUSTED_HOSTS to the names of this server.")
    else:
        yield note("keys", text="Callers need no API key; API_KEYS_REQUIRED=true would ask for one.")


def _webhooks(settings: Settings) -> Iterator[Finding]:
    remedy = "set WEBHOOK_SECRET (make env generates one)"
    if settings.webhook_secret is None and not settings.api_keys_required:
        yield wrong("webhooks", text=f"Webhooks of callers without an API key cannot be signed: {remedy}.")
    elif any(map(_is_weak, settings.webhook_secrets)):
        text = "WEBHOOK_SECRET can be guessed, so others could forge webhooks: it needs 24 random bytes"
        yield wrong("webhooks", text=f"{text}; {remedy}.")
    else:
        yield ok("webhooks", text="Webhooks can be signed.")


def _is_weak(secret: str) -> bool:
    """Whether a secret is short, or a pattern."""
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    return len(raw) < LEAST_SECRET or len(set(raw)) < LEAST_DIFFERENT
