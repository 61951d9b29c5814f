"""The services of the app: its settings, and the stages, which each process makes from them once."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from imgproc.core.config import Settings
from imgproc.journey.image_threads import ImageThreads
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.http.body import Pace
from imgproc.pipeline.http.request_headers import HostHeaders, Identity, user_agent
from imgproc.pipeline.images.compress import MemoryBudget
from imgproc.pipeline.images.guards.memory import images_at_once
from imgproc.pipeline.notify import Notifier
from imgproc.pipeline.storage.object_options import IMAGE_CACHE, ObjectOptions
from imgproc.pipeline.storage.store import Store
from imgproc.pipeline.table.read import CsvLimits
from imgproc.queue.connection import connect_redis, redis_url
from imgproc.queue.host_limits import HostLimits

LATE_SECONDS = 5.0  # after the deadline of a download until its permit expires


@dataclass(frozen=True)
class Services:
    """The settings and the stages. No stage connects before it is first used."""

    settings: Settings
    store: Store
    downloader: Downloader
    notifier: Notifier
    csv_limits: CsvLimits
    memory: MemoryBudget  # shared by all images that this process makes at a time
    host_limits: HostLimits  # shared by all workers
    image_threads: ImageThreads  # shared by the products of this process


def images_of_process(settings: Settings) -> int:
    """How many images a process may work on, so that the largest sources of all of them fit its memory."""
    return images_at_once(settings.worker_memory_limit, source_bytes=settings.max_image_bytes)


def init_app(app: Flask, settings: Settings) -> None:
    """Make the services of `app`."""
    limits = HostLimits(
        connect_redis(redis_url(settings), timeout=1, retries=0),
        most=settings.host_downloads,
        newcomers=max(4, settings.workers // 2),
        lease=settings.download_timeout + LATE_SECONDS,
        patience=settings.host_patience,
        dead_patience=settings.dead_host_patience,
    )
    app.extensions["services"] = Services(
        settings=settings,
        store=_store(settings),
        downloader=_downloader(settings, gate=limits),
        notifier=Notifier(allowed_networks=settings.allowed_networks),
        csv_limits=CsvLimits(
            max_rows=settings.max_rows,
            max_images_per_row=settings.max_images_per_row,
            max_bytes=settings.max_upload_bytes,
        ),
        memory=MemoryBudget(settings.worker_memory_limit),
        host_limits=limits,
        image_threads=ImageThreads(images_of_process(settings)),
    )


def _store(settings: Settings) -> Store:
    return Store(
        endpoint_url=settings.s3_endpoint_url,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key,
        session_token=settings.s3_session_token,
        region=settings.s3_region,
        addressing=settings.s3_addressing,
        originals_bucket=settings.s3_originals_bucket,
        outputs_bucket=settings.s3_outputs_bucket,
        public_url=settings.s3_public_url,
        options=ObjectOptions(
            prefix=settings.s3_prefix,
            image_cache_control=settings.s3_image_cache_control or IMAGE_CACHE,
            image_storage_class=settings.s3_image_storage_class,
            encryption=settings.s3_encryption,
            kms_key_id=settings.s3_kms_key_id,
        ),
    )


def _downloader(settings: Settings, *, gate: HostLimits) -> Downloader:
    return Downloader(
        allowed_networks=settings.allowed_networks,
        timeout=settings.download_timeout,
        max_bytes=settings.max_image_bytes,
        pace=Pace(settings.first_byte_timeout, settings.least_download_speed),
        samples_url=settings.samples_url,
        gate=gate,
        identity=Identity(user_agent(settings.contact_url), HostHeaders(settings.host_headers)),
    )


def services() -> Services:
    """The services of the current app. Entry points look them up once, and pass them on."""
    found: Services = current_app.extensions["services"]
    return found
