"""The JSON of products and their images."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import OneOf

from imgproc.api.schemas import ErrorOut, values
from imgproc.db.statuses import ImageStatus, ProductStatus
from imgproc.journey.stage_times import STAGES

STAGE_NAMES = {stage: "firstByte" if stage == "first_byte" else stage for stage in STAGES}  # as the API writes them


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
