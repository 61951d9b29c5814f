"""Finds objects whose request is not in the database, as after the restore of an older backup, and deletes them.

A request has its row before its first object, and loses it after its last, so no other objects are without a row.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import sqlalchemy as sa

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.journey.services import Services
from imgproc.pipeline.storage.request_folders import newest_object, request_folders


@dataclass(frozen=True)
class Orphan:
    """Objects of a bucket that belong to no request; `objects` is at most 1,000."""

    request_id: str
    bucket: str
    objects: int
    stored_at: datetime


def find(services: Services, *, older_than: timedelta) -> Iterator[Orphan]:
    """Every orphan whose newest object is older than `older_than`. Names that are no ids of ours are left alone.

    Raises:
        StorageUnavailable: the store refuses, or cannot be reached.
        sqlalchemy.exc.DBAPIError: the database cannot be reached.
    """
    latest = datetime.now(timezone.utc) - older_than
    for bucket in services.store.buckets:
        for page in request_folders(services.store, bucket):
            for request_id in _without_row([each for each in page if _is_id(each)]):
                objects, stored_at = newest_object(services.store, bucket, request_id)
                if stored_at and stored_at < latest:
                    yield Orphan(request_id, bucket, objects, stored_at)


def delete(services: Services, orphan: Orphan) -> None:
    """Delete the objects of an orphan in both buckets, with their versions, unless a request has them by now.

    Raises:
        StorageUnavailable: the store refuses, or cannot be reached.
    """
    while _without_row([orphan.request_id]) and not services.store.delete_some(orphan.request_id):
        pass


def _without_row(request_ids: list[str]) -> list[str]:
    """Those of the ids that no request has, removed requests included."""
    known = set(db.session.scalars(sa.select(ProcessingRequest.id).where(ProcessingRequest.id.in_(request_ids))))
    db.session.rollback()
    return [each for each in request_ids if each not in known]


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
