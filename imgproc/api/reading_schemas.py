"""The JSON of how a file was read."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Integer, List, Nested, String


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
