"""The JSON of products and their images."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Integer, List, Nested, String
from apiflask.validators import OneOf

from imgproc.api.schemas import ErrorOut, values
from imgproc.db.statuses import ImageStatus, ProductStatus


class ImageErrorOut(ErrorOut):
    """Why an image failed, and whether trying again may help."""

    retryable = Boolean()


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
