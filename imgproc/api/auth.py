"""Authentication by API key. While keys are optional, callers without one share the owner ''."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from imgproc.api import api_keys
from imgproc.core.errors import NotAuthenticated
from imgproc.core.hosts import subscriber
from imgproc.journey.services import services

# Endpoints without callers' data. All others ask for authentication, also those added later.
OPEN = {
    "docs.show_docs",
    "health.get_health",
    "health.get_readiness",
    "help_pages.show_help",
    "openapi.spec",
    "outputs.get_output",
    "samples.get_catalogue",
    "samples.get_picture",
    "samples.show_samples",
    "static",
}

REFUSALS = {
    "missing_api_key": (
        "This server requires an API key; send yours as Authorization: Bearer imgproc_…, or as X-API-Key."
    ),
    "invalid_api_key": "This API key is unknown or revoked; check it, or ask for another.",
}


@dataclass(frozen=True)
class Caller:
    """`owner` is the id of the key, or empty without one; `refusal` is the error code of a call to be refused."""

    owner: str = ""
    refusal: str | None = None


def identify() -> None:
    """Authenticate the caller, before the rate limits count the call."""
    g.caller = Caller() if is_open() else _caller(_secrets())


def require() -> None:
    """Refuse unauthenticated calls. It runs after the rate limits, so that refused calls count as well.

    Raises:
        NotAuthenticated: `missing_api_key` or `invalid_api_key`.
    """
    caller: Caller = g.caller
    if caller.refusal:
        raise NotAuthenticated(REFUSALS[caller.refusal], code=caller.refusal)


def owner() -> str:
    """The owner whose requests the caller sees: the id of the key, or empty without one."""
    caller: Caller = g.caller
    return caller.owner


def is_open() -> bool:
    """True for public endpoints and for unknown URLs."""
    return request.endpoint is None or request.endpoint in OPEN


def bucket() -> str:
    """The rate limit's key: the API key, or the network address of a caller without a valid one."""
    caller: Caller = g.caller
    return f"key:{caller.owner}" if caller.owner else f"address:{subscriber(request.remote_addr or '')}"


def _secrets() -> set[str]:
    """The keys that were sent. An empty key counts, so its sender is refused instead of served without a key."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = {token.strip()} if scheme.lower() == "bearer" else set()
    return given | {key.strip() for key in request.headers.getlist("X-API-Key")}


def _caller(secrets: set[str]) -> Caller:
    if not secrets:
        return Caller(refusal="missing_api_key" if services().settings.api_keys_required else None)
    holder = api_keys.holder_of(secrets.pop()) if len(secrets) == 1 else None
    return Caller(owner=holder) if holder else Caller(refusal="invalid_api_key")
