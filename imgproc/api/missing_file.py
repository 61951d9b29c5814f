"""Explains why a call has no file: names what it sent instead, and the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Request
from werkzeug.datastructures import FileStorage

from imgproc.api.problems import Problem

REMEDY = (
    "Send the CSV as a multipart/form-data part named file, as curl -F file=@products.csv does, "
    "or as the body itself with Content-Type: text/csv."
)
SHOWN = 40  # characters of a caller's text in a detail
FORM = re.compile(rb"\s*--[^\r\n]{1,200}\r?\nContent-Disposition: *form-data", re.IGNORECASE)
# Types of a body that is the file itself. Browsers on Windows send application/vnd.ms-excel for .csv; clients that know
# no type send application/octet-stream or none.
BARE_TYPES = {
    "text/csv",
    "text/tab-separated-values",
    "text/plain",
    "text/x-csv",
    "text/comma-separated-values",
    "application/csv",
    "application/x-csv",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel.sheet.macroenabled.12",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/zip",
    "application/x-zip-compressed",
    "application/gzip",
    "application/x-gzip",
    "application/octet-stream",
    "binary/octet-stream",
    "",
}


def explain(call: Request) -> Problem:
    """The error of an upload without a file: 400 `missing_file`, or 415 `unsupported_file_type` for its type."""
    kind = call.mimetype
    if kind == "multipart/form-data":
        return missing(_in_form(call.files, call.form))
    if kind == "application/x-www-form-urlencoded":
        return labelled_as_form()
    if kind == "application/json" or kind.endswith("+json"):
        return missing("JSON cannot carry the file, neither as base64 nor as a URL; download or decode it first.")
    if kind in BARE_TYPES or call.content_length == 0:
        return missing("The body is empty; check the path of the file that your client sends.")
    return _unsupported(kind)


def labelled_as_form() -> Problem:
    """The error of a file whose Content-Type says that it is a URL-encoded form."""
    return missing(
        "The body is labelled as a form without files, as curl -d and --data-binary do; -d also removes the line "
        "breaks. With curl, add -H 'Content-Type: text/csv' to --data-binary @products.csv, or use -F."
    )


def missing(cause: str) -> Problem:
    """400 `missing_file`."""
    return Problem(400, "missing_file", f"{cause} {REMEDY}")


def broken_form(error: ValueError, *, boundary: str, beginning: bytes) -> Problem:
    """The error of a multipart body that cannot be parsed."""
    if not boundary:
        return missing(
            "The header Content-Type: multipart/form-data has no boundary. Do not set this header yourself: "
            "your HTTP client adds it together with the boundary."
        )
    if isinstance(error, UnicodeError):
        return missing("The boundary is not ASCII, or a filename is not UTF-8; rename the file, or update your client.")
    if not beginning:
        return missing("The multipart/form-data body is empty.")
    if f"--{boundary}".encode() not in beginning:
        return missing(
            f"The boundary that Content-Type names, {shown(boundary)}, does not occur in the body. "
            "Let your HTTP client set this header."
        )
    return missing("The multipart/form-data body is cut short: its last boundary is missing.")


def require_bare(beginning: bytes) -> None:
    """Refuse a form whose Content-Type says that it is a bare file.

    Raises:
        Problem: 400 `missing_file`.
    """
    if FORM.match(beginning):
        raise missing(
            "The body is a form, but its Content-Type does not say multipart/form-data with the boundary. Do not set "
            "this header yourself: your HTTP client adds it."
        )


def shown(text: str) -> str:
    """A caller's text in quotes, shortened, without characters that do not print."""
    printable = "".join(filter(str.isprintable, text))
    return f"'{printable[:SHOWN]}…'" if len(printable) > SHOWN else f"'{printable}'"


def _in_form(files: Mapping[str, FileStorage], fields: Mapping[str, str]) -> str:
    """What a form has instead of the file."""
    if "file" in files:
        return "The part file has no filename, as in a form where no file was chosen; choose one."
    if "file" in fields:
        at = " With curl, write @ before the path." if fields["file"].count("\n") == 0 else ""
        return f'The part file is text, because it has no filename; add filename="products.csv" to it.{at}'
    if files:
        return f"The file came in a part named {shown(str(next(iter(files))))}; name this part file."
    return "The form has no file." if fields else "The form is empty."


def _unsupported(kind: str) -> Problem:
    detail = (
        f"A body of the type {shown(kind)} cannot be read; send a CSV with Content-Type: text/csv, or as a "
        "multipart/form-data part named file."
    )
    return Problem(415, "unsupported_file_type", detail)
