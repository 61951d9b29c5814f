"""URL -> source bytes, within limits on addresses, redirects, bytes and time."""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import DecodeError
from urllib3.util import Url

from imgproc.core.errors import DownloadError, ForbiddenAddress, InvalidInput
from imgproc.pipeline.http.addresses import ANY_NETWORK, PORTS, Network, check_url
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, causes_of, explain
from imgproc.pipeline.http.host_gate import Answer, HostGate, OpenGate, Trouble
from imgproc.pipeline.http.pages import is_page, page_error, picture_of
from imgproc.pipeline.http.refusals import challenged, refused
from imgproc.pipeline.http.request_headers import IMAGE_HEADERS, USER_AGENT, HostHeaders
from imgproc.pipeline.http.session import GuardedSession, discard
from imgproc.pipeline.http.share_links import direct_form
from imgproc.pipeline.http.unshareable_links import unshareable

MAX_REDIRECTS = 3
CHUNK_BYTES = 256 * 1024  # Most images take few reads, and a compression bomb is noticed early.
REDIRECTS = {301, 302, 303, 307, 308}

# We ask for no compression, but some hosts compress anyway. One layer is decompressed while streaming, and the limit
# counts decompressed bytes. Other values are ignored: some hosts label plain pictures "aws-chunked" or "utf-8".
COMPRESSIONS = {"gzip", "x-gzip", "deflate"}

# We keep these headers and send them back to the host: an entity-tag (RFC 9110, 8.8.3) in ASCII, and an HTTP date.
ETAG = re.compile(r'(W/)?"[!#-~]{0,250}"')
DATE = re.compile(r"[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9:]{8} GMT")


@dataclass(frozen=True)
class Validators:
    """The validators of one version of a picture (RFC 9110, 8.8); empty where the host gives none that we keep."""

    etag: str
    last_modified: str

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that request the picture only if it has changed (RFC 9110, 13.1)."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


UNKNOWN = Validators("", "")


@dataclass(frozen=True)
class Download:
    """The bytes and the host's validators. The content type that the host claims does not matter.

    `body` is empty only if the picture is `not_modified` since the validators that were sent.
    """

    body: bytes
    validators: Validators = UNKNOWN
    not_modified: bool = False


class Downloader:
    """Downloads untrusted URLs over kept-alive connections; one instance serves any number of threads.

    `timeout` is in seconds, from DNS to the last byte over all redirects; `max_bytes` bounds the body;
    `allowed_networks` may be reached although they are private, and so may URLs that begin with `samples_url`, which
    ends with a slash. `host_headers` are sent to their hosts alone. `gate` limits the requests to each host.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[Network],
        timeout: float,
        max_bytes: int,
        samples_url: str | None = None,
        pool_size: int = 16,
        user_agent: str = USER_AGENT,
        host_headers: HostHeaders | None = None,
        gate: HostGate | None = None,
    ) -> None:
        self._gate = gate or OpenGate()
        self._host_headers = host_headers or HostHeaders()
        self._allowed_networks = tuple(allowed_networks)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._session = GuardedSession(allowed_networks=allowed_networks, pool_size=pool_size, user_agent=user_agent)
        # Samples have connections of their own, so that no other URL is asked for over one of these.
        self._samples_url = samples_url
        self._samples = GuardedSession(allowed_networks=ANY_NETWORK, pool_size=1, user_agent=user_agent)

    def close(self) -> None:
        """Close the connections kept alive."""
        self._session.close()
        self._samples.close()

    def download(self, url: str, *, known: Validators = UNKNOWN, again: bool = False) -> Download:
        """Download `url` over at most 3 redirects, unless the picture is still the `known` version.

        A share link is replaced by the URL of the file.

        Raises:
            DownloadError: with a code of an image; `retryable` says whether another attempt may help.
            HostWait: the host needs a pause before it is asked.
        """
        with Deadline(self._timeout) as deadline:
            link = None
            for hop in range(1 + MAX_REDIRECTS):
                if link is None and (link := _share_link(url)):  # Once: a service may redirect to its page again.
                    url = link
                # Validators belong to the first URL; a redirect may lead elsewhere while they stay the same.
                received = self._visit(url, deadline, UNKNOWN if hop else known, again=again)
                if isinstance(received, Download):
                    return replace(received, validators=UNKNOWN) if hop else received
                url = received
        raise DownloadError(
            f"The URL redirects more than {MAX_REDIRECTS} times; give the one it ends at.", code="too_many_redirects"
        )

    def _visit(self, url: str, deadline: Deadline, known: Validators, *, again: bool) -> Download | str:
        """Pass the gate of the host, ask it once, and tell the gate how it answered. Returns a redirect's target."""
        parts, session = self._checked(url)
        host = f"{parts.host}:{parts.port or PORTS[parts.scheme or '']}"
        with self._gate.visit(host, again=again) as visit:
            try:
                received = self._ask(session, parts, deadline, known, visit)
            except DownloadError as error:
                error.host = host
                _report(visit, error)
                raise
            visit.report(Answer(pause=visit.pause))
            return received

    def _ask(
        self, session: GuardedSession, parts: Url, deadline: Deadline, known: Validators, visit: Visit
    ) -> Download | str:
        host, conditions = parts.host or "", known.conditions
        connection = {} if visit.keep_alive else {"Connection": "close"}
        try:
            with session.request(
                "GET", parts, headers=IMAGE_HEADERS | self._host_headers.of(host) | conditions
            ) as response:
                if conditions and response.status == HTTPStatus.NOT_MODIFIED:
                    discard(response)
                    return Download(b"", known, not_modified=True)
                target = _redirect_target(response, parts)
                if target is None:
                    return self._receive(response, parts, deadline)
                discard(response)
                return target
        except NETWORK_ERRORS as error:
            raise _explain(error, host, deadline) from error

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

    def _receive(self, response: BaseHTTPResponse, url: Url, deadline: Deadline) -> Download | str:
        """The picture, or the URL that a page around it leads to."""
        host = url.host or ""
        if not 200 <= response.status < 300:
            raise refused(response, url)
        if challenge := challenged(response, url):
            raise challenge
        if (response.length_remaining or 0) > self._max_bytes:
            raise self._too_large(host)
        compressed = response.headers.get("Content-Encoding", "").strip().lower() in COMPRESSIONS
        # A body of known length is read in one piece, so nothing has to be joined.
        at_most = CHUNK_BYTES if compressed else response.length_remaining or CHUNK_BYTES
        chunks, size = [], 0
        while chunk := response.read(at_most, decode_content=compressed):
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large(host)
            chunks.append(chunk)
        deadline.remaining()  # The deadline also ends a body without a length.
        if not size:
            raise DownloadError(f"{host} sent an empty file; check that the picture is there.", code="not_an_image")
        body = b"".join(chunks)
        if is_page(body):
            if target := picture_of(body, url):
                return target
            if error := page_error(body, url):
                raise error
        return Download(body, _validators(response))

    def _too_large(self, host: str) -> DownloadError:
        return DownloadError(
            f"{host} sends more than the {self._max_bytes:,} bytes an image may have; give a smaller one.",
            code="file_too_large",
        )


def _share_link(url: str) -> str | None:
    """The URL of the file that the share link `url` leads to; None if it is no share link."""
    if what := unshareable(url):
        raise DownloadError(f"{urlsplit(url).hostname} {what}.", code="invalid_url")
    link = direct_form(url)
    return link.url if link else None


def _validators(response: BaseHTTPResponse) -> Validators:
    etag, date = (response.headers.get(name, "").strip() for name in ("ETag", "Last-Modified"))
    return Validators(etag if ETAG.fullmatch(etag) else "", date if DATE.fullmatch(date) else "")


def _redirect_target(response: BaseHTTPResponse, url: Url) -> str | None:
    """The URL that `response` redirects to; None if it is not a redirect."""
    if response.status not in REDIRECTS or "Location" not in response.headers:
        return None
    # Headers are decoded as Latin-1, but hosts send UTF-8.
    target = response.headers["Location"].encode("latin-1").decode("utf-8", "replace")
    try:
        return urljoin(url.url, target)
    except ValueError:
        return target  # Not a URL; the check of the next hop refuses it.


def _explain(error: BaseException, host: str, deadline: Deadline) -> DownloadError:
    failure = explain(error, host=host, deadline=deadline)
    if failure.code == "connect_failed":
        if isinstance(error, DecodeError):
            return DownloadError(
                f"{host} says the file is compressed, but it is not; correct its Content-Encoding.",
                code="corrupt_image",
            )
        if any(isinstance(cause, http.client.IncompleteRead) for cause in causes_of(error)):
            return DownloadError(
                f"{host} sent only a part of the file; check that it is complete.",
                code="truncated_image",
                retryable=True,
            )
    return DownloadError(failure.detail, code=failure.code, retryable=failure.retryable, trouble=failure.trouble)
