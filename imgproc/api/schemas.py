"""The JSON of requests and products. The OpenAPI document is generated from these schemas."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from enum import Enum

from apiflask import Schema
from apiflask.fields import UUID, Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf, Range

from imgproc.db.statuses import AT_LIMIT, DeliveryStatus, ImageStatus, ProductStatus, RequestStatus
from imgproc.journey.stage_times import STAGES
from imgproc.pipeline.http.host_gate import Trouble
from imgproc.pipeline.images.formats import FORMAT_OPTIONS, LARGER_OPTIONS, MAX_QUALITY, MAX_SIZE, MIN_QUALITY, SMART

QUALITY = {
    "oneOf": [
        {"type": "integer", "minimum": MIN_QUALITY, "maximum": MAX_QUALITY},
        {"type": "string", "enum": [SMART]},
    ]
}

STAGE_NAMES = {stage: "firstByte" if stage == "first_byte" else stage for stage in STAGES}  # as the API writes them


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


class ImageErrorOut(ErrorOut):
    """Why an image failed, and whether trying again may help."""

    retryable = Boolean()


class ReadingColumns(Schema):
    """The headings of our columns."""

    serialNumber = String()
    productName = String()
    inputImageUrls = List(String(), metadata={"description": "In order: the columns together are one list."})


class NoteOut(Schema):
    """Something that the reader decided where the file left a choice."""

    code = String()
    line = Integer(allow_none=True, metadata={"description": "The first line it concerns; null for the whole file."})
    detail = String()


class ReadRow(Schema):
    """One row as it was read."""

    line = Integer()
    serialNumber = String()
    productName = String()
    urls = List(String())


class Reading(Schema):
    """How a file was read, so that a person can confirm it at a glance."""

    kind = String(metadata={"description": "Such as `csv` or `xlsx`, by the content of the file."})
    sheet = String(allow_none=True, metadata={"description": "The worksheet of a workbook."})
    encoding = String(allow_none=True)
    delimiter = String(allow_none=True)
    headerLine = Integer()
    columns = Nested(ReadingColumns)
    unused = List(String(), metadata={"description": "The headings of the columns that are only passed on."})
    notes = List(Nested(NoteOut))
    rows = List(Nested(ReadRow), metadata={"description": "The first 20 rows, or fewer where they are long."})


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


class Picture(Schema):
    """The size and format of one encoded image."""

    bytes = Integer()
    width = Integer()
    height = Integer()
    format = String()


class OutputPicture(Picture):
    """The size and format of a rendition."""

    kept = Boolean(
        metadata={
            "description": (
                "The pixels are the source's: `quality=smart` found nothing smaller, or `larger=source` chose them."
            )
        }
    )


class ImageNoteOut(Schema):
    """Something to know of an image that succeeded."""

    code = String()
    detail = String()


class ImageOut(Schema):
    """One image of a product."""

    position = Integer()
    sourceUrl = String()
    outputUrl = String(allow_none=True)
    originalUrl = String(allow_none=True)
    status = String(validate=OneOf(values(ImageStatus)))
    error = Nested(ImageErrorOut, allow_none=True)
    source = Nested(Picture, allow_none=True)
    output = Nested(OutputPicture, allow_none=True)
    notes = List(
        Nested(ImageNoteOut),
        metadata={
            "description": (
                "What the output does not show as the source has it, or which option did not apply; not there where"
                " there is nothing to note."
            )
        },
    )
    likeness = Float(
        metadata={
            "description": (
                "How much the output looks like the source at its size: 1 is the same. Not there where nothing has"
                " measured it, which only `quality=smart` does."
            )
        }
    )
    durationMs = Integer(allow_none=True)
    stagesMs = Dict(
        String(),
        Integer(),
        metadata={
            "description": (
                "The milliseconds of the stages of its last attempt, in order: "
                + ", ".join(f"`{name}`" for name in STAGE_NAMES)
                + ". A stage that did not take place is not there."
            )
        },
    )


class ProductOut(Schema):
    """One row of the CSV."""

    line = Integer()
    serialNumber = String()
    productName = String()
    status = String(validate=OneOf(values(ProductStatus)))
    error = Nested(ErrorOut, allow_none=True, metadata={"description": "Why the row was skipped."})
    images = List(Nested(ImageOut))


class ProductsOut(Schema):
    """A page of products, in row order."""

    items = List(Nested(ProductOut))
    nextCursor = String(allow_none=True)


class AcceptedOut(Schema):
    """The response to an accepted action."""

    requestId = UUID()
    status = String(validate=OneOf(values(RequestStatus)))
    statusUrl = String()
