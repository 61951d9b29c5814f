"""The JSON of requests. The OpenAPI document is generated from these schemas and those of their parts."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from enum import Enum

from apiflask import Schema
from apiflask.fields import UUID, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf, Range

from imgproc.api.reading_schemas import Reading
from imgproc.db.statuses import AT_LIMIT, DeliveryStatus, RequestStatus
from imgproc.pipeline.http.host_gate import Trouble
from imgproc.pipeline.images.formats import FORMAT_OPTIONS, LARGER_OPTIONS, MAX_QUALITY, MAX_SIZE, MIN_QUALITY, SMART

QUALITY = {
    "oneOf": [
        {"type": "integer", "minimum": MIN_QUALITY, "maximum": MAX_QUALITY},
        {"type": "string", "enum": [SMART]},
    ]
}


def values(enum: type[Enum]) -> list[str]:
    """The values of a status as the API shows them."""
    return [member.value for member in enum]


def moment(*, allow_none: bool = False) -> String:
    """A field with a time that the view has formatted."""
    return String(allow_none=allow_none, metadata={"format": "date-time"})


class Counts(Schema):
    """How many there are, and how many completed or failed."""

    total = Integer()
    completed = Integer()
    failed = Integer()


class Progress(Schema):
    """How far a request is: images made, and the estimated seconds left."""

    percent = Integer(metadata={"description": "Of the images, those that completed or failed; 100 only at the end."})
    etaSeconds = Integer(allow_none=True)
    products = Nested(Counts)
    images = Nested(Counts)


class Bytes(Schema):
    """Bytes of the originals and of their renditions."""

    source = Integer()
    output = Integer()
    savedPercent = Float(allow_none=True)


class Options(Schema):
    """How the images are compressed. The last four are there only where the upload gave them."""

    quality: Field[int | str] = Field(metadata=QUALITY)
    scale = Float()
    format = String(validate=OneOf(FORMAT_OPTIONS))
    larger = String(validate=OneOf(LARGER_OPTIONS))
    maxWidth = Integer(validate=Range(min=1, max=MAX_SIZE))
    maxHeight = Integer(validate=Range(min=1, max=MAX_SIZE))
    minSide = Integer(validate=Range(min=1, max=MAX_SIZE))


class WebhookState(Schema):
    """How far the webhook's delivery is."""

    url = String()
    status = String(validate=OneOf(values(DeliveryStatus)))
    attempts = Integer()
    lastResponseStatus = Integer(allow_none=True)
    nextAttemptAt = moment(allow_none=True)


class WaitingOut(Schema):
    """Products that wait for a host."""

    host = String(metadata={"description": "`name:port`."})
    products = Integer()
    until = moment()
    reason = String(
        validate=OneOf([AT_LIMIT, *values(Trouble)]),
        metadata={
            "description": (
                "`limit`: the host is at its limit, or paused; `busy`: it asks for fewer requests; `away`: it cannot "
                "be reached; `slow`: it accepts requests and does not answer."
            )
        },
    )


class ErrorOut(Schema):
    """Why something failed."""

    code = String()
    detail = String()


class RequestSummary(Schema):
    """One request in a list."""

    requestId = UUID()
    status = String(validate=OneOf(values(RequestStatus)))
    createdAt = moment()
    startedAt = moment(allow_none=True)
    finishedAt = moment(allow_none=True)
    filename = String()
    reference = String(allow_none=True, metadata={"description": "As the upload gave it."})
    options = Nested(Options)
    progress = Nested(Progress)
    bytes = Nested(Bytes)
    outputCsvUrl = String(allow_none=True)
    failedCsvUrl = String(allow_none=True)
    outputXlsxUrl = String(allow_none=True, metadata={"description": "With `outputFormat=xlsx`."})
    error = Nested(ErrorOut, allow_none=True)


class Links(Schema):
    """The URLs of a request and of its parts."""

    self = String()
    products = String()
    outputCsv = String()
    outputXlsx = String(metadata={"description": "With `outputFormat=xlsx`."})
    deliveries = String()
    cancel = String()
    retry = String()


class StatusOut(RequestSummary):
    """The status of a request."""

    reading = Nested(
        Reading, allow_none=True, metadata={"description": "As the upload answered it; shortened where it is long."}
    )
    waiting = List(
        Nested(WaitingOut),
        metadata={"description": "Hosts that products wait for, and when the first of these is tried again."},
    )
    webhook = Nested(WebhookState, allow_none=True)
    links = Nested(Links)


class RequestsOut(Schema):
    """A page of requests, newest first."""

    items = List(Nested(RequestSummary))
    nextCursor = String(allow_none=True)


class AcceptedOut(Schema):
    """The response to an accepted action."""

    requestId = UUID()
    status = String(validate=OneOf(values(RequestStatus)))
    statusUrl = String()
