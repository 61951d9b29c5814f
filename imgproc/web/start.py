"""The start page `/`: choose a file, and find the requests of before."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from apiflask import APIBlueprint
from flask import current_app, jsonify, render_template, request, url_for

from imgproc.api import auth
from imgproc.api.views import decode_cursor, encode_cursor, invalid_cursor
from imgproc.db import reads, request_list
from imgproc.db.engine import db
from imgproc.db.request_list import Place, Wanted
from imgproc.db.statuses import OPEN, RequestStatus
from imgproc.web.error_pages import prefers_json

PAGE = 20  # requests
MAX_SEARCH_CHARS = 100
FILTERS = {
    "open": ("In progress", OPEN),
    "done": ("Done", (RequestStatus.COMPLETED,)),
    "problems": ("With failures", (RequestStatus.COMPLETED_WITH_ERRORS, RequestStatus.FAILED)),
    "cancelled": ("Cancelled", (RequestStatus.CANCELLED,)),
}

blueprint = APIBlueprint("start", __name__, enable_openapi=False, template_folder="templates")


@blueprint.get("/")
def show_start() -> Any:
    """The page, or for clients that prefer JSON the addresses of the API."""
    if prefers_json():
        return jsonify(links())
    return render_page()


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
        filters=FILTERS,
        max_bytes=current_app.extensions["services"].settings.max_upload_bytes,
        has_sample="samples" in current_app.blueprints,
        **context,
    )


def _place(cursor: str) -> Place:
    created_at, request_id = decode_cursor(cursor, parts=2)
    try:
        return datetime.fromisoformat(created_at).astimezone(timezone.utc), str(uuid.UUID(request_id))
    except (ValueError, OverflowError):
        raise invalid_cursor() from None
