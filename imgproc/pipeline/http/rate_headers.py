"""How long a response asks us to wait before the next request.

`Retry-After` is RFC 9110, 10.2.3. `RateLimit` and `RateLimit-Reset` are those of the drafts of
draft-ietf-httpapi-ratelimit-headers; many APIs use the same names with `X-`, and a time of day for the reset.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from imgproc.pipeline.http.session import retry_after

LONGEST_PAUSE = 3600.0  # seconds
EPOCH = 1e9  # a reset above this is a time since 1970, not a number of seconds
ROUNDING = 1.0  # seconds; hosts round a shorter wait up to this
NUMBER = r"\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*"
STRUCTURED = re.compile(rf"[;,]\s*(r|t|remaining|reset)={NUMBER}")


def requested_pause(headers: Mapping[str, str], *, refused: bool) -> float | None:
    """Seconds until the host wants the next request, from 0 to an hour; None if it does not say.

    A response that was not `refused` asks for a pause only if it was the last for a while.
    """
    if refused and (asked := retry_after(headers, at_most=LONGEST_PAUSE)) is not None:
        return asked
    remaining, reset = _quota(headers)
    if reset is None or not (refused or remaining == 0):
        return None
    if not refused and reset <= ROUNDING:
        return None
    return min(reset, LONGEST_PAUSE)


def _quota(headers: Mapping[str, str]) -> tuple[float | None, float | None]:
    """How many requests are left, and seconds until there are more."""
    fields = dict(STRUCTURED.findall(headers.get("RateLimit", "")))
    remaining = _number(fields.get("r") or fields.get("remaining"))
    reset = _number(fields.get("t") or fields.get("reset"))
    for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
        if remaining is None:
            remaining = _number(headers.get(f"{prefix}Remaining"))
        if reset is None:
            reset = _number(headers.get(f"{prefix}Reset"))
    if reset is not None and reset > EPOCH:
        reset = max(0.0, reset - time.time())
    return remaining, reset


def _number(text: str | None) -> float | None:
    found = re.match(NUMBER, text or "")
    return float(found[1]) if found else None
