"""The start page `/`: choose a file, and find the requests of before."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from tempfile import TemporaryFile
from typing import Any, cast

from apiflask import APIBlueprint
from flask import current_app, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from imgproc.api import auth
from imgproc.api.problems import Problem
from imgproc.api.uploads import describe, filename_of
from imgproc.api.views import decode_cursor, encode_cursor, invalid_cursor
from imgproc.core.errors import InvalidInput
from imgproc.core.spool import HashedSpool
from imgproc.db import reads, request_list
from imgproc.db.engine import db
from imgproc.db.request_list import Place, Wanted
from imgproc.db.statuses import OPEN, RequestStatus
from imgproc.journey import drafts
from imgproc.journey.accept import Upload
from imgproc.journey.services import services
from imgproc.pipeline.images.options import CompressOptions
from imgproc.web import display, draft_view, sample_catalogue
from imgproc.web.curl import upload_command
from imgproc.web.error_pages import prefers_json
from imgproc.web.texts import N_

PAGE = 20  # requests
MAX_SEARCH_CHARS = 100
FILTERS = {
    "open": (N_("In progress"), OPEN),
    "done": (N_("Done"), (RequestStatus.COMPLETED,)),
    "problems": (N_("With failures"), (RequestStatus.COMPLETED_WITH_ERRORS, RequestStatus.FAILED)),
    "cancelled": (N_("Cancelled"), (RequestStatus.CANCELLED,)),
}

blueprint = APIBlueprint("start", __name__, enable_openapi=False, template_folder="templates")


@blueprint.get("/")
def show_start() -> Any:
    """The page, or for clients that prefer JSON the addresses of the API."""
    answer = make_response(jsonify(links()) if prefers_json() else render_page())
    answer.vary.add("Accept")
    return answer


@blueprint.post("/")
def read_file() -> Any:
    """Keep the chosen file and show how it is read; what is no table is refused on this page."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return render_page(fault=N_("No file was chosen. Choose one, then read it."))
    return _draft(file, filename_of(file))


@blueprint.post("/sample")
def read_sample() -> Any:
    """Read the sample catalogue, as if it had been chosen."""
    if "samples" not in current_app.blueprints:
        raise Problem(404, "not_found", N_("This server has no sample catalogue; choose a file of yours."))
    with TemporaryFile() as file, HashedSpool(file) as stream:
        stream.write(sample_catalogue.catalogue())
        stream.seek(0)
        return _draft(FileStorage(cast("Any", stream)), "sample-catalogue.csv")


def _draft(file: FileStorage, filename: str) -> str | Response:
    size = file.stream.seek(0, 2)
    most = services().settings.max_upload_bytes
    if size > most:
        raise Problem(413, "file_too_large", f"The file is larger than {most:,} bytes; split it.")
    upload = Upload(cast("HashedSpool", file.stream), size, filename, CompressOptions(), skip_invalid=True)
    try:
        shown = describe(upload, most_hosts=draft_view.MAX_HOSTS)
    except InvalidInput as error:
        return render_page(fault=error.detail, filename=filename)
    draft_id = drafts.keep(services(), upload, shown, owner=auth.owner())
    return redirect(url_for("draft_page.show_draft", draft_id=draft_id), 303)


def links() -> dict[str, Any]:
    """Where the API and its documentation are."""
    found = {
        "upload": "uploads.upload_file",
        "validate": "uploads.validate_file",
        "requests": "requests.list_requests",
        "docs": "docs.show_docs",
        "openapi": "openapi.spec",
        "health": "health.get_health",
        "readiness": "health.get_readiness",
    }
    return {"name": "imgproc", "links": {name: url_for(endpoint, _external=True) for name, endpoint in found.items()}}


def render_page(**context: Any) -> str:
    """The start page with the list that the query asks for."""
    text = request.args.get("q", "").strip().replace("\0", "")[:MAX_SEARCH_CHARS]
    chosen = request.args.get("show", "")
    statuses = FILTERS[chosen][1] if chosen in FILTERS else ()
    before = _place(request.args["before"]) if request.args.get("before") else None
    db.session.rollback()  # on SQLite the session would see the past
    found, has_more = request_list.page(Wanted(auth.owner(), statuses, text), limit=PAGE, before=before)
    last = found[-1] if found else None
    cursor = encode_cursor(last.created_at.isoformat(timespec="microseconds"), last.id) if last and has_more else None
    return render_template(
        "start.html",
        requests=[(each, reads.progress_of(each), reads.bytes_of(each)) for each in found],
        next_cursor=cursor,
        is_later_page=before is not None,
        query={"q": text, "show": chosen if chosen in FILTERS else ""},
        filters=display.translated({name: text for name, (text, _) in FILTERS.items()}),
        max_bytes=services().settings.max_upload_bytes,
        command=upload_command("products.csv", {"quality": "smart"}),
        has_sample="samples" in current_app.blueprints,
        **context,
    )


def _place(cursor: str) -> Place:
    created_at, request_id = decode_cursor(cursor, parts=2)
    try:
        return datetime.fromisoformat(created_at).astimezone(timezone.utc), str(uuid.UUID(request_id))
    except (ValueError, OverflowError):
        raise invalid_cursor() from None
