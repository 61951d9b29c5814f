"""Who calls, and what they may do: an API key in a header, a session, or the user that a trusted proxy names.

While keys are optional, callers without one share the owner ''. The API takes keys only; sessions and users of a proxy
count for pages, because browsers send them by themselves.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from typing import Literal

from flask import g, request

from imgproc.api import api_keys, sessions
from imgproc.core.errors import NotAuthenticated, NotPermitted
from imgproc.core.hosts import subscriber
from imgproc.journey.services import services

SIGN_IN = "login.sign_in"
SIGN_IN_PAGES = {SIGN_IN, "login.show_login", "login.sign_out"}
LANGUAGE = "languages.choose_language"  # a choice that the browser keeps
SHARED = {
    "shared_request.show_shared",
    "shared_request.show_progress",
    "shared_request.show_picture",
    "shared_request.get_original",
    "shared_request.get_rendition",
    "shared_request.download_failed",
    "shared_request.download_output",
    "shared_request.download_workbook",
}
# Endpoints without callers' data, or with checks of their own. All others ask for authentication, also those added
# later.
OPEN = {
    "docs.show_docs",
    "error_reference.list_errors",
    "error_reference.show_error",
    "health.get_health",
    "health.get_readiness",
    "help_pages.show_help",
    "openapi.spec",
    "outputs.get_output",
    "samples.get_catalogue",
    "samples.get_picture",
    "samples.show_samples",
    "static",
    LANGUAGE,
    *SIGN_IN_PAGES,
    *SHARED,
}
ADMIN_BLUEPRINTS = {"keys", "keys_page"}
READING = {"uploads.validate_file"}  # besides all GETs: these change nothing
READS = {"GET", "HEAD", "OPTIONS"}
MAX_USER_CHARS = 320
USERS = uuid.UUID("6a0f5f8e-9f0a-4d0e-8d3b-3c3f8f2d5b51")  # the namespace of the owners that a proxy names

REFUSALS = {
    "missing_api_key": (
        "This server requires an API key; send yours as Authorization: Bearer imgproc_…, or as X-API-Key."
    ),
    "invalid_api_key": "This API key is unknown or revoked, or has expired; check it, or ask for another.",
    "session_ended": "Your session has ended; sign in again.",
    "invalid_user": "The proxy in front named no usable user; check REMOTE_USER_HEADER and what the proxy sends.",
}
NEEDS = {
    "admin": "This needs an admin key: one with the scope admin.",
    "write": "This key may only read; use one with the scope write.",
}


@dataclass(frozen=True)
class Caller:
    """`owner` is the id of the key or of the user, or empty without one.

    `refusal` is the error code of a call to be refused. `name` is that of the key, or the user.
    """

    owner: str = ""
    refusal: str | None = None
    scope: str = "write"
    name: str = ""
    source: Literal["none", "header", "session", "proxy"] = "none"

    def may(self, scope: str) -> bool:
        """Whether the scope includes another."""
        return scope in api_keys.scopes_of(self.scope)


def identify() -> None:
    """Authenticate the caller, before the rate limits count the call."""
    g.caller = Caller() if is_open() else _caller(_secrets())


def require() -> None:
    """Refuse unauthenticated calls, and those that the caller's scope does not include: for the API and the pages.

    It runs after the rate limits, so that refused calls count as well.

    Raises:
        NotAuthenticated: `missing_api_key`, `invalid_api_key`, `session_ended` or `invalid_user`.
        NotPermitted: `insufficient_scope`.
    """
    found = caller()
    if is_open():
        return
    scope = _needed_scope()
    refusal = found.refusal or ("missing_api_key" if scope == "admin" and found.source == "none" else None)
    if refusal:
        raise NotAuthenticated(REFUSALS[refusal], code=refusal)
    if not found.may(scope):
        raise NotPermitted(NEEDS[scope])


def caller() -> Caller:
    """The caller; one without a key until `identify` has run."""
    found: Caller = g.get("caller") or Caller()
    return found


def owner() -> str:
    """The owner whose requests the caller sees: the id of the key or of the user, or empty without one."""
    return caller().owner


def is_open() -> bool:
    """True for public endpoints and for unknown URLs."""
    return request.endpoint is None or request.endpoint in OPEN


def is_unlimited() -> bool:
    """True for open endpoints, except those that look up a token for strangers."""
    return is_open() and request.endpoint not in SIGN_IN_PAGES | SHARED


def is_page() -> bool:
    """Whether a page is called, not the API."""
    return not request.path.startswith("/api/") and request.path != "/metrics"


def bucket() -> str:
    """The rate limit's key: the API key, or the network address of a caller without a valid one."""
    found = caller()
    return f"key:{found.owner}" if found.owner else f"address:{subscriber(request.remote_addr or '')}"


def _needed_scope() -> str:
    if request.blueprint in ADMIN_BLUEPRINTS:
        return "admin"
    return "read" if request.method in READS or request.endpoint in READING else "write"


def _secrets() -> set[str]:
    """The keys that were sent. An empty key counts, so its sender is refused instead of served without a key."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = {token.strip()} if scheme.lower() == "bearer" else set()
    return given | {key.strip() for key in request.headers.getlist("X-API-Key")}


def _caller(secrets: set[str]) -> Caller:
    if secrets:
        holder = api_keys.holder_of(secrets.pop()) if len(secrets) == 1 else None
        return _with_key(holder, "header") if holder else Caller(refusal="invalid_api_key", source="header")
    if is_page():
        if sessions.token():
            holder = sessions.holder()
            return _with_key(holder, "session") if holder else Caller(refusal="session_ended", source="session")
        if user := _user():
            return user
    return Caller(refusal="missing_api_key" if services().settings.api_keys_required else None)


def _with_key(holder: api_keys.Holder, source: Literal["header", "session"]) -> Caller:
    return Caller(owner=holder.key_id, scope=holder.scope, name=holder.name, source=source)


def _user() -> Caller | None:
    """The user that a trusted proxy names, or None. Their owner is a UUID made from the name: no key has the same."""
    settings = services().settings
    name = request.headers.get(settings.remote_user_header) if settings.remote_user_header else None
    if name is None or not _is_trusted_proxy():
        return None
    if not (0 < len(name) <= MAX_USER_CHARS and name.isprintable() and name == name.strip()) or "," in name:
        return Caller(refusal="invalid_user", source="proxy")  # a comma: the client sent the header as well
    scope = "admin" if name in settings.remote_user_admins else "write"
    return Caller(owner=str(uuid.uuid5(USERS, name)), scope=scope, name=name, source="proxy")


def _is_trusted_proxy() -> bool:
    """Whether the other end of the connection, not the client that it forwards for, is in a trusted network."""
    environ = request.environ
    peer = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR") or ""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:  # a socket of the file system has no address
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in services().settings.remote_user_networks)
