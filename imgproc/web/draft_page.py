"""The page of a file that has been chosen: how it is read, what is wrong with it, the options, and the start."""

from __future__ import annotations

import io
from typing import Any, cast

from apiflask import APIBlueprint
from flask import redirect, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from imgproc.api import auth
from imgproc.api.file_values import codec_of, explain_encoding
from imgproc.api.problems import Problem
from imgproc.api.uploads import describe, slot, upload_of
from imgproc.api.views import api_url
from imgproc.core.errors import InvalidInput, InvalidWebhookUrl
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import reservations
from imgproc.journey import accept, drafts, file_options
from imgproc.journey.accept import KeyReused, Upload
from imgproc.journey.file_options import FileOptions
from imgproc.journey.services import services
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.table.columns import COLUMNS
from imgproc.pipeline.table.read import ReadOptions
from imgproc.web import draft_view, thumbnails
from imgproc.web.option_fields import changed_options, load_options
from imgproc.web.texts import N_

blueprint = APIBlueprint("draft_page", __name__, enable_openapi=False, url_prefix="/files/<draft_id>")


@blueprint.get("")
def show_draft(draft_id: str) -> Any:
    """The page of the file. Once the file has been started, this leads to its request."""
    if request_id := drafts.started(draft_id, owner=auth.owner()):
        return redirect(url_for("request_page.show_request", request_id=request_id))
    return draft_view.render(find_draft(draft_id), given=request.args, faults={})


@blueprint.post("/read")
def read_again(draft_id: str) -> Any:
    """Read the file with the columns, the sheet and the encoding of the form."""
    draft = find_draft(draft_id)
    encoding = request.form.get("encoding", "").strip()
    codec = codec_of(encoding) if encoding else None
    if encoding and not codec:
        return draft_view.render(draft, given=request.form, faults={"encoding": explain_encoding(encoding)})
    file = FileOptions(_read_options(draft, codec))
    with drafts.open_file(services(), draft) as stream:
        upload = Upload(stream, draft.input_bytes, draft.filename, CompressOptions(), file, skip_invalid=True)
        try:
            shown = describe(upload, most_hosts=draft_view.MAX_HOSTS)
        except InvalidInput as error:  # no table, or a sheet that there is not
            shown = draft_view.unreadable(error)
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
        return draft_view.render(draft, given=request.form, faults=faults)
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
            return draft_view.render(draft, given=request.form, faults={name: error.detail})
    reservations.withdraw(draft.id)
    return redirect(url_for("request_page.show_request", request_id=made.request.id), 303)


@blueprint.post("/preview")
def show_preview(draft_id: str) -> str:
    """The page with one of the file's own pictures, before and after the options of the form. It changes nothing."""
    draft = find_draft(draft_id)
    form, faults = load_options()
    if faults:
        return draft_view.render(draft, given=request.form, faults=faults)
    nothing = FileStorage(cast("Any", io.BytesIO()), filename=draft.filename)
    try:
        options = upload_of(form | {"file": nothing}).options
    except InvalidWebhookUrl as error:
        return draft_view.render(draft, given=request.form, faults={"webhookUrl": error.detail})
    rows = ((draft.reading or {}).get("reading") or {}).get("rows", [])
    preview = thumbnails.preview([url for row in rows for url in row["urls"]], options)
    return draft_view.render(draft, given=request.form, faults={}, preview=preview)


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
    raise Problem(404, "image_not_found", N_("The first rows of this file have no such picture."))


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
    detail = N_("This file is no longer here: files that are not started are deleted after an hour. Choose it again.")
    return Problem(404, "draft_not_found", detail)


def _read_options(draft: ProcessingRequest, codec: str | None) -> ReadOptions:
    """How the form asks to read the file. Columns that it leaves open are found by the reader."""
    chosen = {name: tuple(request.form.getlist(f"column.{name}")) for name in COLUMNS}
    columns = {name: headings for name, headings in chosen.items() if any(headings)}
    was = (draft.reading or {}).get("reading") or {}
    is_as_read = columns == draft_view.columns_of(was)
    columns_before = file_options.from_json(draft.file_options).read.columns
    sheet = request.form.get("sheet", "").strip().replace("\0", "")[:255]
    return ReadOptions(codec, sheet or None, columns_before if is_as_read else columns or None)
