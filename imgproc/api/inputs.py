"""What callers may send: the parts and headers of an upload, and the query of a list."""

# Field names are the names of parts and query parameters.
# ruff: noqa: N815

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import File, String
from apiflask.validators import Length, OneOf, Range, Regexp
from flask import request
from marshmallow import EXCLUDE, ValidationError, pre_load
from werkzeug.datastructures import CombinedMultiDict, FileStorage, MultiDict

from imgproc.api import missing_file
from imgproc.api.input_fields import (
    EXPLAIN,
    MAX_PAGE,
    ColumnChoice,
    Encoding,
    Format,
    Number,
    Quality,
    Side,
    WholeNumber,
    YesNo,
    without_nul,
)
from imgproc.api.option_names import require_known
from imgproc.api.schemas import QUALITY, values
from imgproc.core.errors import InvalidOption
from imgproc.db.statuses import ProductStatus, RequestStatus
from imgproc.journey.file_options import CSV, XLSX
from imgproc.pipeline.images.formats import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    DEFAULT_SCALE,
    FORMAT_OPTIONS,
    KEEP,
    LARGER_OPTIONS,
    MAX_SCALE,
    MIN_SCALE,
)

MAX_REFERENCE_CHARS = 500
MAX_SHEET_CHARS = 255


class _Given(Schema):
    """Parts of a form, or query parameters."""

    class Meta:
        """`option_names` refuses other names."""

        unknown = EXCLUDE

    def given(self) -> MultiDict[str, Any]:
        """Every name of the call with its values."""
        return request.args

    @pre_load
    def read(self, _data: Any, **_: Any) -> dict[str, Any]:
        """Leave out blank values, which HTML forms send for empty fields.

        Raises:
            InvalidOption: a name was given more than once.
        """
        found = self.given()
        given = {name: found.getlist(name) for name in self.fields if name in found}
        for name, all_values in given.items():
            if len(all_values) > 1:
                raise InvalidOption(f"Give {name} once; it was given {len(all_values)} times.", option=name)
        return {name: each for name, (each,) in given.items() if each != ""}

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> None:
        """Say what to write instead of a value that cannot be used."""
        found, messages = self.given(), error.messages_dict
        messages |= {name: [EXPLAIN[name](str(found[name]))] for name in EXPLAIN.keys() & messages.keys()}


class UploadIn(_Given):
    """The parts of an upload. Options in the query count as parts."""

    reads_query = True

    file = File(  # type: ignore[no-untyped-call]  # APIFlask leaves its constructor untyped
        required=True, metadata={"description": "The CSV."}
    )
    webhookUrl = String(metadata={"description": "The URL that is told when this request has ended."})
    reference = String(
        validate=[Length(max=MAX_REFERENCE_CHARS, error="Give at most {max} characters."), without_nul],
        metadata={"description": "Any text of yours, such as an order number; status and webhook repeat it."},
    )
    quality = Quality(
        load_default=DEFAULT_QUALITY,
        metadata=QUALITY | {"description": "Encoder quality, or `smart`: smaller files that look about as good as 50."},
    )
    scale = Number(
        load_default=DEFAULT_SCALE,
        validate=Range(min=MIN_SCALE, max=MAX_SCALE, min_inclusive=False),
        metadata={"description": "Factor on width and height."},
    )
    format = Format(
        load_default=DEFAULT_FORMAT,
        validate=OneOf(FORMAT_OPTIONS),
        metadata={"description": "Format of the outputs; `jpg` and `image/jpeg` are read as `jpeg`."},
    )
    maxWidth = Side(
        metadata={"description": "The most pixels of width, as displayed, after `scale`; nothing is enlarged."}
    )
    maxHeight = Side(metadata={"description": "The most pixels of height, likewise."})
    minSide = Side(
        metadata={
            "description": "No side is shrunk below so many pixels, whatever `scale`, `maxWidth` and `maxHeight` say."
        }
    )
    larger = String(
        load_default=KEEP,
        validate=OneOf(LARGER_OPTIONS),
        metadata={
            "description": (
                "What to do with an output larger than its source: `keep` it, or store the picture of the `source`, in "
                "its own format and size. A note of the image says so."
            )
        },
    )
    invalidRows = String(
        load_default="reject",
        validate=OneOf(["reject", "skip"]),
        metadata={"description": "`reject` the whole file, or `skip` bad rows and report them."},
    )
    columns = ColumnChoice(
        metadata={
            "contentMediaType": "application/json",
            "description": (
                "Which columns are ours, where the file does not tell: a JSON object of `serialNumber`, `productName` "
                "and `inputImageUrls`, each a heading or a list of headings."
            ),
            "example": '{"serialNumber": "Code", "productName": "Bezeichnung", "inputImageUrls": ["Bild", "Bild 2"]}',
        }
    )
    encoding = Encoding(
        metadata={"description": "The character encoding of the file, where it does not tell: such as `windows-1252`."}
    )
    sheet = String(
        validate=[Length(max=MAX_SHEET_CHARS, error="Give at most {max} characters."), without_nul],
        metadata={"description": "The name of the worksheet to read, instead of the first with our columns."},
    )
    outputFormat = String(
        load_default=CSV,
        validate=OneOf([CSV, XLSX]),
        metadata={"description": "`xlsx` stores the output as a workbook, too."},
    )
    bom = YesNo(
        metadata={
            "description": (
                "Whether the CSVs begin with a byte order mark, which tells Excel that they are UTF-8; by default, "
                "unless the input is UTF-8 without one."
            ),
        }
    )
    filename = String(
        metadata={"description": "The name of the file, instead of that of its part or of `Content-Disposition`."}
    )

    def given(self) -> MultiDict[str, Any]:
        """Every part and query parameter.

        Raises:
            Problem: there is no file, or an unknown option.
        """
        found: MultiDict[str, Any] = CombinedMultiDict([request.files, request.form, request.args])
        if not isinstance(found.get("file"), FileStorage) or not _has_name(found["file"]):
            raise missing_file.explain(request)
        require_known(found, known=list(self.fields))
        return found


def _has_name(file: FileStorage) -> bool:
    """False for the part without a filename that a form without a chosen file sends (HTML standard)."""
    return bool(file.filename) or not file.name


class UploadHeaders(Schema):
    """The headers of an upload."""

    idempotency_key = String(
        data_key="Idempotency-Key",
        validate=[Length(min=1, max=255), Regexp("^[ -~]*$", error="Use only printable ASCII characters.")],
        metadata={"description": "The same key with the same upload returns the first request."},
    )


class PageIn(_Given):
    """Which page of a list."""

    limit = WholeNumber(load_default=50, validate=Range(min=1, max=MAX_PAGE))
    cursor = String(metadata={"description": "`nextCursor` of the page before."})


class DeliveriesIn(PageIn):
    """Which deliveries a list holds. Each has all its attempts, so a page holds fewer than in other lists."""

    limit = WholeNumber(load_default=20, validate=Range(min=1, max=50))


class KeysIn(PageIn):
    """Which keys a list holds."""


class RequestsIn(PageIn):
    """Which requests a list holds."""

    status = String(validate=OneOf(values(RequestStatus)))


class RetryIn(_Given):
    """Which failed images are retried; all without either."""

    code = String(validate=Length(max=64), metadata={"description": "Only products with an image that has this error."})
    host = String(validate=Length(max=255), metadata={"description": "Only products with a failed image of this host."})


class ProductsIn(PageIn):
    """Which products a list holds."""

    status = String(validate=OneOf(values(ProductStatus)))
