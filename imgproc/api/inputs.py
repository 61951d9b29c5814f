"""What callers may send: the parts of an upload, its headers, and the query of a list."""

# Field names are the names on the wire, so that what is read here is what is received.
# ruff: noqa: N815

from __future__ import annotations

import re
from typing import Any

from apiflask import Schema
from apiflask.fields import Field, File, Float, Integer, String
from apiflask.validators import Length, OneOf, Range, Regexp
from marshmallow import EXCLUDE, pre_load
from werkzeug.datastructures import FileStorage

from imgproc.api.schemas import FORMATS, QUALITY, values
from imgproc.core.errors import InvalidOption
from imgproc.db.models import ProductStatus, RequestStatus
from imgproc.pipeline.images.formats import SMART

PLAIN_NUMBER = re.compile(r"[0-9.eE+-]{1,40}")


class _Given(Schema):
    """What came by form or query."""

    class Meta:
        """Other names mean nothing to us."""

        unknown = EXCLUDE

    @pre_load
    def read(self, data: Any, **_: Any) -> dict[str, Any]:
        """Leave out what was left blank, as forms send it.

        Raises:
            InvalidOption: something was given twice, so that one of the two would be lost.
        """
        given = {name: data.getlist(name) for name in self.fields if name in data}
        for name, said in given.items():
            if len(said) > 1:
                raise InvalidOption(f"Give {name} once; it came {len(said)} times.", option=name)
        return {name: said[0] for name, said in given.items() if not _is_blank(said[0])}


def _is_blank(value: str | FileStorage) -> bool:
    """A form without a chosen file sends a part without a filename (HTML, "constructing the entry list")."""
    return not (value.filename if isinstance(value, FileStorage) else value)


class _PlainNumber(Field[Any]):
    """Refuses what Python alone would read as a number, such as `1_0` and digits that are not ASCII."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not PLAIN_NUMBER.fullmatch(str(value)):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **options)


class WholeNumber(_PlainNumber, Integer):
    """A whole number in ASCII digits."""


class Number(_PlainNumber, Float):
    """A finite number in ASCII digits."""


class Quality(Field[Any]):
    """A whole number from 1 to 95, or `smart`."""

    _number = WholeNumber(validate=Range(min=1, max=95))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return value if value == SMART else self._number.deserialize(value, attr, data)


class UploadIn(_Given):
    """The parts of an upload."""

    file = File(  # type: ignore[no-untyped-call]  # APIFlask leaves its constructor untyped
        required=True, metadata={"description": "The CSV."}
    )
    webhookUrl = String(metadata={"description": "Where to announce the end of this request."})
    quality = Quality(
        load_default=50,
        metadata=QUALITY | {"description": "Encoder quality, or `smart`: the fewest bytes as good as 50."},
    )
    scale = Number(
        load_default=0.5,
        validate=Range(min=0, max=1, min_inclusive=False),
        metadata={"description": "Factor on width and height."},
    )
    format = String(load_default="jpeg", validate=OneOf(FORMATS), metadata={"description": "Format of the outputs."})
    invalidRows = String(
        load_default="reject",
        validate=OneOf(["reject", "skip"]),
        metadata={"description": "`reject` the whole file, or `skip` bad rows and report them."},
    )


class UploadHeaders(Schema):
    """The headers of an upload."""

    idempotency_key = String(
        data_key="Idempotency-Key",
        validate=[Length(min=1, max=255), Regexp("^[ -~]*$", error="Only printable ASCII characters may be in it.")],
        metadata={"description": "The same key with the same upload answers the first request again."},
    )


class PageIn(_Given):
    """Which page of a list."""

    limit = WholeNumber(load_default=50, validate=Range(min=1, max=500))
    cursor = String(metadata={"description": "`nextCursor` of the page before."})


class RequestsIn(PageIn):
    """Which requests."""

    status = String(validate=OneOf(values(RequestStatus)))


class ProductsIn(PageIn):
    """Which products."""

    status = String(validate=OneOf(values(ProductStatus)))
