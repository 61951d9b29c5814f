"""The JSON that answers an upload or a validation."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import UUID, Boolean, Dict, Integer, List, Nested, String
from apiflask.validators import OneOf

from imgproc.api.reading_schemas import Reading
from imgproc.api.schemas import moment


class RowErrorOut(Schema):
    """One error of the file."""

    line = Integer(metadata={"description": "1-based line of the file, as an editor shows it."})
    column = String(allow_none=True)
    code = String()
    detail = String()


class UploadCounts(Schema):
    """What the file of an upload holds."""

    rows = Integer()
    products = Integer()
    images = Integer()
    skippedRows = Integer()


class UploadOut(Schema):
    """The response to an accepted upload."""

    requestId = UUID()
    status = String(validate=OneOf(["pending"]))
    statusUrl = String()
    createdAt = moment()
    counts = Nested(UploadCounts)
    reading = Nested(Reading)
    errors = List(Nested(RowErrorOut), metadata={"description": "The skipped rows, with `invalidRows=skip`."})
    errorsTruncated = Boolean()


class ValidateOut(Schema):
    """How a file was read, and its errors."""

    valid = Boolean()
    filename = String()
    encoding = String(allow_none=True)
    delimiter = String(allow_none=True)
    header = List(String())
    columns = Dict(keys=String(), values=String(), metadata={"description": "The header of each column we read."})
    reading = Nested(Reading, allow_none=True, metadata={"description": "Null where the file cannot be read at all."})
    counts = Nested(UploadCounts)
    errors = List(Nested(RowErrorOut))
    errorsTruncated = Boolean()
