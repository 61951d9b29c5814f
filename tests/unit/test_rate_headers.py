"""How long a response asks for a pause."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from urllib3 import HTTPHeaderDict

from imgproc.pipeline.http.rate_headers import requested_pause


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        pytest.param(429, {"Retry-After": "7"}, 7, id="seconds"),
        pytest.param(503, {"Retry-After": "999999"}, 3600, id="at most an hour"),
        pytest.param(503, {"Retry-After": "99999999999"}, 3600, id="a huge number"),
        pytest.param(503, {"Retry-After": "1767225600000"}, 3600, id="milliseconds since 1970"),
        pytest.param(503, {"Retry-After": "1000000001"}, 0, id="a time since 1970 that has passed"),
        pytest.param(503, {"Retry-After": "7.5"}, 7.5, id="a fraction"),
        pytest.param(503, {"Retry-After": "+7"}, 7, id="a sign"),
        pytest.param(503, {"Retry-After": "7s"}, 7, id="a unit"),
        pytest.param(503, {"Retry-After": "7 Seconds"}, 7, id="a unit in words"),
        pytest.param(503, {"Retry-After": "7, 7"}, 7, id="twice"),
        pytest.param(503, {"Retry-After": "Sun Nov  6 08:49:37 1994"}, 0, id="a date that has passed"),
        pytest.param(503, {"Retry-After": "Fri, 01 Jan 2199 00:00:00 GMT"}, 3600, id="a date far away"),
        pytest.param(429, {"Retry-After": "soon"}, None, id="nonsense"),
        pytest.param(429, {"Retry-After": "-5"}, None, id="a negative number"),
        pytest.param(429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12, id="the older drafts"),
        pytest.param(429, {"RateLimit": '"default";r=0;t=30'}, 30, id="the newer drafts"),
        pytest.param(200, {"RateLimit": '"default";r=0;t=30'}, 30, id="none left after a served request"),
        pytest.param(200, {"RateLimit": '"default";r=3;t=30'}, None, id="some left"),
        pytest.param(200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "1"}, None, id="a wait rounded up"),
        pytest.param(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "20"}, 20, id="with an X"),
        pytest.param(429, {"Retry-After": "3", "X-RateLimit-Reset": "60"}, 3, id="Retry-After counts first"),
        pytest.param(200, {"Retry-After": "60"}, None, id="a served response"),
        pytest.param(429, {}, None, id="nothing said"),
        pytest.param(429, {"RateLimit-Reset": "1e400"}, 1, id="a number that is too large is cut"),
    ],
)
def test_reads_what_hosts_say(status: int, headers: dict[str, str], pause: float | None) -> None:
    """Refusals may ask for any pause; served responses only if no request is left for a while."""
    assert requested_pause(HTTPHeaderDict(headers), refused=status in (429, 503)) == pause


def test_a_reset_may_be_a_time_of_day() -> None:
    """Some APIs give seconds since 1970."""
    headers = HTTPHeaderDict({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{time.time() + 100:.0f}"})
    assert 90 < (requested_pause(headers, refused=True) or 0) <= 101


@pytest.mark.parametrize("minutes", [-30, 30])
def test_a_date_is_meant_by_the_clock_of_the_host(minutes: int) -> None:
    """A host whose clock is wrong sends both dates by it."""
    sent = time.time() + 60 * minutes
    headers = HTTPHeaderDict({"Date": formatdate(sent, usegmt=True), "Retry-After": formatdate(sent + 90, usegmt=True)})
    assert requested_pause(headers, refused=True) == 90
