"""Every setting, typed, read from the environment once and validated with all errors reported together.

Order of precedence: the environment, then `DATA_DIR/embedded.env` (written by the embedded stack while it runs, so that
a second shell finds its Redis and S3), then the defaults below.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from limits import parse_many
from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import OneOf, Range

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MIB = 1024 * 1024
FORM_OVERHEAD = MIB  # bytes of a multipart body beside the file itself
HOST = re.compile(r"\.?[\w.-]+")
MOST_WEBHOOK_SECRETS = 2  # at once: the new one and the one it replaces
RETRY_SCHEDULE = "5,300,1800,7200,18000,36000,50400,72000,86400"


class ConfigError(Exception):
    """The environment holds settings we cannot use; the message lists every one of them."""


@dataclass(frozen=True)
class Settings:
    """All settings. Sizes are bytes, times are seconds. Secrets stay out of the repr."""

    host: str
    port: int
    data_dir: Path
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    s3_endpoint_url: str | None
    s3_access_key_id: str | None = field(repr=False)
    s3_secret_access_key: str | None = field(repr=False)
    s3_region: str
    s3_originals_bucket: str
    s3_outputs_bucket: str
    s3_public_url: str
    embedded_outputs_dir: Path | None
    web_threads: int
    web_memory_limit: int
    web_connections: int
    web_body_bytes: int
    slow_client_seconds: float
    slow_client_rate: float
    workers: int
    worker_memory_limit: int
    image_threads: int
    allowed_networks: tuple[Network, ...]
    webhook_url: str | None
    webhook_secret: str | None = field(repr=False)
    webhook_retry_schedule: tuple[int, ...]
    max_upload_bytes: int
    max_scans: int
    max_rows: int
    max_images_per_row: int
    max_image_bytes: int
    max_image_pixels: int
    download_timeout: float
    reuse_pictures: bool
    lease_seconds: int
    max_attempts: int
    dispatch_window: int
    sweep_interval: float
    retention_days: float | None
    csv_access: str
    csv_url_credentials: str
    api_keys_required: bool
    api_key: str | None = field(repr=False)
    rate_limit_uploads: str
    rate_limit_actions: str
    rate_limit_reads: str
    max_open_requests: int
    max_open_bytes: int
    max_open_deliveries: int
    deliveries_at_once: int
    trusted_proxies: int
    trusted_hosts: tuple[str, ...]
    log_format: str
    log_level: str

    @property
    def private_csvs(self) -> bool:
        """Whether CSVs are kept in the private bucket, and given out by the API alone."""
        return self.csv_access == "private"

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """What signs the webhooks of callers without a secret of their own; each of two signs."""
        return tuple((self.webhook_secret or "").split())


class Networks(fields.Field[tuple[Network, ...]]):
    """Comma-separated CIDR ranges."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[Network, ...]:  # noqa: ARG002 - marshmallow's signature
        try:
            return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise ValidationError(f"{error}; give CIDR ranges separated by commas, e.g. 10.0.0.0/8") from error


class Hosts(fields.Field[tuple[str, ...]]):
    """Comma-separated host names, without ports."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[str, ...]:  # noqa: ARG002 - marshmallow's signature
        hosts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not all(HOST.fullmatch(host) for host in hosts):
            raise ValidationError("Give host names without scheme or port, separated by commas, e.g. api.shop.example.")
        return hosts


class Seconds(fields.Field[tuple[int, ...]]):
    """Comma-separated whole seconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[int, ...]:  # noqa: ARG002 - marshmallow's signature
        try:
            seconds = tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise ValidationError("Give whole seconds separated by commas, e.g. 5,300.") from error
        if any(number < 0 for number in seconds):
            raise ValidationError("No delay may be negative.")
        return seconds


def _is_http_url(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("Give an absolute http:// or https:// URL.")


def _is_webhook_secret(value: str) -> None:
    secrets = value.split()
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        raise ValidationError("Must start with whsec_ (make env generates one).")
    if len(secrets) > MOST_WEBHOOK_SECRETS:
        raise ValidationError("Give one secret, or two separated by a space while one replaces the other.")
    try:
        for secret in secrets:
            base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise ValidationError("What follows whsec_ must be base64 (make env generates one).") from error


def _is_rate_limit(value: str) -> None:
    try:
        parse_many(value)
    except ValueError as error:
        raise ValidationError("Give a number of calls and a time, e.g. 300/minute.") from error


def _text(default: str | None = None, **options: Any) -> fields.String:
    return fields.String(load_default=default, **options)


def _whole(default: int, at_least: int = 1) -> fields.Integer:
    return fields.Integer(load_default=default, validate=Range(min=at_least))


class SettingsSchema(Schema):
    """The environment variables we read, with types, bounds and defaults: `docs/reference/settings.md` explains them."""

    HOST = _text("127.0.0.1")
    PORT = fields.Integer(load_default=8000, validate=Range(min=1, max=65535))
    DATA_DIR = _text("var")
    DATABASE_URL = _text()
    REDIS_URL = _text()
    S3_ENDPOINT_URL = _text(validate=_is_http_url)
    S3_ACCESS_KEY_ID = _text()
    S3_SECRET_ACCESS_KEY = _text()
    S3_REGION = _text("us-east-1")
    S3_ORIGINALS_BUCKET = _text("originals")
    S3_OUTPUTS_BUCKET = _text("outputs")
    S3_PUBLIC_URL = _text(validate=_is_http_url)
    EMBEDDED_OUTPUTS_DIR = _text()
    WEB_THREADS = _whole(8)
    WEB_MEMORY_LIMIT = _whole(2048 * MIB, at_least=0)
    WEB_CONNECTIONS = _whole(2000, at_least=8)
    WEB_BODY_BYTES = _whole(1024 * MIB)
    SLOW_CLIENT_SECONDS = fields.Float(load_default=30.0, validate=Range(min=1))
    SLOW_CLIENT_RATE = fields.Float(load_default=1000.0, validate=Range(min=0))
    WORKERS = _whole(min(16 * (os.cpu_count() or 1), 32))
    WORKER_MEMORY_LIMIT = _whole(4096 * MIB, at_least=0)
    IMAGE_THREADS = _whole(4)
    ALLOWED_NETWORKS = Networks(load_default=())
    WEBHOOK_URL = _text(validate=_is_http_url)
    WEBHOOK_SECRET = _text(validate=_is_webhook_secret)
    WEBHOOK_RETRY_SCHEDULE = Seconds(load_default=tuple(int(part) for part in RETRY_SCHEDULE.split(",")))
    MAX_UPLOAD_BYTES = _whole(100 * MIB)
    MAX_SCANS = _whole(4)
    MAX_ROWS = _whole(1_000_000)
    MAX_IMAGES_PER_ROW = _whole(50)
    MAX_IMAGE_BYTES = _whole(50 * MIB)
    MAX_IMAGE_PIXELS = _whole(50_000_000)
    DOWNLOAD_TIMEOUT = fields.Float(load_default=30.0, validate=Range(min=0, min_inclusive=False))
    REUSE_PICTURES = fields.Boolean(load_default=True)
    LEASE_SECONDS = _whole(30, at_least=2)
    MAX_ATTEMPTS = _whole(3)
    DISPATCH_WINDOW = _whole(64)
    SWEEP_INTERVAL = fields.Float(load_default=1.0, validate=Range(min=0.05))
    RETENTION_DAYS = fields.Float(load_default=None, validate=Range(min=0, min_inclusive=False))
    CSV_ACCESS = _text("public", validate=OneOf(["public", "private"]))
    CSV_URL_CREDENTIALS = _text("keep", validate=OneOf(["keep", "redact"]))
    API_KEYS_REQUIRED = fields.Boolean(load_default=False)
    API_KEY = _text()
    RATE_LIMIT_UPLOADS = _text("3000/minute", validate=_is_rate_limit)
    RATE_LIMIT_ACTIONS = _text("600/minute", validate=_is_rate_limit)
    RATE_LIMIT_READS = _text("30000/minute", validate=_is_rate_limit)
    MAX_OPEN_REQUESTS = _whole(10_000)
    MAX_OPEN_BYTES = _whole(10 * 1024 * MIB)
    MAX_OPEN_DELIVERIES = _whole(1000)
    DELIVERIES_AT_ONCE = _whole(4)
    TRUSTED_PROXIES = _whole(0, at_least=0)
    TRUSTED_HOSTS = Hosts(load_default=())
    LOG_FORMAT = _text("text", validate=OneOf(["text", "json"]))
    LOG_LEVEL = _text("INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))

    class Meta:
        """The environment holds other people's variables too."""

        unknown = EXCLUDE


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting from `environ` (default: the process's). An empty value counts as unset.

    Raises:
        ConfigError: one line per setting that cannot be used, all of them at once.
    """
    given = {key: value for key, value in (os.environ if environ is None else environ).items() if value != ""}
    data_dir = Path(given.get("DATA_DIR", "var")).absolute()
    embedded = {key: value for key, value in dotenv_values(data_dir / "embedded.env").items() if value}
    try:
        loaded: dict[str, Any] = SettingsSchema().load({**embedded, **given})
    except ValidationError as error:
        problems: dict[str, list[str]] = dict(error.messages)  # type: ignore[arg-type]  # a list only for many=True
        lines = [f"{name}: {' '.join(messages)}" for name, messages in sorted(problems.items())]
        raise ConfigError("These settings cannot be used:\n  " + "\n  ".join(lines)) from error
    values = {name.lower(): value for name, value in loaded.items()}
    outputs_dir = values["embedded_outputs_dir"]
    endpoint = values["s3_endpoint_url"] or "https://s3.amazonaws.com"
    values |= {
        "data_dir": data_dir,
        "embedded_outputs_dir": Path(outputs_dir) if outputs_dir else None,
        "database_url": _driver(values["database_url"] or f"sqlite:///{data_dir / 'imgproc.db'}"),
        "s3_public_url": (values["s3_public_url"] or f"{endpoint.rstrip('/')}/{values['s3_outputs_bucket']}").rstrip(
            "/"
        ),
    }
    return Settings(**values)


def _driver(url: str) -> str:
    """Name psycopg 3 where a PostgreSQL URL names no driver, as the URLs of hosting providers do."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url
