"""Who calls: the holder of an API key, or anybody while keys are optional. Each sees what is theirs alone."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from imgproc.api import api_keys
from imgproc.core.errors import NotAuthenticated
from imgproc.core.hosts import subscriber
from imgproc.journey.services import services

# What shows nobody's data. Everything else, and whatever is added later, asks who calls.
OPEN = {"health.get_health", "health.get_readiness", "openapi.spec", "docs.show_docs", "static", "outputs.get_output"}

REFUSALS = {
    "missing_api_key": (
        "This server takes calls with an API key alone; send yours as Authorization: Bearer imgproc_…, or as X-API-Key."
    ),
    "invalid_api_key": "This API key is unknown or revoked; check it, or ask for another.",
}


@dataclass(frozen=True)
class Caller:
    """`owner` is the id of the key, empty for anybody; `refusal` is the code of why the call may not go on."""

    owner: str = ""
    refusal: str | None = None


def identify() -> None:
    """Find out who calls, before anything else is done for them."""
    g.caller = Caller() if is_open() else _caller(_secrets())


def require() -> None:
    """Refuse who may not call. Apart from `identify`, so that refused calls count against the limits too.

    Raises:
        NotAuthenticated: `missing_api_key` or `invalid_api_key`.
    """
    caller: Caller = g.caller
    if caller.refusal:
        raise NotAuthenticated(REFUSALS[caller.refusal], code=caller.refusal)


def owner() -> str:
    """Whose requests the caller sees: those of the key, or with none those of nobody in particular."""
    caller: Caller = g.caller
    return caller.owner


def is_open() -> bool:
    """Whether the call is answered alike for everybody; so is what does not exist."""
    return request.endpoint is None or request.endpoint in OPEN


def bucket() -> str:
    """What calls are counted by: the key, or the network address of a caller without a good one."""
    caller: Caller = g.caller
    return f"key:{caller.owner}" if caller.owner else f"address:{subscriber(request.remote_addr or '')}"


def _secrets() -> set[str]:
    """What was given as a key, an empty one too: a caller whose key got lost wants to know."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = {token.strip()} if scheme.lower() == "bearer" else set()
    return given | {key.strip() for key in request.headers.getlist("X-API-Key")}


def _caller(secrets: set[str]) -> Caller:
    if not secrets:
        return Caller(refusal="missing_api_key" if services().settings.api_keys_required else None)
    holder = api_keys.holder_of(secrets.pop()) if len(secrets) == 1 else None
    return Caller(owner=holder) if holder else Caller(refusal="invalid_api_key")
