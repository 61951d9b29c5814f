"""The page of a file that has been chosen: how it is read, what is wrong with it, the options, and the start."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from imgproc.api import auth
from imgproc.api.file_values import codec_of
from imgproc.api.problems import Problem
from imgproc.api.uploads import describe, slot, upload_of
from imgproc.api.views import api_url
from imgproc.core.errors import InvalidInput, InvalidWebhookUrl
from imgproc.db import request_list
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import reservations
from imgproc.journey import accept, drafts, file_options
from imgproc.journey.accept import KeyReused, Upload
from imgproc.journey.file_options import FileOptions
from imgproc.journey.services import services
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.table.columns import COLUMNS
from imgproc.pipeline.table.read import ReadOptions
from imgproc.web import display, thumbnails
from imgproc.web.curl import upload_command
from imgproc.web.option_fields import changed_options, load_options, option_fields

MAX_HEADINGS = 100  # that a select offers
COLUMN_LABELS = {
    "serialNumber": "Serial number",
    "productName": "Product name",
    "inputImageUrls": "Image addresses",
}

blueprint = APIBlueprint("draft_page", __name__, enable_openapi=False, url_prefix="/files/<draft_id>")


@blueprint.get("")
def show_draft(draft_id: str) -> Any:
    """The page of the file. Once the file has been started, this leads to its request."""
    if request_id := drafts.started(draft_id, owner=auth.owner()):
        return redirect(url_for("request_page.show_request", request_id=request_id))
    return _page(find_draft(draft_id), given=request.args, faults={})


@blueprint.post("/read")
def read_again(draft_id: str) -> Response:
    """Read the file with the columns, the sheet and the encoding of the form."""
    draft = find_draft(draft_id)
    file = FileOptions(_read_options(draft))
    with drafts.open_file(services(), draft) as stream:
        upload = Upload(stream, draft.input_bytes, draft.filename, CompressOptions(), file, skip_invalid=True)
        try:
            shown = describe(upload)
        except InvalidInput as error:  # no table, or a sheet that there is not
            shown = unreadable(error)
    if not drafts.change(draft.id, file, shown):
        raise _gone()
    options = changed_options(request.form)
    return redirect(url_for("draft_page.show_draft", draft_id=draft.id, **options), 303)  # type: ignore[arg-type]  # names of options


@blueprint.post("/start")
def start_request(draft_id: str) -> Any:
    """Start processing the file with the options of the form; two clicks start it once."""
    if request_id := drafts.started(draft_id, owner=auth.owner()):
        return redirect(url_for("request_page.show_request", request_id=request_id), 303)
    draft = find_draft(draft_id)
    form, faults = load_options()
    if faults:
        return _page(draft, given=request.form, faults=faults)
    read = file_options.from_json(draft.file_options).read
    with drafts.open_file(services(), draft) as stream:
        form |= {"file": FileStorage(stream, filename=draft.filename), "encoding": read.encoding}  # type: ignore[arg-type]  # a spool
        form |= {"columns": read.columns, "sheet": read.sheet}
        try:
            upload = upload_of(form, idempotency_key=drafts.idempotency_key(draft.id))
            with slot(upload):
                made = accept.accept(services(), upload, owner=auth.owner(), api_url=api_url())
        except KeyReused:  # another tab started it with other options
            return redirect(url_for("draft_page.show_draft", draft_id=draft.id), 303)
        except InvalidInput as error:
            name = "webhookUrl" if error.code == "invalid_webhook_url" else "file"
            return _page(draft, given=request.form, faults={name: error.detail})
    reservations.withdraw(draft.id)
    return redirect(url_for("request_page.show_request", request_id=made.request.id), 303)


@blueprint.post("/preview")
def show_preview(draft_id: str) -> str:
    """The page with one of the file's own pictures, before and after the options of the form. It changes nothing."""
    draft = find_draft(draft_id)
    form, faults = load_options()
    if faults:
        return _page(draft, given=request.form, faults=faults)
    nothing = FileStorage(cast("Any", io.BytesIO()), filename=draft.filename)
    try:
        options = upload_of(form | {"file": nothing}).options
    except InvalidWebhookUrl as error:
        return _page(draft, given=request.form, faults={"webhookUrl": error.detail})
    rows = ((draft.reading or {}).get("reading") or {}).get("rows", [])
    preview = thumbnails.preview([url for row in rows for url in row["urls"]], options)
    return _page(draft, given=request.form, faults={}, preview=preview)


@blueprint.get("/preview")
def leave_preview(draft_id: str) -> Response:
    """The page of the file, for whoever reloads the address of a preview."""
    return redirect(url_for("draft_page.show_draft", draft_id=draft_id))


@blueprint.get("/pictures/<line>/<position>")
def show_thumbnail(draft_id: str, line: str, position: str) -> Response:
    """A thumbnail of a picture of the file's first rows. It is found by its place, so no other URL can be asked for.

    204 without a file: it has been started meanwhile, and the page that asks is about to go.
    """
    draft = drafts.find(draft_id, owner=auth.owner())
    return thumbnails.answer(_url_at(draft, line, position)) if draft else Response(status=204)


def _url_at(draft: ProcessingRequest, line: str, position: str) -> str:
    """The URL at a place of the first rows.

    Raises:
        Problem: 404 `image_not_found`.
    """
    rows = ((draft.reading or {}).get("reading") or {}).get("rows", [])
    urls = {(str(row["line"]), str(number)): url for row in rows for number, url in enumerate(row["urls"], 1)}
    if found := urls.get((line, position)):
        return str(found)
    raise Problem(404, "image_not_found", "The first rows of this file have no such picture.")


def find_draft(draft_id: str) -> ProcessingRequest:
    """The caller's draft.

    Raises:
        Problem: 404 `draft_not_found`.
    """
    draft = drafts.find(draft_id, owner=auth.owner())
    if draft is None:
        raise _gone()
    return draft


def _gone() -> Problem:
    detail = "This file is no longer here: files that are not started are deleted after an hour. Choose it again."
    return Problem(404, "draft_not_found", detail)


def unreadable(error: InvalidInput) -> dict[str, Any]:
    """What is shown of a file that cannot be read at all."""
    fault = {"line": 1, "column": None, "code": error.code, "detail": error.detail}
    return {
        "valid": False,
        "header": [],
        "reading": None,
        "counts": dict.fromkeys(("rows", "products", "images", "skippedRows"), 0),
        "errors": [fault],
        "errorsTruncated": False,
    }


def _read_options(draft: ProcessingRequest) -> ReadOptions:
    """How the form asks to read the file. Columns that it leaves open are found by the reader."""
    encoding = request.form.get("encoding", "").strip()
    codec = codec_of(encoding) if encoding else None
    chosen = {name: tuple(request.form.getlist(f"column.{name}")) for name in COLUMNS}
    columns = {name: headings for name, headings in chosen.items() if any(headings)}
    was = (draft.reading or {}).get("reading") or {}
    is_as_read = columns == _columns_of(was)
    columns_before = file_options.from_json(draft.file_options).read.columns
    sheet = request.form.get("sheet", "").strip().replace("\0", "")[:255]
    return ReadOptions(codec, sheet or None, columns_before if is_as_read else columns or None)


def _columns_of(reading: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The headings that a reading has used, by our names of columns."""
    found = reading.get("columns") or {}
    return {name: tuple([each] if isinstance(each, str) else each) for name, each in found.items()}


def _page(draft: ProcessingRequest, *, given: Mapping[str, str], faults: Mapping[str, str], **context: Any) -> str:
    shown: dict[str, Any] = draft.reading or {}
    main, others = option_fields(given, faults)
    reading = shown["reading"] or {}
    stored = draft.file_options or {}
    chosen = _columns_of(reading) or {name: tuple(each) for name, each in (stored.get("columns") or {}).items()}
    return render_template(
        "draft.html",
        draft=draft,
        shown=shown,
        reading=reading,
        estimate=_estimate(shown["counts"]["images"]),
        faults_of_line=_by_line(shown["errors"]),
        fault=faults.get("file"),
        headings=_headings(shown["header"], chosen),
        chosen=chosen,
        column_labels=COLUMN_LABELS,
        stored=stored,
        hosts=_hosts(reading.get("rows", [])),
        main_options=main,
        other_options=others,
        are_others_open=any(each.fault or each.name in changed_options(given) for each in others),
        command=upload_command(draft.filename, _command_options(stored, given, shown)),
        is_startable=bool(shown["counts"]["products"]),
        **context,
    )


def _headings(header: list[str], chosen: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The headings to choose from: the first of the file, and those that are chosen."""
    wanted = [heading for headings in chosen.values() for heading in headings]
    listed = dict.fromkeys(each.strip() for each in header if each.strip())
    return list(dict.fromkeys([*list(listed)[:MAX_HEADINGS], *wanted]))


def _by_line(errors: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for error in errors:
        found.setdefault(error["line"], []).append(error)
    return found


def _hosts(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The hosts of the rows that are shown, the most frequent first."""
    counted: Counter[str] = Counter()
    for url in (url for row in rows for url in row["urls"]):
        with suppress(ValueError):
            if host := urlsplit(url).hostname:
                counted[host] += 1
    return counted.most_common(5)


def _estimate(images: int) -> str | None:
    """How long the images take and what they save, by the last requests of the caller; None without any."""
    pace = request_list.pace(auth.owner())
    if not pace or not images:
        return None
    return (
        f"By your last requests this takes about {display.duration(max(1, pace.seconds * images))} and saves "
        f"{display.size(round(pace.saved_bytes * images))}."
    )


def _command_options(stored: Mapping[str, Any], given: Mapping[str, str], shown: Mapping[str, Any]) -> dict[str, str]:
    options = {name: value if isinstance(value, str) else json.dumps(value) for name, value in stored.items()}
    options |= changed_options(given)
    return options | ({"invalidRows": "skip"} if shown["errors"] else {})
