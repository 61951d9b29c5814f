"""What callers may send: the parts and headers of an upload, and the query of a list."""

# Field names are the names of parts and query parameters.
# ruff: noqa: N815

from __future__ import annotations

import re
from typing import Any

from apiflask import Schema
from apiflask.fields import Field, File, Float, Integer, String
from apiflask.validators import Length, OneOf, Range, Regexp
from marshmallow import EXCLUDE, ValidationError, pre_load
from werkzeug.datastructures import FileStorage

from imgproc.api.schemas import QUALITY, values
from imgproc.core.errors import InvalidOption
from imgproc.db.statuses import ProductStatus, RequestStatus
from imgproc.pipeline.images.formats import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    DEFAULT_SCALE,
    FORMAT_OPTIONS,
    MAX_QUALITY,
    MAX_SCALE,
    MIN_QUALITY,
    MIN_SCALE,
    SMART,
)

MAX_REFERENCE_CHARS = 500
PLAIN_NUMBER = re.compile(r"[0-9.eE+-]{1,40}")


class _Given(Schema):
    """Parts of a form, or query parameters."""

    class Meta:
        """Ignore other names."""

        unknown = EXCLUDE

    @pre_load
    def read(self, data: Any, **_: Any) -> dict[str, Any]:
        """Leave out blank values, which HTML forms send for empty fields.

        Raises:
            InvalidOption: a name was given more than once.
        """
        given = {name: data.getlist(name) for name in self.fields if name in data}
        for name, found in given.items():
            if len(found) > 1:
                raise InvalidOption(f"Give {name} once; it was given {len(found)} times.", option=name)
        return {name: found[0] for name, found in given.items() if not _is_blank(found[0])}


def _is_blank(value: str | FileStorage) -> bool:
    """True for an empty value. A form without a chosen file sends a part without a filename (HTML standard)."""
    return not (value.filename if isinstance(value, FileStorage) else value)


class _PlainNumber(Field[Any]):
    """Refuses numbers that only Python would read, such as `1_0` and digits that are not ASCII."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not PLAIN_NUMBER.fullmatch(str(value)):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **options)


class WholeNumber(_PlainNumber, Integer):
    """A whole number in ASCII digits."""


class Number(_PlainNumber, Float):
    """A finite number in ASCII digits."""


class Quality(Field[Any]):
    """A whole number within the bounds of quality, or `smart`."""

    _number = WholeNumber(validate=Range(min=MIN_QUALITY, max=MAX_QUALITY))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return value if value == SMART else self._number.deserialize(value, attr, data)


def _without_nul(value: str) -> None:
    """Refuse NUL, which PostgreSQL cannot store."""
    if "\0" in value:
        raise ValidationError("Leave out the NUL character.")


class UploadIn(_Given):
    """The parts of an upload."""

    file = File(  # type: ignore[no-untyped-call]  # APIFlask leaves its constructor untyped
        required=True, metadata={"description": "The CSV."}
    )
    webhookUrl = String(metadata={"description": "The URL that is told when this request has ended."})
    reference = String(
        validate=[Length(max=MAX_REFERENCE_CHARS), _without_nul],
        metadata={"description": "Any text of yours, such as an order number; status and webhook repeat it."},
    )
    quality = Quality(
        load_default=DEFAULT_QUALITY,
        metadata=QUALITY | {"description": "Encoder quality, or `smart`: the smallest file that looks as good as 50."},
    )
    scale = Number(
        load_default=DEFAULT_SCALE,
        validate=Range(min=MIN_SCALE, max=MAX_SCALE, min_inclusive=False),
        metadata={"description": "Factor on width and height."},
    )
    format = String(
        load_default=DEFAULT_FORMAT,
        validate=OneOf(FORMAT_OPTIONS),
        metadata={"description": "Format of the outputs."},
    )
    invalidRows = String(
        load_default="reject",
        validate=OneOf(["reject", "skip"]),
        metadata={"description": "`reject` the whole file, or `skip` bad rows and report them."},
    )


class UploadHeaders(Schema):
    """The headers of an upload."""

    idempotency_key = String(
        data_key="Idempotency-Key",
        validate=[Length(min=1, max=255), Regexp("^[ -~]*$", error="Use only printable ASCII characters.")],
        metadata={"description": "The same key with the same upload returns the first request."},
    )


class PageIn(_Given):
    """Which page of a list."""

    limit = WholeNumber(load_default=50, validate=Range(min=1, max=500))
    cursor = String(metadata={"description": "`nextCursor` of the page before."})


class DeliveriesIn(PageIn):
    """Which deliveries a list holds. Each has its attempts in full, so a page has fewer than of other lists."""

    limit = WholeNumber(load_default=20, validate=Range(min=1, max=50))


class RequestsIn(PageIn):
    """Which requests a list holds."""

    status = String(validate=OneOf(values(RequestStatus)))


class ProductsIn(PageIn):
    """Which products a list holds."""

    status = String(validate=OneOf(values(ProductStatus)))
