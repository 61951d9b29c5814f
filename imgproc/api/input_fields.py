"""The types of the inputs: how the text of an option becomes its value, and the error of a wrong one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from apiflask.fields import Boolean, Field, Float, Integer, String
from apiflask.validators import Range
from marshmallow import ValidationError

from imgproc.api import file_values, missing_file, option_values
from imgproc.pipeline.images.formats import (
    MAX_QUALITY,
    MAX_SIZE,
    MIN_QUALITY,
    SMART,
)

PLAIN_NUMBER = re.compile(r"[0-9.eE+-]{1,40}")
MAX_PAGE = 500


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


class Side(WholeNumber):
    """A number of pixels."""

    def __init__(self, *, metadata: dict[str, Any]) -> None:
        super().__init__(validate=Range(min=1, max=MAX_SIZE), metadata=metadata)


class Quality(Field[Any]):
    """A whole number within the bounds of quality, or `smart`."""

    _number = WholeNumber(validate=Range(min=MIN_QUALITY, max=MAX_QUALITY))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return value if value == SMART else self._number.deserialize(value, attr, data)


def without_nul(value: str) -> None:
    """Refuse NUL, which PostgreSQL cannot store."""
    if "\0" in value:
        raise ValidationError("Leave out the NUL character.")


class Format(String):
    """An output format, by its name, an extension or a media type."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        return option_values.format_name(super()._deserialize(value, attr, data, **options))


class ColumnChoice(String):
    """A JSON object: our names of columns, each with a heading of the file."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        try:
            return file_values.columns_of(super()._deserialize(value, attr, data, **options))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Encoding(String):
    """A character encoding, by any of its names."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        codec = file_values.codec_of(super()._deserialize(value, attr, data, **options))
        if codec is None:
            raise self.make_error("invalid")
        return codec


class YesNo(Boolean):
    """`true` or `false`, in any case."""

    truthy, falsy = {"true"}, {"false"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        return super()._deserialize(str(value).lower(), attr, data, **options)


EXPLAIN: dict[str, Callable[[str], str]] = {
    "quality": option_values.explain_quality,
    "scale": option_values.explain_scale,
    "format": option_values.explain_format,
    "maxWidth": option_values.explain_side,
    "maxHeight": option_values.explain_side,
    "minSide": option_values.explain_side,
    "larger": option_values.explain_larger,
    "invalidRows": option_values.explain_invalid_rows,
    "encoding": file_values.explain_encoding,
    "outputFormat": file_values.explain_output_format,
    "bom": file_values.explain_bom,
    "limit": lambda value: f"Give a whole number from 1 to {MAX_PAGE}, not {missing_file.shown(value)}.",
}
