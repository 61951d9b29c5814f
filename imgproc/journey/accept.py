"""Accepts an upload: check the file, reserve a request, store the file, accept the request, enqueue its plan."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from structlog.contextvars import bind_contextvars

from imgproc.core import tracing
from imgproc.core.errors import (
    ForbiddenAddress,
    InfrastructureError,
    InvalidInput,
    InvalidWebhookUrl,
    StorageUnavailable,
)
from imgproc.core.spool import HashedSpool
from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import reservations
from imgproc.db.transitions.reservations import ReservationLost
from imgproc.journey import turns
from imgproc.journey.file_options import FileOptions
from imgproc.journey.quotas import bytes_exceeded, require_room
from imgproc.journey.reading import reading_json, stored
from imgproc.journey.services import Services
from imgproc.journey.webhook import signing_secrets
from imgproc.pipeline.http.addresses import check_url
from imgproc.pipeline.http.receiver_faults import explain_failure
from imgproc.pipeline.images.compress import CompressOptions
from imgproc.pipeline.storage.object_keys import input_key
from imgproc.pipeline.table.read import CsvReading, Scan, read_csv, require_valid, scan_csv

MAX_WEBHOOK_URL_CHARS = 2048


class KeyReused(InvalidInput):
    """The idempotency key was used before with another file or other options."""

    code = "idempotency_key_reused"


@dataclass(frozen=True)
class Upload:
    """What the caller sent: a file of `size` bytes, and what to do with it."""

    stream: HashedSpool
    size: int
    filename: str
    options: CompressOptions
    file: FileOptions = field(default_factory=FileOptions)
    skip_invalid: bool = False
    webhook_url: str | None = None
    reference: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The request of the upload; the others are None if it was accepted earlier under the same idempotency key."""

    request: ProcessingRequest
    scan: Scan | None = None
    reading: dict[str, Any] | None = None


def accept(services: Services, upload: Upload, *, owner: str = "", api_url: str | None = None) -> Accepted:
    """Accept an upload, or return the request of an earlier one with the same idempotency key.

    The file is read twice: to check it and to store it. `api_url` is the address at which the caller reached the API;
    the webhook's links start with it.

    Raises:
        InvalidCsv, UnsupportedFile, InvalidWebhookUrl: the caller must change something.
        KeyReused: the idempotency key was used with another upload.
        QuotaExceeded: the owner has MAX_OPEN_REQUESTS open, or would have more than MAX_OPEN_BYTES.
        StorageUnavailable: nothing was accepted; the same upload may be sent again.
    """
    webhook_url = check_webhook_url(services, upload.webhook_url or services.settings.webhook_url, owner=owner)
    fingerprint = _fingerprint(upload)
    if earlier := _replay(upload.idempotency_key, owner, fingerprint):
        return earlier
    require_room(services, owner, size=upload.size)
    reading, scan = inspect(services, upload)
    require_valid(scan, skip_invalid=upload.skip_invalid)
    shown = reading_json(reading, scan)
    columns = {"webhook_url": webhook_url, "fingerprint": fingerprint, "api_url": api_url, "reading": stored(shown)}
    columns["traceparent"] = tracing.traceparent()
    request_id = _reserve(services, upload, scan, owner=owner, **columns)
    bind_contextvars(request_id=request_id)
    _store(services, request_id, upload.stream)
    if earlier := _accept(services, request_id, upload, owner, fingerprint):
        return earlier
    turns.enqueue_plans([request_id])
    request = reads.get_request(request_id)
    assert request is not None, "the request was committed a moment ago"  # noqa: S101 - for the type checker
    return Accepted(request, scan, shown)


def _reserve(services: Services, upload: Upload, scan: Scan, *, owner: str, **values: Any) -> str:
    """Insert the request's row before its file is stored; return its id. The row stays hidden until it is accepted."""
    request_id = str(uuid.uuid4())
    reserved = reservations.reserve(
        max_open_bytes=services.settings.max_open_bytes,
        owner=owner,
        id=request_id,
        input_bytes=upload.size,
        filename=upload.filename,
        input_key=input_key(request_id),
        options=upload.options.as_json(),
        file_options=upload.file.as_json(),
        skip_invalid=upload.skip_invalid,
        reference=upload.reference,
        rows_total=scan.rows,
        rows_skipped=scan.skipped_rows,
        products_total=scan.products,
        images_total=scan.images,
        **values,
    )
    if not reserved:
        raise bytes_exceeded(services)
    return request_id


def _store(services: Services, request_id: str, stream: HashedSpool) -> None:
    """Store the file. If that fails, withdraw the reservation, so that it does not count against the owner's quota."""
    stream.seek(0)
    try:
        services.store.put_input(request_id, cast("BinaryIO", stream))
    except InfrastructureError:
        reservations.withdraw(request_id)
        raise


def inspect(services: Services, upload: Upload, *, count_hosts: bool = False) -> tuple[CsvReading, Scan]:
    """Read the whole file once: how it is written, and what it holds. Changes nothing.

    Unless bad rows are skipped, reading stops once there are more errors than are listed.

    Raises:
        InvalidCsv, UnsupportedFile: the file cannot be read at all.
    """
    reading = read_csv(cast("BinaryIO", upload.stream), limits=services.csv_limits, options=upload.file.read)
    return reading, scan_csv(reading, stop_at_errors=not upload.skip_invalid, count_hosts=count_hosts)


def check_webhook_url(services: Services, url: str | None, *, owner: str) -> str | None:
    """Return the URL if we may post to it and can sign the owner's webhooks.

    Raises:
        InvalidWebhookUrl: it is malformed or forbidden, or there is no secret to sign with.
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
        raise InvalidWebhookUrl(explain_failure(error.code, error.detail)) from error
    return url


def _fingerprint(upload: Upload) -> str:
    """The SHA-256 of the file and its options: the same for two uploads that ask for the same."""
    digest = upload.stream.sha256.copy()
    options: dict[str, Any] = {
        **upload.options.as_json(),
        "skip_invalid": upload.skip_invalid,
        "webhook_url": upload.webhook_url,
    }
    # Without these, the fingerprints of earlier versions stay the same.
    if upload.reference is not None:
        options["reference"] = upload.reference
    if file := upload.file.as_json():
        options["file"] = file
    digest.update(json.dumps(options, sort_keys=True).encode())
    return digest.hexdigest()


def _accept(services: Services, request_id: str, upload: Upload, owner: str, fingerprint: str) -> Accepted | None:
    """Accept the request. If a simultaneous upload with the same key was first, return it and delete our file."""
    try:
        reservations.accept(request_id, idempotency_key=upload.idempotency_key)
    except ReservationLost as error:
        raise StorageUnavailable("Storing the file took over an hour, so it was given up; upload it again.") from error
    except IntegrityError:
        reservations.withdraw(request_id)
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
        raise KeyReused("This Idempotency-Key was used before with another file or other options; use a new key.")
    return Accepted(request)
