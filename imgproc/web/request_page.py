"""The page of one request: how far it is, its pictures and its failures."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template

from imgproc.api.views import find_request
from imgproc.db import reads

blueprint = APIBlueprint("request_page", __name__, enable_openapi=False, url_prefix="/requests/<request_id>")


@blueprint.get("")
def show_request(request_id: str) -> str:
    """The page."""
    found = find_request(request_id)
    return render_template("request.html", found=found, progress=reads.progress_of(found))
