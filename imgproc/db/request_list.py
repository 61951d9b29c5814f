"""The list of an owner's requests, newest first: filtered by status and by a part of the file's name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import RequestStatus

Place = tuple[datetime, str]  # when a request was created, and its id


@dataclass(frozen=True)
class Wanted:
    """Which requests are listed. `text` is part of their filename or reference, in any case."""

    owner: str
    statuses: tuple[RequestStatus, ...] = ()
    text: str = ""


def page(wanted: Wanted, *, limit: int, before: Place | None = None) -> tuple[list[ProcessingRequest], bool]:
    """Up to `limit` requests created before the place, newest first, and whether there are more."""
    created_at, request_id = ProcessingRequest.created_at, ProcessingRequest.id
    statement = sa.select(ProcessingRequest).where(
        ProcessingRequest.owner == wanted.owner, ProcessingRequest.removed_at.is_(None)
    )
    if wanted.statuses:
        statement = statement.where(ProcessingRequest.status.in_(wanted.statuses))
    if wanted.text:
        names = ProcessingRequest.filename, ProcessingRequest.reference
        statement = statement.where(sa.or_(*(name.icontains(wanted.text, autoescape=True) for name in names)))
    if before:
        place = sa.tuple_(sa.literal(before[0], created_at.type), sa.literal(before[1], request_id.type))
        statement = statement.where(sa.tuple_(created_at, request_id) < place)
    statement = statement.order_by(created_at.desc(), request_id.desc()).limit(limit + 1)
    found = list(db.session.execute(statement).scalars())
    return found[:limit], len(found) > limit


@dataclass(frozen=True)
class Pace:
    """The averages for one image: seconds that its request took, and bytes saved."""

    seconds: float
    saved_bytes: float


def pace(owner: str) -> Pace | None:
    """The pace of the owner's last five requests that ended with images; None without any."""
    statement = (
        sa.select(ProcessingRequest)
        .where(ProcessingRequest.owner == owner, ProcessingRequest.removed_at.is_(None))
        .where(ProcessingRequest.status.in_([RequestStatus.COMPLETED, RequestStatus.COMPLETED_WITH_ERRORS]))
        .where(ProcessingRequest.finalize_epoch == 1)  # one that was retried took its pauses, too
        .order_by(ProcessingRequest.created_at.desc())
        .limit(5)
    )
    found = list(db.session.execute(statement).scalars())
    images = sum(each.images_completed for each in found)
    if not images:
        return None
    seconds = sum(_seconds(each) for each in found)
    return Pace(seconds / images, sum(max(0, each.source_bytes - each.output_bytes) for each in found) / images)


def _seconds(request: ProcessingRequest) -> float:
    """How long a request took."""
    if request.started_at is None or request.finished_at is None:
        return 0.0
    return (request.finished_at - request.started_at).total_seconds()
