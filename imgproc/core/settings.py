"""The table of settings: each field declares its type, default, readers and description.

The schema that reads the environment, `.env.example`, the environment in `docker-compose.yml` and the documented tables
follow from this one: run `make settings` after a change.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from imgproc.core import setting_types as types
from imgproc.core.header_settings import HostHeaders, is_header_name, is_header_value
from imgproc.core.setting_types import Network, Setting, operator, tuning, user

MIB = 1024 * 1024
RETRY_SCHEDULE = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


@dataclass(frozen=True)
class Settings:
    """All settings. Sizes are bytes, times are seconds."""

    host: str = user(types.text("127.0.0.1"), "Address the web process listens on.", compose=None)
    port: int = user(types.whole(8000, at_most=65535), "Port the web process listens on.", compose=None)
    data_dir: Path = user(
        types.text("var"),
        "Folder of the embedded database, Redis and objects. Only its owner may read it.",
        compose=None,
    )
    imgproc_url: str | None = user(
        types.text(validate=types.is_http_url),
        "Address of the imgproc that the command line calls.",
        shown="the running stack, else `http://HOST:PORT`",
        compose=None,
    )
    imgproc_api_key: str | None = user(
        types.text(),
        "API key that the command line calls with, unless `--key` gives another.",
        secret=True,
        compose=None,
    )
    api_key: str | None = user(
        types.text(), "The earlier name of `IMGPROC_API_KEY`, which takes precedence.", secret=True, compose=None
    )
    webhook_url: str | None = user(
        types.text(validate=types.is_http_url), "Webhook of requests whose upload names none."
    )
    allowed_networks: tuple[Network, ...] = user(
        types.Networks(load_default=()),
        "Private CIDR ranges, separated by commas, that downloads and webhooks may reach on any port.",
    )
    contact_url: str = user(
        types.text("https://pypi.org/project/imgproc/", validate=types.is_contact_url),
        "Page about whoever runs this imgproc, for the hosts of images: it stands in the User-Agent.",
    )
    host_headers: dict[str, dict[str, str]] = user(
        HostHeaders(load_default={}),
        'JSON: headers for single hosts of images, `{"img.shop.example": {"Authorization": "Bearer …"}}`.',
        secret=True,
        shown="none",
    )
    retention_days: float | None = user(
        types.above_zero(None), "Days after its end until a request is removed with its objects.", shown="never"
    )
    log_level: str = user(
        types.choice("INFO", "DEBUG", "WARNING", "ERROR"), "`DEBUG` (every product too), `INFO`, `WARNING` or `ERROR`."
    )

    database_url: str = operator(
        types.text(validate=types.is_database_url),
        "PostgreSQL (`postgresql://…`) or SQLite (`sqlite:///…`).",
        secret=True,
        shown="SQLite in `DATA_DIR`",
        compose=None,
    )
    database_pooling: Literal["session", "transaction"] = operator(
        types.choice("session", "transaction"),
        "How a PgBouncer before PostgreSQL pools connections: `session` (also without one) or `transaction`.",
    )
    redis_url: str | None = operator(
        types.text(validate=types.is_redis_url),
        "Redis or Valkey, version 7 or newer.",
        secret=True,
        shown="the embedded one",
        compose=None,
    )
    s3_endpoint_url: str | None = operator(
        types.text(validate=types.is_http_url), "Any S3 server.", shown="the embedded one", compose=None
    )
    s3_access_key_id: str | None = operator(types.text(), "Name of the S3 user.", secret=True, compose=None)
    s3_secret_access_key: str | None = operator(types.text(), "Secret of the S3 user.", secret=True, compose=None)
    s3_session_token: str | None = operator(
        types.text(), "Session token, where the S3 user's credentials are temporary.", secret=True
    )
    s3_region: str = operator(types.text("us-east-1"), "Region of the buckets.", compose=None)
    s3_addressing: Literal["path", "virtual"] = operator(
        types.choice("path", "virtual"),
        "Where the bucket stands in the address of an object: `path` (`https://HOST/BUCKET/KEY`) or `virtual` "
        "(`https://BUCKET.HOST/KEY`).",
        compose=None,
    )
    s3_originals_bucket: str = operator(
        types.text("originals"), "Private bucket: uploaded files and working data.", compose=None
    )
    s3_outputs_bucket: str = operator(types.text("outputs"), "Public bucket: images and output CSVs.", compose=None)
    s3_public_url: str = operator(
        types.text(validate=types.is_http_url),
        "Base of public URLs: `{S3_PUBLIC_URL}/{key}`.",
        shown="endpoint + outputs bucket",
        compose=None,
    )
    s3_prefix: str = operator(
        types.KeyPrefix(load_default=""),
        "What the keys of all objects start with, such as `imgproc/`. It stands in public URLs too.",
        shown="none",
    )
    s3_image_cache_control: str | None = operator(
        types.text(validate=is_header_value),
        "`Cache-Control` of compressed images. A retry or a removal changes what is under a URL.",
        shown="`public, max-age=3600`",
    )
    s3_image_storage_class: str | None = operator(
        types.text(validate=is_header_value),
        "Storage class of images, such as `STANDARD_IA`. It must allow reading at once.",
        shown="that of the bucket",
    )
    s3_encryption: str | None = operator(
        types.choice(None, "AES256", "aws:kms"),
        "Encryption that every put asks for: `AES256` or `aws:kms`.",
        shown="that of the bucket",
    )
    s3_kms_key_id: str | None = operator(
        types.text(validate=is_header_value),
        "Key of `S3_ENCRYPTION=aws:kms`.",
        secret=True,
        shown="the one that S3 manages",
    )
    embedded_outputs_dir: Path | None = operator(
        types.text(), "Folder of outputs that the web process serves. Only the embedded stack sets it.", compose=None
    )
    samples_url: str | None = operator(
        types.text(validate=types.is_http_url),
        "Address of the sample catalogue. The web process serves it, and downloads may reach it although private. "
        "Only the embedded stack sets it.",
        compose=None,
    )
    webhook_secret: str | None = operator(
        types.text(validate=types.is_webhook_secret),
        "`whsec_…`: signs webhooks of callers without an API key. Two, separated by a space, both sign.",
        secret=True,
        shown="made by the embedded stack",
        compose=None,
    )
    webhook_retry_schedule: tuple[int, ...] = operator(
        types.Seconds(load_default=RETRY_SCHEDULE),
        "Seconds before each further attempt at a webhook, separated by commas.",
    )
    api_keys_required: bool = operator(
        types.switch(default=False), "Refuse callers without an API key.", compose="true"
    )
    remote_user_header: str | None = operator(
        types.text(validate=is_header_name),
        "Header in which a proxy names the user who signed in there. It must replace what clients send.",
    )
    remote_user_networks: tuple[Network, ...] = operator(
        types.Networks(load_default=()),
        "CIDR ranges of the proxies whose `REMOTE_USER_HEADER` is believed, separated by commas.",
    )
    remote_user_admins: tuple[str, ...] = operator(
        types.Names(load_default=()),
        "Users of `REMOTE_USER_HEADER` who may manage the API keys on the pages, separated by commas.",
    )
    trusted_proxies: int = operator(
        types.whole(0, at_least=0),
        "Proxies in front whose `X-Forwarded-*` headers are believed. One too many lets callers forge addresses.",
        compose="1",
    )
    trusted_hosts: tuple[str, ...] = operator(
        types.Hosts(load_default=()),
        "Host names the API answers to, separated by commas (`.shop.example` includes all below it).",
        shown="loopback names where `HOST` is loopback, else any",
    )
    rate_limit_uploads: str = operator(
        types.text("3000/minute", validate=types.is_rate_limit), "Uploads and validations of one key or address."
    )
    rate_limit_actions: str = operator(
        types.text("600/minute", validate=types.is_rate_limit),
        "Retries, cancellations, deletions, redeliveries of one key or address.",
    )
    rate_limit_reads: str = operator(
        types.text("30000/minute", validate=types.is_rate_limit),
        "All other calls of one key or address, counted for each route.",
    )
    max_open_requests: int = operator(
        types.whole(10_000), "Requests of one key that have not ended. Callers without a key share one quota."
    )
    max_open_bytes: int = operator(
        types.whole(10 * 1024 * MIB), "Bytes of the uploaded files of the requests of one key that have not ended."
    )
    max_open_deliveries: int = operator(
        types.whole(1000), "Unfinished deliveries of one key. Above this number no webhook can be redelivered."
    )
    csv_access: str = operator(
        types.choice("public", "private"),
        "Output and failed CSVs: `public` (bucket, unguessable keys) or `private` (from the API, to their owner).",
    )
    csv_url_credentials: str = operator(
        types.choice("keep", "redact"), "Credentials in the source URLs of CSVs: `keep` or `redact`."
    )
    max_upload_bytes: int = operator(types.whole(100 * MIB), "Largest uploaded file.")
    max_rows: int = operator(types.whole(1_000_000), "Most rows of a file.")
    max_images_per_row: int = operator(types.whole(50), "Most images of a row.")
    max_image_bytes: int = operator(types.whole(50 * MIB), "Largest source image.")
    max_image_pixels: int = operator(
        types.whole(50_000_000), "Most pixels of a source image. Formats whose decoders need more memory allow fewer."
    )
    heartbeat_file: Path | None = operator(
        types.text(),
        "File that a pool of workers or a sweeper touches in every round, for health checks.",
        compose=None,
    )
    log_format: str = operator(types.choice("text", "json"), "`text` or `json`.", compose=None)
    access_log: bool = operator(types.switch(default=False), "Log every call of the API.", compose="true")
    metrics_dir: Path = operator(
        types.text(),
        "Folder in which all processes of a machine keep what they count, for `/metrics`.",
        shown="`DATA_DIR/metrics`",
        compose="/dev/shm/metrics",  # noqa: S108 - in memory, of one container
    )
    metrics_port: int = operator(
        types.whole(0, at_least=0, at_most=65535),
        "Port on which pools and sweepers serve `/metrics` of this machine, on all addresses; 0 is none.",
        compose="9100",
    )
    otel_exporter_otlp_endpoint: str | None = operator(
        types.text(validate=types.is_http_url),
        "Collector of traces, by OTLP over HTTP, e.g. `http://collector:4318`. Needs the extra `otel`.",
        shown="no traces",
    )
    otel_exporter_otlp_traces_endpoint: str | None = operator(
        types.text(validate=types.is_http_url),
        "The whole URL for traces, where it is not `/v1/traces` of the collector.",
    )
    otel_exporter_otlp_headers: str | None = operator(
        types.text(), "Headers for the collector: `name=value,name=value`, values percent-encoded.", secret=True
    )
    otel_service_name: str | None = operator(types.text(), "Name of this service in traces.", shown="`imgproc`")
    otel_traces_sampler: str = operator(
        types.choice(
            "parentbased_always_on",
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ),
        "Which traces are recorded. `parentbased_…`: as the caller's `traceparent` says, if there is one.",
    )
    otel_traces_sampler_arg: float = operator(
        types.share(1), "Share of the traces that `…traceidratio` records, from 0 to 1."
    )
    otel_sdk_disabled: bool = operator(types.switch(default=False), "Record no traces, whatever else is set.")
    sentry_dsn: str | None = operator(
        types.text(validate=types.is_http_url),
        "Address at Sentry for unexpected errors. Needs the extra `sentry`.",
        secret=True,
        shown="no reports",
    )
    sentry_environment: str = operator(types.text("production"), "Name of this installation at Sentry.")

    web_threads: int = tuning(
        types.whole(8), "Threads of a web process. Each works on one whole request, never on a slow client."
    )
    web_memory_limit: int = tuning(
        types.whole(2048 * MIB, at_least=0), "Memory of a web process; 0 is no limit. Linux only."
    )
    web_connections: int = tuning(types.whole(2000, at_least=8), "Open connections of a web process.")
    web_body_bytes: int = tuning(
        types.whole(1024 * MIB), "Bytes of unanswered uploads that a web process holds. One upload always fits."
    )
    slow_client_seconds: float = tuning(
        types.number(30, at_least=1), "Seconds a client may take for its headers, and over which its speed is averaged."
    )
    slow_client_rate: float = tuning(
        types.number(1000, at_least=0), "Bytes a second below which a client is disconnected."
    )
    max_scans: int = tuning(types.whole(4), "Files above 1 MiB that a web process reads at a time.")
    workers: int = tuning(
        types.whole(min(24 * (os.cpu_count() or 1), 256)),
        "Products, plans and finalizations that a pool works on at a time, by threads of `WORKER_PROCESSES`.",
        compose="16",
        shown="24 for each core, at most 256",
    )
    worker_processes: int = tuning(
        types.whole(os.cpu_count() or 1),
        "Processes of a pool that take all files; a quarter as many take small files alone.",
        shown="one for each core",
    )
    worker_memory_limit: int = tuning(
        types.whole(4096 * MIB, at_least=0), "Memory of a worker process; 0 is no limit. Linux only."
    )
    image_threads: int = tuning(types.whole(4), "Images of one product that are processed at a time.")
    download_timeout: float = tuning(
        types.above_zero(30),
        "Seconds a download may take besides its bytes: names, connections, redirects, waiting for answers.",
    )
    first_byte_timeout: float = tuning(
        types.above_zero(10), "Seconds a host may take to answer, and over which the speed of a download is measured."
    )
    least_download_speed: float = tuning(
        types.above_zero(50_000), "Bytes a second below which a download ends as `too_slow`."
    )
    host_downloads: int = tuning(
        types.whole(24), "Most downloads from one host at a time, by all workers; fewer where the host allows fewer."
    )
    host_patience: float = tuning(
        types.above_zero(3600), "Seconds until a host that refuses everything is given up, if it has answered before."
    )
    dead_host_patience: float = tuning(
        types.above_zero(120), "Seconds until a host that has never answered is given up."
    )
    reuse_pictures: bool = tuning(
        types.switch(default=True), "Copy the rendition of an earlier request where its source has not changed."
    )
    lease_seconds: int = tuning(
        types.whole(30, at_least=2), "Seconds until a lease expires that its worker does not renew."
    )
    max_attempts: int = tuning(
        types.whole(3),
        "Attempts at a product, a plan or a finalization, and deaths of workers at one webhook, before it fails.",
    )
    dispatch_window: int = tuning(types.whole(64), "Products of one request that are queued or processed at a time.")
    delivery_workers: int = tuning(
        types.whole(32), "Webhooks that a pool sends at a time, by threads of one process of some 60 MB."
    )
    deliveries_at_once: int = tuning(
        types.whole(8), "Webhooks of one key that are sent at a time, by at most half of `DELIVERY_WORKERS`."
    )
    deliveries_per_receiver: int = tuning(
        types.whole(4), "Webhooks of all callers that one receiver (host and port) is sent at a time."
    )
    sweep_interval: float = tuning(types.number(1, at_least=0.05), "Seconds between two passes of the sweeper.")

    @property
    def private_csvs(self) -> bool:
        """Whether CSVs are stored in the private bucket and only the API gives them out."""
        return self.csv_access == "private"

    @property
    def longest_download(self) -> float:
        """Seconds that one image may take to download: the largest file at the least speed, and all before it."""
        pieces = self.max_image_bytes / self.least_download_speed + self.first_byte_timeout
        return self.download_timeout + pieces

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that sign webhooks of callers without one of their own; with two, both sign."""
        return tuple((self.webhook_secret or "").split())


TABLE: dict[str, Setting] = {each.name.upper(): each.metadata["setting"] for each in fields(Settings)}
