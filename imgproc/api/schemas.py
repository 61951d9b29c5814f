"""What is answered, as `docs/reference/api.md` describes it; the OpenAPI document is made from these shapes."""

# Field names are the JSON names, in camelCase, so that what is read here is what is sent.
# ruff: noqa: N815

from __future__ import annotations

from enum import Enum

from apiflask import Schema
from apiflask.fields import UUID, Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import OneOf

from imgproc.db.models import DeliveryStatus, ImageStatus, ProductStatus, RequestStatus

FORMATS = ["jpeg", "webp", "avif", "png", "keep"]
QUALITY = {"oneOf": [{"type": "integer", "minimum": 1, "maximum": 95}, {"type": "string", "enum": ["smart"]}]}


def values(enum: type[Enum]) -> list[str]:
    """The wire names of a status."""
    return [member.value for member in enum]


def _moment(*, allow_none: bool = False) -> String:
    """A time as the views write it, so that it reads the same wherever it is shown."""
    return String(allow_none=allow_none, metadata={"format": "date-time"})


class RowErrorOut(Schema):
    """One fault of the file."""

    line = Integer(metadata={"description": "1-based line of the file, as an editor shows it."})
    column = String(allow_none=True)
    code = String()
    detail = String()


class UploadCounts(Schema):
    """What an upload holds."""

    rows = Integer()
    products = Integer()
    images = Integer()
    skippedRows = Integer()


class UploadOut(Schema):
    """The 202 of an upload."""

    requestId = UUID()
    status = String(validate=OneOf(["pending"]))
    statusUrl = String()
    createdAt = _moment()
    counts = Nested(UploadCounts)
    errors = List(Nested(RowErrorOut), metadata={"description": "The rows skipped, with `invalidRows=skip`."})
    errorsTruncated = Boolean()


class ValidateOut(Schema):
    """How a file was read, and all that is wrong with it."""

    valid = Boolean()
    filename = String()
    encoding = String(allow_none=True)
    delimiter = String(allow_none=True)
    header = List(String())
    columns = Dict(keys=String(), values=String(), metadata={"description": "The header found for each column."})
    counts = Nested(UploadCounts)
    errors = List(Nested(RowErrorOut))
    errorsTruncated = Boolean()


class Counts(Schema):
    """How many there are and how many have ended, well or not."""

    total = Integer()
    completed = Integer()
    failed = Integer()


class Progress(Schema):
    """How far a request is."""

    percent = Integer()
    etaSeconds = Integer(allow_none=True)
    products = Nested(Counts)
    images = Nested(Counts)


class Bytes(Schema):
    """Bytes of the originals and of their renditions."""

    source = Integer()
    output = Integer()
    savedPercent = Float(allow_none=True)


class Options(Schema):
    """How the images are compressed."""

    quality: Field[int | str] = Field(metadata=QUALITY)
    scale = Float()
    format = String(validate=OneOf(FORMATS))


class WebhookState(Schema):
    """How far the announcement is."""

    url = String()
    status = String(validate=OneOf(values(DeliveryStatus)))
    attempts = Integer()
    lastResponseStatus = Integer(allow_none=True)
    nextAttemptAt = _moment(allow_none=True)


class ErrorOut(Schema):
    """Why something failed."""

    code = String()
    detail = String()


class ImageErrorOut(ErrorOut):
    """Why an image failed, and whether trying again may help."""

    retryable = Boolean()


class RequestSummary(Schema):
    """One request in a list."""

    requestId = UUID()
    status = String(validate=OneOf(values(RequestStatus)))
    createdAt = _moment()
    startedAt = _moment(allow_none=True)
    finishedAt = _moment(allow_none=True)
    filename = String()
    options = Nested(Options)
    progress = Nested(Progress)
    bytes = Nested(Bytes)
    outputCsvUrl = String(allow_none=True)
    failedCsvUrl = String(allow_none=True)
    error = Nested(ErrorOut, allow_none=True)


class Links(Schema):
    """Where to go from here."""

    self = String()
    products = String()
    outputCsv = String()
    deliveries = String()
    cancel = String()
    retry = String()


class StatusOut(RequestSummary):
    """How far a request is."""

    webhook = Nested(WebhookState, allow_none=True)
    links = Nested(Links)


class RequestsOut(Schema):
    """A page of requests, newest first."""

    items = List(Nested(RequestSummary))
    nextCursor = String(allow_none=True)


class Picture(Schema):
    """The facts of one encoded image."""

    bytes = Integer()
    width = Integer()
    height = Integer()
    format = String()


class OutputPicture(Picture):
    """The facts of a rendition."""

    kept = Boolean(metadata={"description": "The source's own pixels, as `quality=smart` found nothing smaller."})


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
    durationMs = Integer(allow_none=True)


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


class AttemptOut(Schema):
    """One POST to the webhook."""

    number = Integer()
    attemptedAt = _moment()
    responseStatus = Integer(allow_none=True)
    error = Nested(ErrorOut, allow_none=True)
    durationMs = Integer(allow_none=True)


class DeliveryOut(Schema):
    """One announcement."""

    id = UUID(metadata={"description": "The `webhook-id` of every attempt."})
    url = String()
    type = String()
    status = String(validate=OneOf(values(DeliveryStatus)))
    createdAt = _moment()
    nextAttemptAt = _moment(allow_none=True)
    lastResponseStatus = Integer(allow_none=True)
    attempts = List(Nested(AttemptOut))


class DeliveriesOut(Schema):
    """Every announcement of a request, newest first."""

    items = List(Nested(DeliveryOut))


class AcceptedOut(Schema):
    """The 202 of an action."""

    requestId = UUID()
    status = String(validate=OneOf(values(RequestStatus)))
    statusUrl = String()
