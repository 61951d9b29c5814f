"""URL -> source bytes, within limits on addresses, redirects, bytes and time."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.core.errors import DownloadError, ForbiddenAddress, InvalidInput
from imgproc.pipeline.http.addresses import ANY_NETWORK, Network, check_url
from imgproc.pipeline.http.body import Body, Pace, decompress, is_compressed, receive
from imgproc.pipeline.http.connect import Unreachable
from imgproc.pipeline.http.cookies import Cookies
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, causes_of, explain
from imgproc.pipeline.http.host_gate import Answer, HostGate, OpenGate, Trouble
from imgproc.pipeline.http.redirects import MAX_REDIRECTS, redirect_target, too_many_redirects
from imgproc.pipeline.http.resume import Beginning, beginning, content_range, continues
from imgproc.pipeline.http.session import USER_AGENT, GuardedSession, discard, retry_after
from imgproc.pipeline.http.urls import PORTS
from imgproc.pipeline.http.validators import UNKNOWN, Validators, validators_of

MAX_WAITS = 3  # answers 202 that a download waits for
LONGEST_WAIT = 5.0  # seconds
MAX_RESUMES = 3
MAX_RETRY_AFTER = 300.0
RETRYABLE = {408, 425, 429}  # and all of 5xx
TROUBLES = {429: Trouble.BUSY, 503: Trouble.BUSY, 502: Trouble.AWAY, 504: Trouble.AWAY}
TROUBLE_OF_CODE = {"connect_failed": Trouble.AWAY, "dns_failed": Trouble.AWAY, "timeout": Trouble.SLOW}
# A server that cannot evaluate our conditions refuses them instead of ignoring them.
REFUSED_CONDITIONS = {HTTPStatus.BAD_REQUEST, HTTPStatus.PRECONDITION_FAILED}
ANSWERS_TO_RANGES = {HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
ADVICE = {
    401: "make it public",
    403: "make it public",
    404: "check the URL",
    410: "it is gone, so give another URL",
    429: "it gets too many requests, so try again later",
}

ACCEPT = {"Accept": "image/*,*/*;q=0.5"}


@dataclass(frozen=True)
class Download:
    """The bytes and the host's validators. The content type that the host claims does not matter.

    `body` is empty only if the picture is `not_modified` since the validators that were sent. `doubt` is the error to
    report if the body turns out not to be a whole picture: the host broke off, or announced more than it sent.
    """

    body: bytes
    validators: Validators = UNKNOWN
    not_modified: bool = False
    doubt: DownloadError | None = None


@dataclass(frozen=True)
class _Request:
    """The next request of a download: where to, how, and what led to it."""

    url: str
    known: Validators = UNKNOWN
    begun: Beginning | None = None
    pause: float = 0.0  # seconds before it
    redirects: int = 0
    waits: int = 0
    resumes: int = 0

    @property
    def doubt(self) -> DownloadError | None:
        """Why the request before this one must be continued."""
        return self.begun.error if self.begun else None


@dataclass(frozen=True)
class _Trip:
    """What one download keeps from request to request."""

    deadline: Deadline
    cookies: Cookies = field(default_factory=Cookies)


class Downloader:
    """Downloads untrusted URLs over kept-alive connections; one instance serves any number of threads.

    `timeout` is in seconds, over all redirects and without the body, whose speed is bounded by `pace`. `max_bytes`
    bounds the body, and so its time; `allowed_networks` may be reached although they are private, and so may URLs that
    begin with `samples_url`, which ends with a slash. `gate` limits the requests to each host.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[Network],
        timeout: float,
        max_bytes: int,
        pace: Pace = Pace(),  # noqa: B008 - frozen
        samples_url: str | None = None,
        pool_size: int = 16,
        user_agent: str = USER_AGENT,
        gate: HostGate | None = None,
    ) -> None:
        self._gate = gate or OpenGate()
        self._allowed_networks = tuple(allowed_networks)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._pace = replace(pace, seconds=min(pace.seconds, timeout))
        self._session = GuardedSession(allowed_networks=allowed_networks, pool_size=pool_size, user_agent=user_agent)
        # Samples have connections of their own, so that no other URL is asked for over one of these.
        self._samples_url = samples_url
        self._samples = GuardedSession(allowed_networks=ANY_NETWORK, pool_size=1, user_agent=user_agent)

    def close(self) -> None:
        """Close the connections kept alive."""
        self._session.close()
        self._samples.close()

    def download(self, url: str, *, known: Validators = UNKNOWN) -> Download:
        """Download `url` over at most 10 redirects, unless the picture is still the `known` version.

        Raises:
            DownloadError: with a code of an image; `retryable` says whether another attempt may help.
            HostWait: the host needs a pause before it is asked.
        """
        with Deadline(self._timeout) as deadline:
            trip = _Trip(deadline)
            received: Download | _Request = _Request(url, known)
            while isinstance(received, _Request):
                received = self._visit(received, trip)
            return received

    def _visit(self, request: _Request, trip: _Trip) -> Download | _Request:
        """Pass the gate of the host, ask it once, and tell the gate how it answered. Returns what follows."""
        parts, session = self._checked(request.url)
        if request.pause:
            time.sleep(request.pause)
        with self._gate.visit(f"{parts.host}:{parts.port or PORTS[parts.scheme or '']}") as visit:
            try:
                received = self._ask(session, parts, request, trip)
            except DownloadError as error:
                visit.report(_answer(error))
                raise
            visit.report(_answer(received.doubt))
            return received

    def _ask(self, session: GuardedSession, parts: Url, request: _Request, trip: _Trip) -> Download | _Request:
        host, cookie = parts.host or "", trip.cookies.header(parts)
        begun = request.begun.headers if request.begun else {}
        try:
            trip.deadline.step(self._pace.seconds)
            headers = ACCEPT | request.known.conditions | begun | cookie
            with session.request("GET", parts, headers=headers) as response:
                trip.deadline.remaining()  # An expired deadline may look like the end of the head.
                if followed := self._follow(response, parts, request, trip):
                    trip.cookies.keep(response, parts)
                    discard(response)
                    return followed
                return self._receive(response, parts, request, trip)
        except NETWORK_ERRORS as error:
            raise _explain(error, host, trip.deadline) from error

    def _checked(self, url: str) -> tuple[Url, GuardedSession]:
        """The parts of the URL, which may be asked for, and the session for it."""
        try:
            if self._samples_url:
                parts = check_url(url, allowed_networks=ANY_NETWORK)
                if parts.url.startswith(self._samples_url):  # without `..`, which check_url has resolved
                    return parts, self._samples
            return check_url(url, allowed_networks=self._allowed_networks), self._session
        except (InvalidInput, ForbiddenAddress) as error:
            raise DownloadError(error.detail, code=error.code) from error

    def _follow(
        self, response: BaseHTTPResponse, parts: Url, request: _Request, trip: _Trip
    ) -> _Request | Download | None:
        """What follows from an answer without the picture; None if its body is wanted, or refused."""
        if request.known.conditions and response.status == HTTPStatus.NOT_MODIFIED:
            return Download(b"", request.known, not_modified=True)
        if request.known.conditions and response.status in REFUSED_CONDITIONS:
            return replace(request, known=UNKNOWN)
        if target := redirect_target(response, parts):
            # Validators belong to the first URL; a redirect may lead elsewhere while they stay the same.
            if request.redirects >= MAX_REDIRECTS:
                raise too_many_redirects(parts.host or "")
            return _Request(target, redirects=request.redirects + 1)
        if response.status == HTTPStatus.ACCEPTED and request.waits < MAX_WAITS:
            pause = retry_after(response.headers, at_most=MAX_RETRY_AFTER)
            if pause is not None and pause <= min(LONGEST_WAIT, trip.deadline.remaining()):
                return replace(request, pause=pause, waits=request.waits + 1)
        return None

    def _receive(self, response: BaseHTTPResponse, parts: Url, request: _Request, trip: _Trip) -> Download | _Request:
        host, begun = parts.host or "", request.begun
        if begun and response.status in ANSWERS_TO_RANGES and not continues(response, begun):
            return Download(begun.data, doubt=begun.error)
        if not 200 <= response.status < 300 or (not begun and content_range(response)[0]):
            discard(response)
            raise _refused(response, host)
        body = receive(response, host, pace=self._pace, max_bytes=self._max_bytes)
        if begun and response.status == HTTPStatus.PARTIAL_CONTENT:
            if len(begun.data) + len(body.data) > begun.total:
                return Download(begun.data, doubt=begun.error)
            body = Body(begun.data + body.data, body.broken)
        elif (total := content_range(response)[2]) > len(body.data):
            body = Body(body.data, body.broken or http.client.IncompleteRead(b"", total - len(body.data)))
        return self._received(response, body, host, request, trip)

    def _received(
        self, response: BaseHTTPResponse, body: Body, host: str, request: _Request, trip: _Trip
    ) -> Download | _Request:
        """The download, or the request that continues it where the host broke off."""
        doubt = _explain(body.broken, host, trip.deadline) if body.broken else None
        found = validators_of(response)
        if doubt and not trip.deadline.expired and request.resumes < MAX_RESUMES:
            begun = beginning(response, body.data, doubt, found=found)
            if begun:
                trip.deadline.extend(self._pace.seconds)
                return replace(request, known=UNKNOWN, begun=begun, pause=0.0, resumes=request.resumes + 1)
        if is_compressed(response):
            body = decompress(body, host, max_bytes=self._max_bytes)
            doubt = doubt or (_explain(body.broken, host, trip.deadline) if body.broken else None)
        if not body.data:
            raise doubt or DownloadError(
                f"{host} sent an empty file; check that the picture is there.", code="not_an_image"
            )
        return Download(body.data, UNKNOWN if request.redirects or doubt else found, doubt=doubt)


def _answer(error: DownloadError | None) -> Answer:
    """What `error` tells the gate of the host."""
    return Answer(Trouble(error.trouble) if error and error.trouble else None, error.retry_after if error else None)


def _refused(response: BaseHTTPResponse, host: str) -> DownloadError:
    status = response.status
    retryable = status in RETRYABLE or status >= 500
    advice = ADVICE.get(status, "try again later" if retryable else "check the URL in a browser")
    return DownloadError(
        f"{host} answered {status} instead of a picture; {advice}.",
        code=f"http_{status}",
        retryable=retryable,
        retry_after=retry_after(response.headers, at_most=MAX_RETRY_AFTER) if retryable else None,
        trouble=TROUBLES.get(status),
    )


def _explain(error: BaseException, host: str, deadline: Deadline) -> DownloadError:
    failure = explain(error, host=host, deadline=deadline)
    causes = list(causes_of(error))
    if failure.code == "connect_failed" and any(isinstance(cause, http.client.IncompleteRead) for cause in causes):
        return DownloadError(
            f"{host} sent only a part of the file; check that it is complete.", code="truncated_image", retryable=True
        )
    trouble = TROUBLE_OF_CODE.get(failure.code) if failure.retryable else None
    if any(isinstance(cause, Unreachable) for cause in causes):
        trouble = Trouble.AWAY
    return DownloadError(failure.detail, code=failure.code, retryable=failure.retryable, trouble=trouble)
