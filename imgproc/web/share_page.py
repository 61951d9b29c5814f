"""The links that show a request to others: make one (its address is shown once), list them, revoke them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from imgproc.api import shares
from imgproc.api.problems import Problem
from imgproc.api.views import find_request
from imgproc.db.models import ProcessingRequest
from imgproc.web import display
from imgproc.web.request_page import message
from imgproc.web.request_view import progress_context
from imgproc.web.texts import N_

LIVES = {
    "1": N_("In a day"),
    "7": N_("In a week"),
    "30": N_("In 30 days"),
    "90": N_("In 90 days"),
    "365": N_("In a year"),
}
MESSAGES = {"revoked": N_("The link is revoked. It stopped working at once.")}

blueprint = APIBlueprint("share_page", __name__, enable_openapi=False, url_prefix="/requests/<request_id>/share")


@blueprint.get("")
def show_shares(request_id: str) -> str:
    """The links that work, and the form for a new one."""
    return _page(find_request(request_id), message=message(MESSAGES))


@blueprint.post("")
def create_share(request_id: str) -> Any:
    """Make a link and show its address, once."""
    found = find_request(request_id)
    days = request.form.get("expires", "")
    expires_at = datetime.now(timezone.utc) + timedelta(days=int(days if days in LIVES else shares.DAYS))
    try:
        return _page(found, made=shares.share(found, expires_at=expires_at))
    except Problem as error:
        return _page(found, fault=error.detail)


@blueprint.post("/<share_id>/revoke")
def revoke_share(request_id: str, share_id: str) -> Response:
    """Revoke a link at once."""
    shares.revoke(find_request(request_id), share_id)
    return redirect(url_for("share_page.show_shares", request_id=request_id, did="revoked"), 303)


def _page(found: ProcessingRequest, **context: Any) -> str:
    links, page = shares.links_of(found.id), progress_context(found)
    return render_template(
        "share.html",
        **page,
        tab="share",
        links=links,
        lives=display.translated(LIVES),
        default_days=str(shares.DAYS),
        **context,
    )
