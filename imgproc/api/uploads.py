"""Uploading a CSV, and validating one."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from apiflask import APIBlueprint
from flask import Flask, Response, current_app, jsonify
from flask import request as call
from werkzeug.datastructures import FileStorage
from werkzeug.http import parse_options_header

from imgproc.api import auth
from imgproc.api.charsets import encoding_by_charset
from imgproc.api.inputs import UploadHeaders, UploadIn
from imgproc.api.pings import most_pings
from imgproc.api.problems import Problem
from imgproc.api.slots import Slots
from imgproc.api.upload_schemas import UploadOut, ValidateOut
from imgproc.api.views import api_url, status_url
from imgproc.core.config import Settings
from imgproc.core.errors import InvalidCsv, InvalidWebhookUrl
from imgproc.core.spool import HashedSpool
from imgproc.db.models import ProcessingRequest
from imgproc.journey import accept
from imgproc.journey.accept import Accepted, Upload
from imgproc.journey.file_options import FileOptions
from imgproc.journey.reading import reading_json
from imgproc.journey.services import services
from imgproc.journey.summary import rfc3339
from imgproc.pipeline.images.options import GIVEN, CompressOptions
from imgproc.pipeline.table.read import ReadOptions, Scan, require_valid

blueprint = APIBlueprint("uploads", __name__, url_prefix="/api", tag="Uploads")

IMAGE_OPTIONS = ("quality", "scale", "format", *GIVEN)
MAX_FILENAME_CHARS = 255
SMALL_FILE = 1024 * 1024  # bytes; such a file is read at once and needs no slot
FREE_THREADS = 1  # threads that neither read a large file, nor wait for a slot, nor send a ping
PATIENCE = 10.0  # seconds a large file waits to be read
WITHOUT_SCHEME = re.compile(r"(//)?([\w-]+\.)+[\w-]+(:\d+)?(/|$)|localhost\b")  # a host name and no scheme


def init_app(app: Flask, settings: Settings) -> None:
    """Limit how many large files the process reads at a time, so that some of its threads stay free."""
    threads = max(1, settings.web_threads - FREE_THREADS - most_pings(settings))
    scans = min(settings.max_scans, threads)
    app.extensions["scan_slots"] = Slots(scans, waiting=threads - scans, patience=PATIENCE)


@blueprint.post("/upload")
@blueprint.input(UploadIn, location="form_and_files", arg_name="form")
@blueprint.input(UploadHeaders, location="headers", arg_name="headers")
@blueprint.output(UploadOut, status_code=202, description="Accepted; poll `statusUrl`.")
@blueprint.doc(summary="Upload a CSV")
def upload_file(form: dict[str, Any], headers: dict[str, Any]) -> Response:
    """Store the file and process it in the background."""
    upload = upload_of(form, idempotency_key=headers.get("idempotency_key"))
    with slot(upload):
        accepted = accept.accept(services(), upload, owner=auth.owner(), api_url=api_url())
    response = jsonify(_answer(accepted))
    response.status_code = 202
    response.location = status_url(accepted.request.id)
    if accepted.scan is None:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@blueprint.post("/validate")
@blueprint.input(UploadIn, location="form_and_files", arg_name="form")
@blueprint.output(ValidateOut)
@blueprint.doc(summary="Check a CSV")
def validate_file(form: dict[str, Any]) -> dict[str, Any]:
    """Say how a file would be read, and list its errors. Changes nothing."""
    upload = upload_of(form)
    accept.check_webhook_url(services(), upload.webhook_url, owner=auth.owner())
    return describe(upload)


def describe(upload: Upload, *, most_hosts: int = 0) -> dict[str, Any]:
    """The JSON of how a file is read, with its errors, and with up to `most_hosts` hosts of its images.

    Raises:
        UnsupportedFile: the file is no table.
    """
    try:
        with slot(upload):
            reading, scan = accept.inspect(services(), upload, count_hosts=most_hosts > 0)
    except InvalidCsv as error:
        return {
            "valid": False,
            "filename": upload.filename,
            "encoding": None,
            "delimiter": None,
            "header": list(error.header),
            "columns": {},
            "reading": None,
            "counts": _counts(0, 0, 0, 0),
            "errors": [fault.as_dict() for fault in error.errors],
            "errorsTruncated": error.truncated,
        }
    return {
        "valid": _is_valid(scan, skip_invalid=upload.skip_invalid),
        "filename": upload.filename,
        "encoding": reading.encoding,
        "delimiter": reading.delimiter,
        "header": list(reading.header),
        "columns": {name: ", ".join(headings) for name, headings in reading.columns.items()},
        "reading": reading_json(reading, scan),
        "counts": _counts(scan.rows, scan.products, scan.images, scan.skipped_rows),
        "errors": [fault.as_dict() for fault in scan.errors],
        "errorsTruncated": scan.errors_truncated,
        **({"hosts": [*scan.hosts[:most_hosts]], "hostsTotal": len(scan.hosts)} if most_hosts else {}),
    }


def upload_of(form: dict[str, Any], *, idempotency_key: str | None = None) -> Upload:
    """The upload that the loaded parts of a form ask for.

    Raises:
        Problem: 413 `file_too_large`.
        InvalidWebhookUrl: the URL of the webhook has no scheme.
    """
    file: FileStorage = form["file"]
    filename = filename_of(file, form.get("filename"))
    limit = services().settings.max_upload_bytes
    size = file.stream.seek(0, 2)
    if size > limit:
        raise Problem(413, "file_too_large", f"The file is larger than {limit:,} bytes; split it.")
    return Upload(
        size=size,
        stream=cast("HashedSpool", file.stream),  # by `bodies.BoundedRequest`
        filename=filename,
        options=CompressOptions.from_json({name: form[name] for name in IMAGE_OPTIONS if name in form}),
        file=FileOptions(
            ReadOptions(form.get("encoding") or _declared(file, size), form.get("sheet"), form.get("columns")),
            output_format=form["outputFormat"],
            bom=form.get("bom"),
        ),
        skip_invalid=form["invalidRows"] == "skip",
        reference=form.get("reference"),
        webhook_url=_webhook_url(form.get("webhookUrl")),
        idempotency_key=idempotency_key,
    )


def _declared(file: FileStorage, size: int) -> str | None:
    """The encoding that the Content-Type of the file names, if it is needed."""
    charset = file.mimetype_params.get("charset") or call.mimetype_params.get("charset")
    return encoding_by_charset(cast("BinaryIO", file.stream), charset=charset, size=size)


def slot(upload: Upload) -> AbstractContextManager[None]:
    """A slot to read the file with; small files need none."""
    slots: Slots = current_app.extensions["scan_slots"]
    return slots.hold(auth.bucket()) if upload.size > SMALL_FILE else nullcontext()


def filename_of(file: FileStorage, chosen: str | None = None) -> str:
    """The last part of the name, printable characters only: PostgreSQL refuses NUL, and RTL marks mislead."""
    given = chosen or file.filename or _disposition_filename()
    name = PurePath(given.replace("\\", "/")).name
    return "".join(filter(str.isprintable, name))[-MAX_FILENAME_CHARS:] or "upload.csv"


def _disposition_filename() -> str:
    """The filename in the header Content-Disposition (RFC 6266), which may name a file that is sent bare."""
    header = call.headers.get("Content-Disposition", "")
    with suppress(UnicodeError):
        header = header.encode("latin-1").decode()  # WSGI gives bytes as Latin-1; clients send UTF-8
    return parse_options_header(header)[1].get("filename", "")


def _webhook_url(url: str | None) -> str | None:
    """The URL as it was given.

    Raises:
        InvalidWebhookUrl: its scheme is missing, as in `shop.example/hook`.
    """
    if url and WITHOUT_SCHEME.match(url):
        raise InvalidWebhookUrl(f"The webhook URL has no scheme; write https://{url.lstrip('/')[:200]}.")
    return url


def _answer(accepted: Accepted) -> dict[str, Any]:
    request: ProcessingRequest = accepted.request
    body: dict[str, Any] = {
        "requestId": request.id,
        "status": "pending",
        "statusUrl": status_url(request.id),
        "createdAt": rfc3339(request.created_at),
        "counts": _counts(request.rows_total, request.products_total, request.images_total, request.rows_skipped),
    }
    if accepted.reading or request.reading:
        body["reading"] = accepted.reading or request.reading
    if accepted.scan and accepted.scan.errors:
        body["errors"] = [fault.as_dict() for fault in accepted.scan.errors]
        body["errorsTruncated"] = accepted.scan.errors_truncated
    return body


def _counts(rows: int, products: int, images: int, skipped_rows: int) -> dict[str, int]:
    return {"rows": rows, "products": products, "images": images, "skippedRows": skipped_rows}


def _is_valid(scan: Scan, *, skip_invalid: bool) -> bool:
    try:
        require_valid(scan, skip_invalid=skip_invalid)
    except InvalidCsv:
        return False
    return True
