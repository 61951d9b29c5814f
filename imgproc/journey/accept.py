"""Accepting an upload: check the file, reserve a request, store the file, accept, ring for the plan, answer 202."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from imgproc.core.errors import (
    ForbiddenAddress,
    InfrastructureError,
    InvalidInput,
    InvalidWebhookUrl,
    QuotaExceeded,
    StorageUnavailable,
)
from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import requests
from imgproc.db.transitions.requests import ReservationLost
from imgproc.journey.services import Services
from imgproc.journey.webhook import signing_secrets
from imgproc.pipeline.http.addresses import check_url
from imgproc.pipeline.images.compress import CompressOptions
from imgproc.pipeline.storage.object_keys import input_key
from imgproc.pipeline.table.read import CsvReading, Scan, read_csv, require_valid, scan_csv
from imgproc.queue import enqueue

READ_BLOCK = 1024 * 1024
MAX_WEBHOOK_URL_CHARS = 2048


class KeyReused(InvalidInput):
    """The idempotency key came before, with another file or other options."""

    code = "idempotency_key_reused"


@dataclass(frozen=True)
class Upload:
    """What the caller sent: a seekable file of `size` bytes, and what to do with it."""

    stream: BinaryIO
    size: int
    filename: str
    options: CompressOptions
    skip_invalid: bool = False
    webhook_url: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The request that stands for the upload; `scan` is None where an earlier upload's answer is replayed."""

    request: ProcessingRequest
    scan: Scan | None


def accept(services: Services, upload: Upload, *, owner: str = "", api_url: str | None = None) -> Accepted:
    """Accept an upload, or answer again for one with the same idempotency key.

    `api_url` is where the caller reached the API, for links in what is told of the request's end.

    Raises:
        InvalidCsv, UnsupportedFile, InvalidWebhookUrl: the caller must change something.
        KeyReused: the idempotency key came with another upload.
        QuotaExceeded: the owner has MAX_OPEN_REQUESTS or MAX_OPEN_BYTES under way.
        StorageUnavailable: nothing was accepted; the same upload may be sent again.
    """
    webhook_url = check_webhook_url(services, upload.webhook_url or services.settings.webhook_url, owner=owner)
    fingerprint = _fingerprint(upload)
    if earlier := _replay(upload.idempotency_key, owner, fingerprint):
        return earlier
    require_room(services, owner, size=upload.size)
    _, scan = inspect(services, upload)
    require_valid(scan, skip_invalid=upload.skip_invalid)
    columns = {"webhook_url": webhook_url, "fingerprint": fingerprint, "api_url": api_url}
    request_id = _reserve(services, upload, scan, owner=owner, **columns)
    _store(services, request_id, upload.stream)
    if earlier := _accept(services, request_id, upload, owner, fingerprint):
        return earlier
    enqueue.plans([request_id])
    request = reads.get_request(request_id)
    assert request is not None, "the request was committed a moment ago"  # noqa: S101 - for the type checker
    return Accepted(request, scan)


def _reserve(services: Services, upload: Upload, scan: Scan, *, owner: str, **values: str | None) -> str:
    """Insert the request's row before its file is stored; its id. Until it is accepted nobody sees it."""
    request_id = str(uuid.uuid4())
    reserved = requests.reserve(
        most_bytes=services.settings.max_open_bytes,
        owner=owner,
        id=request_id,
        input_bytes=upload.size,
        filename=upload.filename,
        input_key=input_key(request_id),
        options=asdict(upload.options),
        skip_invalid=upload.skip_invalid,
        rows_total=scan.rows,
        rows_skipped=scan.skipped_rows,
        products_total=scan.products,
        images_total=scan.images,
        **values,
    )
    if not reserved:
        raise _bytes_exceeded(services)
    return request_id


def _store(services: Services, request_id: str, stream: BinaryIO) -> None:
    """Store the file; a request whose file cannot be stored stands in the way of no other."""
    stream.seek(0)
    try:
        services.store.put_input(request_id, stream)
    except InfrastructureError:
        requests.withdraw(request_id)
        raise


def inspect(services: Services, upload: Upload) -> tuple[CsvReading, Scan]:
    """How the file reads, and what one pass over it finds; changes nothing.

    The pass stops where the errors are too many to be listed, unless bad rows are skipped.

    Raises:
        InvalidCsv, UnsupportedFile: the file cannot be read at all.
    """
    upload.stream.seek(0)
    reading = read_csv(upload.stream, limits=services.csv_limits)
    return reading, scan_csv(reading, stop_at_errors=not upload.skip_invalid)


def check_webhook_url(services: Services, url: str | None, *, owner: str) -> str | None:
    """The URL, if we may post to it and can sign what the owner is told.

    Raises:
        InvalidWebhookUrl: it is malformed, points where we may not go, or nothing could be signed.
    """
    if url is None:
        return None
    if not signing_secrets(services, owner):
        raise InvalidWebhookUrl("This server has no WEBHOOK_SECRET, so it can sign no webhook; leave webhookUrl out.")
    if len(url) > MAX_WEBHOOK_URL_CHARS:
        raise InvalidWebhookUrl(
            f"The webhook URL is longer than {MAX_WEBHOOK_URL_CHARS:,} characters; give a shorter one."
        )
    try:
        check_url(url, allowed_networks=services.settings.allowed_networks)
    except (ForbiddenAddress, InvalidInput) as error:
        raise InvalidWebhookUrl(error.detail) from error
    return url


def require_room(services: Services, owner: str, *, size: int) -> None:
    """Check both quotas before a file of `size` bytes is read, or processed again.

    Requests that come at once may pass them together; for the bytes of uploads, `reserve` checks again.

    Raises:
        QuotaExceeded: the owner has MAX_OPEN_REQUESTS under way, or would have more than MAX_OPEN_BYTES.
    """
    most = services.settings.max_open_requests
    if reads.count_open(owner) >= most:
        raise QuotaExceeded(f"{most:,} requests are under way already; wait until some have ended, or cancel some.")
    if reads.count_open_bytes(owner) + size > services.settings.max_open_bytes:
        raise _bytes_exceeded(services)


def _bytes_exceeded(services: Services) -> QuotaExceeded:
    most = services.settings.max_open_bytes
    return QuotaExceeded(
        f"With this file more than {most:,} bytes of files would be under way; "
        "wait until some requests have ended, or cancel some."
    )


def require_room_for_delivery(services: Services, owner: str) -> None:
    """A webhook that has ended is not sent again while too many of the owner wait.

    Raises:
        QuotaExceeded: MAX_OPEN_DELIVERIES of the owner wait or are being sent.
    """
    most = services.settings.max_open_deliveries
    if reads.count_open_deliveries(owner, at_most=most) >= most:
        raise QuotaExceeded(f"{most:,} webhooks wait to be sent already; send this one again when some have been.")


def _fingerprint(upload: Upload) -> str:
    """What makes two uploads the same: the bytes of the file and everything asked of it."""
    digest = hashlib.sha256()
    upload.stream.seek(0)
    while block := upload.stream.read(READ_BLOCK):
        digest.update(block)
    asked: dict[str, Any] = {
        **asdict(upload.options),
        "skip_invalid": upload.skip_invalid,
        "webhook_url": upload.webhook_url,
    }
    digest.update(json.dumps(asked, sort_keys=True).encode())
    return digest.hexdigest()


def _accept(services: Services, request_id: str, upload: Upload, owner: str, fingerprint: str) -> Accepted | None:
    """Accept the request; where a twin with the same key was faster, its answer stands and our file goes."""
    try:
        requests.accept(request_id, idempotency_key=upload.idempotency_key)
    except ReservationLost as error:
        raise StorageUnavailable("Storing the file took over an hour, so it was given up; upload it again.") from error
    except IntegrityError:
        requests.withdraw(request_id)
        services.store.delete_some(request_id)
        earlier = _replay(upload.idempotency_key, owner, fingerprint)
        if earlier is None:
            raise
        return earlier
    return None


def _replay(key: str | None, owner: str, fingerprint: str) -> Accepted | None:
    if key is None:
        return None
    statement = sa.select(ProcessingRequest).where(
        ProcessingRequest.owner == owner, ProcessingRequest.idempotency_key == key
    )
    request = db.session.execute(statement).scalar_one_or_none()
    if request is None:
        db.session.rollback()
        return None
    if request.fingerprint != fingerprint:
        raise KeyReused("This Idempotency-Key came before with another file or other options; use a new key.")
    return Accepted(request, None)
