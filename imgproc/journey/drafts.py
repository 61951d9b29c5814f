"""Drafts: files that a person has chosen in the console, and has not started yet.

A draft is a reservation with its file, so it expires after an hour and the sweeper deletes what was stored for it. Its
`reading` is what the console shows: how the file is read, with all its headings, rows and errors.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, BinaryIO, cast

import sqlalchemy as sa

from imgproc.core.errors import InfrastructureError, QuotaExceeded
from imgproc.core.spool import HashedSpool
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import reservations
from imgproc.journey.accept import Upload
from imgproc.journey.file_options import FileOptions
from imgproc.journey.quotas import require_room
from imgproc.journey.services import Services
from imgproc.pipeline.storage.object_keys import input_key

FINGERPRINT = "draft"  # no SHA-256, so no upload has it
MAX_SHOWN_BYTES = 512 * 1024  # of the JSON of a reading
PIECE = 64 * 1024  # bytes copied at a time


def keep(services: Services, upload: Upload, shown: dict[str, Any], *, owner: str) -> str:
    """Store the file of a draft, and return the id of the draft. `shown` is how the file is read.

    Raises:
        QuotaExceeded: the owner has too many open requests or bytes.
        StorageUnavailable: nothing was kept.
    """
    require_room(services, owner, size=upload.size)
    draft_id = str(uuid.uuid4())
    reserved = reservations.reserve(
        max_open_bytes=services.settings.max_open_bytes,
        owner=owner,
        id=draft_id,
        fingerprint=FINGERPRINT,
        input_bytes=upload.size,
        filename=upload.filename,
        input_key=input_key(draft_id),
        options={},
        file_options=upload.file.as_json(),
        reading=_shortened(shown),
    )
    if not reserved:
        raise QuotaExceeded("Too many bytes of files are under way; wait until some requests have ended.")
    upload.stream.seek(0)
    try:
        services.store.put_input(draft_id, cast("BinaryIO", upload.stream))
    except InfrastructureError:
        reservations.withdraw(draft_id)
        raise
    return draft_id


def find(draft_id: str, *, owner: str) -> ProcessingRequest | None:
    """The owner's draft with that id; None if there is none, or it has expired."""
    try:
        known_id = str(uuid.UUID(draft_id))
    except ValueError:
        return None
    return reservations.find(known_id, owner=owner, fingerprint=FINGERPRINT)


def change(draft_id: str, file: FileOptions, shown: dict[str, Any]) -> bool:
    """Keep another way to read the file. Returns False if the draft has expired."""
    return reservations.change(draft_id, file_options=file.as_json(), reading=_shortened(shown))


@contextmanager
def open_file(services: Services, draft: ProcessingRequest) -> Iterator[HashedSpool]:
    """The stored file on local disk, for the block.

    Raises:
        ImgprocError: `input_missing`: the file is gone.
        StorageUnavailable: the object store is away.
    """
    with closing(HashedSpool(tempfile.TemporaryFile())) as local:
        with closing(services.store.open_input(draft.input_key)) as stored:
            shutil.copyfileobj(stored, cast("BinaryIO", local), PIECE)
        local.seek(0)
        yield local


def idempotency_key(draft_id: str) -> str:
    """The idempotency key of the request that a draft becomes, so that two clicks start it once."""
    return f"console-draft-{draft_id}"


def started(draft_id: str, *, owner: str) -> str | None:
    """The id of the request that the draft has become, if any."""
    statement = sa.select(ProcessingRequest.id).where(
        ProcessingRequest.owner == owner, ProcessingRequest.idempotency_key == idempotency_key(draft_id)
    )
    db.session.rollback()  # on SQLite the session would see the past
    return db.session.execute(statement).scalar_one_or_none()


def _shortened(shown: dict[str, Any]) -> dict[str, Any]:
    """The reading, with fewer headings and rows where it is large, and without NUL, which PostgreSQL cannot keep."""
    shown = json.loads(json.dumps(shown).replace("\\u0000", "\\ufffd"))
    rows = (shown.get("reading") or {}).get("rows", [])
    while len(json.dumps(shown)) > MAX_SHOWN_BYTES and (rows or shown["header"]):
        if rows:
            rows.pop()
        else:
            shown["header"] = shown["header"][: len(shown["header"]) // 2]
    return shown
