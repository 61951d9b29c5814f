"""The API keys, for people with an admin key: create one (it is shown once), rotate it, revoke it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from imgproc.api import api_keys, auth, keys
from imgproc.api.problems import Problem
from imgproc.core.errors import InvalidOption
from imgproc.web import display
from imgproc.web.request_page import message
from imgproc.web.texts import N_

PAGE = 50  # keys
SCOPES = {
    "read": N_("Read only"),
    "write": N_("Read and write"),
    "admin": N_("Admin"),
}
LIVES = {"": N_("Never"), "30": N_("In 30 days"), "90": N_("In 90 days"), "365": N_("In a year")}
OVERLAPS = {
    "0": N_("Stops at once"),
    "3600": N_("Works for 1 hour more"),
    "86400": N_("Works for 1 day more"),
    "604800": N_("Works for 7 days more"),
}
MESSAGES = {"revoked": N_("The key is revoked. It stopped working at once.")}

blueprint = APIBlueprint("keys_page", __name__, enable_openapi=False, url_prefix="/keys")


@blueprint.get("")
def show_keys() -> str:
    """The list, newest first, and the form for a new key."""
    return _page(message=message(MESSAGES))


@blueprint.post("")
def create_key() -> Any:
    """Create a key and show it, once."""
    name, scope = request.form.get("name", "").strip(), request.form.get("scope", "")
    if scope not in SCOPES:
        return _page(fault=N_("Choose what the key may do."))
    try:
        issued = api_keys.issue_key(name, scope=scope, expires_at=_expiry())
    except InvalidOption as error:
        return _page(fault=error.detail)
    return _page(made={"name": name, "key": issued.secret, "webhook_secret": issued.webhook_secret})


@blueprint.post("/<key_id>/revoke")
def revoke_key(key_id: str) -> Response:
    """Revoke a key at once."""
    api_keys.revoke_by_id(keys.find_key(key_id).id)
    return redirect(url_for("keys_page.show_keys", did="revoked"), 303)


@blueprint.post("/<key_id>/rotate")
def rotate_key(key_id: str) -> Any:
    """Give a key another secret and show it, once."""
    key = keys.find_key(key_id)
    overlap = request.form.get("overlap", "0")
    given = {"expiresAt": _expiry()} if request.form.get("expires", "keep") != "keep" else {}
    try:
        secret = keys.rotate(key, keep_seconds=int(overlap) if overlap in OVERLAPS else 0, expiry=given)
    except (InvalidOption, Problem) as error:
        return _page(fault=error.detail)
    return _page(
        made={
            "name": key.name,
            "key": secret,
            "overlap": OVERLAPS.get(overlap) and display.translated(OVERLAPS)[overlap],
        }
    )


def _expiry() -> datetime | None:
    days = request.form.get("expires", "")
    return datetime.now(timezone.utc) + timedelta(days=int(days)) if days and days in LIVES else None


def _page(**context: Any) -> str:
    found, cursor = keys.page_of(limit=PAGE, cursor=request.args.get("before"))
    return render_template(
        "keys.html",
        keys=[(key, _state(key)) for key in found],
        next_cursor=cursor,
        is_later_page="before" in request.args,
        scopes=display.translated(SCOPES),
        lives=display.translated(LIVES),
        overlaps=display.translated(OVERLAPS),
        own_id=auth.owner(),
        form=request.form,
        **context,
    )


def _state(key: Any) -> str:
    if key.revoked_at is not None:
        return "revoked"
    has_expired = key.expires_at is not None and key.expires_at <= datetime.now(timezone.utc)
    return "expired" if has_expired else "active"
