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
from imgproc.core.metrics import StageSeconds
from imgproc.pipeline.http.addresses import ANY_NETWORK, Network, check_url
from imgproc.pipeline.http.body import Body, Pace, decompress, receive, unreadable_coding
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS
from imgproc.pipeline.http.host_gate import HostGate, OpenGate, Visit
from imgproc.pipeline.http.pages import is_page, page_error, picture_of
from imgproc.pipeline.http.rate_headers import requested_pause
from imgproc.pipeline.http.redirects import MAX_REDIRECTS, redirect_target, refresh_target, too_many_redirects
from imgproc.pipeline.http.refusals import challenged, refused
from imgproc.pipeline.http.request_headers import IMAGE_HEADERS, Identity
from imgproc.pipeline.http.resume import beginning, content_range, continues
from imgproc.pipeline.http.session import ASK_TO_WAIT, GuardedSession, discard, retry_after
from imgproc.pipeline.http.trip import Request, Trip, share_link
from imgproc.pipeline.http.urls import PORTS
from imgproc.pipeline.http.validators import UNKNOWN, Validators, validators_of
from imgproc.pipeline.http.verdicts import explain_download, report

MAX_WAITS = 3  # answers 202 that a download waits for
LONGEST_WAIT = 5.0  # seconds
MAX_RESUMES = 3
MAX_RETRY_AFTER = 3600.0
# A server that cannot evaluate our conditions refuses them instead of ignoring them.
REFUSED_CONDITIONS = {HTTPStatus.BAD_REQUEST, HTTPStatus.PRECONDITION_FAILED}
DAMAGED = {"truncated_image", "corrupt_image"}
ANSWERS_TO_RANGES = {HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}


@dataclass(frozen=True)
class Download:
    """The bytes and the host's validators. The content type that the host claims does not matter.

    `body` is empty only if the picture is `not_modified` since the validators that were sent. `doubt` is the error to
    report if the body turns out not to be a whole picture: the host broke off, or announced more than it sent.
    `disguise` is the error to report if it is no picture: the host names a compression that we cannot undo.
    """

    body: bytes
    validators: Validators = UNKNOWN
    not_modified: bool = False
    doubt: DownloadError | None = None
    disguise: DownloadError | None = field(default=None, compare=False)

    def reason_of(self, code: str) -> DownloadError | None:
        """The error to report instead of the image stage's `code`, if the host is the cause."""
        return self.disguise if code == "not_an_image" else self.doubt if code in DAMAGED else None


class Downloader:
    """Downloads untrusted URLs over kept-alive connections; one instance serves any number of threads.

    `timeout` is in seconds, over all redirects and without the body, whose speed is bounded by `pace`. `max_bytes`
    bounds the body, and so its time; `allowed_networks` may be reached although they are private, and so may URLs that
    begin with `samples_url`, which ends with a slash. `identity` says who asks, and `gate` limits the requests to each
    host.
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
        identity: Identity = Identity(),  # noqa: B008 - frozen
        gate: HostGate | None = None,
    ) -> None:
        self._gate = gate or OpenGate()
        self._host_headers = identity.host_headers
        self._allowed_networks = tuple(allowed_networks)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._pace = replace(pace, seconds=min(pace.seconds, timeout))
        self._session = GuardedSession(
            allowed_networks=allowed_networks, pool_size=pool_size, user_agent=identity.user_agent, gate=self._gate
        )
        # Samples have connections of their own, so that no other URL is asked for over one of these.
        self._samples_url = samples_url
        self._samples = GuardedSession(allowed_networks=ANY_NETWORK, pool_size=1, user_agent=identity.user_agent)

    def close(self) -> None:
        """Close the connections kept alive."""
        self._session.close()
        self._samples.close()

    def download(
        self, url: str, *, known: Validators = UNKNOWN, again: bool = False, spent: StageSeconds | None = None
    ) -> Download:
        """Download `url` over at most 10 redirects, unless the picture is still the `known` version.

        A share link is replaced by the URL of the file. `again` says that its host has refused the picture several
        times. What its stages take is added to `spent`, also if it fails.

        Raises:
            DownloadError: with a code of an image; `retryable` says whether another attempt may help.
            HostWait: the host needs a pause before it is asked.
        """
        with Deadline(self._timeout, spent=spent) as deadline:
            trip = Trip(deadline, again)
            received: Download | Request = Request(url, known)
            while isinstance(received, Request):
                received = self._visit(received, trip)
            return received

    def _visit(self, request: Request, trip: Trip) -> Download | Request:
        """Pass the gate of the host, ask it once, and tell the gate how it answered. Returns what follows."""
        if not request.shared and (link := share_link(request.url)):
            request = replace(request, url=link, shared=True)  # once: a service may redirect to its page again
        parts, session = self._checked(request.url)
        if request.pause:
            time.sleep(request.pause)
        host = f"{parts.host}:{parts.port or PORTS[parts.scheme or '']}"
        with self._gate.visit(host, again=trip.again) as visit:
            try:
                received = self._ask(session, parts, request, trip, visit)
            except DownloadError as error:
                error.host = host
                report(visit, error)
                raise
            report(visit, received.doubt)
            return received

    def _ask(
        self, session: GuardedSession, parts: Url, request: Request, trip: Trip, visit: Visit
    ) -> Download | Request:
        host = parts.host or ""
        headers = IMAGE_HEADERS | trip.cookies.header(parts) | self._host_headers.of(host)
        headers |= request.known.conditions | (request.begun.headers if request.begun else {})
        headers |= {} if visit.keep_alive else {"Connection": "close"}
        try:
            trip.deadline.step(self._pace.seconds)
            with session.request("GET", parts, headers=headers) as response:
                visit.pause = requested_pause(response.headers, refused=response.status in ASK_TO_WAIT)
                if followed := self._follow(response, parts, request, trip):
                    trip.cookies.keep(response, parts)
                    discard(response)
                    return followed
                return self._receive(response, parts, request, trip)
        except NETWORK_ERRORS as error:
            raise explain_download(error, host, trip.deadline) from error

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
        self, response: BaseHTTPResponse, parts: Url, request: Request, trip: Trip
    ) -> Request | Download | None:
        """What follows from an answer without the picture; None if its body is wanted, or refused."""
        if request.known.conditions and response.status == HTTPStatus.NOT_MODIFIED:
            return Download(b"", request.known, not_modified=True)
        if request.known.conditions and response.status in REFUSED_CONDITIONS:
            return replace(request, known=UNKNOWN)
        if target := redirect_target(response, parts):
            # Validators belong to the first URL; a redirect may lead elsewhere while they stay the same.
            if request.redirects >= MAX_REDIRECTS:
                raise too_many_redirects(parts.host or "")
            return Request(target, redirects=request.redirects + 1, shared=request.shared)
        if response.status == HTTPStatus.ACCEPTED and request.waits < MAX_WAITS:
            pause = retry_after(response.headers, at_most=MAX_RETRY_AFTER)
            if pause is not None and pause <= min(LONGEST_WAIT, trip.deadline.remaining()):
                return replace(request, pause=pause, waits=request.waits + 1)
        return None

    def _receive(self, response: BaseHTTPResponse, parts: Url, request: Request, trip: Trip) -> Download | Request:
        host, begun = parts.host or "", request.begun
        if begun and response.status in ANSWERS_TO_RANGES and not continues(response, begun):
            return Download(begun.data, doubt=begun.error)
        if not 200 <= response.status < 300 or (not begun and content_range(response)[0]):
            raise refused(response, parts)
        if challenge := challenged(response, parts):
            raise challenge
        body = receive(response, host, pace=self._pace, max_bytes=self._max_bytes)
        if begun and response.status == HTTPStatus.PARTIAL_CONTENT:
            if len(begun.data) + len(body.data) > begun.total:
                return Download(begun.data, doubt=begun.error)
            body = Body(begun.data + body.data, body.broken)
        elif (total := content_range(response)[2]) > len(body.data):
            body = Body(body.data, body.broken or http.client.IncompleteRead(b"", total - len(body.data)))
        return self._received(response, body, parts, request, trip)

    def _received(
        self, response: BaseHTTPResponse, body: Body, parts: Url, request: Request, trip: Trip
    ) -> Download | Request:
        """The download, or the request that continues it: where the host broke off, or to the picture of a page."""
        host = parts.host or ""
        doubt = explain_download(body.broken, host, trip.deadline) if body.broken else None
        found = validators_of(response)
        if doubt and not trip.deadline.expired and request.resumes < MAX_RESUMES:
            begun = beginning(response, body.data, doubt, found=found)
            if begun:
                trip.deadline.extend(self._pace.seconds)
                return replace(request, known=UNKNOWN, begun=begun, pause=0.0, resumes=request.resumes + 1)
        body = decompress(body, response, host, max_bytes=self._max_bytes)
        doubt = doubt or (explain_download(body.broken, host, trip.deadline) if body.broken else None)
        if not body.data or is_page(body.data):
            if target := picture_of(body.data, parts) or refresh_target(response, body.data, parts):
                if request.redirects >= MAX_REDIRECTS:
                    raise too_many_redirects(host)
                return replace(request, url=target, redirects=request.redirects + 1, known=UNKNOWN, begun=None)
            if error := page_error(body.data, parts):
                raise error
        if not body.data:
            raise doubt or DownloadError(
                f"{host} sent an empty file; check that the picture is there.", code="not_an_image"
            )
        disguise = unreadable_coding(response, host)
        return Download(body.data, UNKNOWN if request.redirects or doubt else found, doubt=doubt, disguise=disguise)
