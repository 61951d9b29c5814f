"""How long a host asks to wait, in the headers that hosts use for that."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from imgproc.pipeline.http.session import retry_after

MAX_PAUSE = 300.0  # seconds; the longest pause that one answer can ask for


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Seconds until the host wants to be asked again; None where it does not say.

    `Retry-After` (RFC 9110, 10.2.3) wins over the time at which a limit is reset: `RateLimit` and `RateLimit-Reset`
    (IETF drafts), `X-RateLimit-Reset` (seconds, or seconds since 1970).
    """
    said = retry_after(headers, at_most=MAX_PAUSE)
    if said is not None:
        return said
    found = re.search(r"\b(?:t|reset)=(\d{1,10})\b", headers.get("RateLimit", ""))
    values = (found[1] if found else "", headers.get("RateLimit-Reset", ""), headers.get("X-RateLimit-Reset", ""))
    for value in map(str.strip, values):
        if re.fullmatch(r"[0-9]{1,10}(?:\.[0-9]{1,9})?", value):
            seconds = float(value)
            return max(0.0, min(seconds - time.time() if seconds > 1e9 else seconds, MAX_PAUSE))
    return None
