"""HTTP sessions for untrusted hosts, which check every address they connect to."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import ProtocolError, SSLError
from urllib3.util import Url

from imgproc.core.errors import HostWait, ImgprocError
from imgproc.pipeline.http.addresses import Network, check_url
from imgproc.pipeline.http.connection import Pool, StaleConnection, TLSPool
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, causes_of
from imgproc.pipeline.http.host_gate import Answer, HostGate, OpenGate, Trouble, Visit
from imgproc.pipeline.http.request_headers import USER_AGENT
from imgproc.pipeline.http.tls_trust import Trust, unverified_context
from imgproc.pipeline.http.urls import PORTS

SHORT_BODY_BYTES = 4096
MAX_CERTIFICATE_BYTES = 65_536
CERTIFICATE_SECONDS = 5.0
ASK_TO_WAIT = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
SECONDS = re.compile(r"\+?([0-9]{1,15}(?:\.[0-9]{0,9})?)\s*(?:s|secs?|seconds?)?(?:,.*)?", re.I)
CLOCK_SKEW = 5.0  # seconds; the answer takes some, and dates have whole seconds
EPOCH = 1e9  # a larger number of seconds is a time since 1970


class GuardedSession:
    """Keep-alive connections for untrusted URLs, usable by several threads at once; use it within a `Deadline`.

    It connects only where `addresses.check_address` allows, keeps no cookies, follows no redirects, and reads neither
    proxies nor passwords from the environment. `connect_timeout` is in seconds, for all addresses of a host together;
    a connection that was idle for more than `max_idle` seconds is replaced; `pool_size` is the number of hosts, and of
    connections to each, kept open; `ca_certs` is a PEM file of trusted authorities;
    `gate` limits the requests for certificates that hosts leave out.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[Network],
        connect_timeout: float = 10.0,
        max_idle: float = 15.0,
        pool_size: int = 16,
        user_agent: str = USER_AGENT,
        ca_certs: str | None = None,
        gate: HostGate | None = None,
    ) -> None:
        self._gate = gate or OpenGate()
        # HTTP/1.1 keeps connections alive by default, but some servers still answer as HTTP/1.0.
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Connection": "keep-alive"}
        self._pools = PoolManager(num_pools=pool_size, maxsize=pool_size)
        self._trust = Trust(ca_certs or certifi.where(), fetch=self._fetch_certificate)
        self._networks = tuple(allowed_networks)
        options: dict[str, Any] = {
            "allowed_networks": self._networks,
            "connect_timeout": connect_timeout,
            "max_idle": max_idle,
        }
        pools: dict[str, Any] = {"http": partial(Pool, **options), "https": partial(TLSPool, **options)}
        self._pools.pool_classes_by_scheme = pools

    def __enter__(self) -> GuardedSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections kept alive."""
        self._pools.clear()

    def request(
        self, method: str, url: Url, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> BaseHTTPResponse:
        """Send a request to `url`, as `addresses.check_url` returned it; the response's raw body is not read yet.

        Raises:
            OSError, urllib3.exceptions.HTTPError: `failures.explain` tells the reason.
        """
        try:
            return self._send_again_if_stale(method, url, headers, body)
        except SSLError as error:
            if not self._trust.complete(error, url, partial(self._certificate, url)):
                raise
        return self._send_again_if_stale(method, url, headers, body)

    def _send_again_if_stale(
        self, method: str, url: Url, headers: Mapping[str, str], body: bytes | None
    ) -> BaseHTTPResponse:
        deadline = Deadline.current()
        pool = self._pools.connection_from_host(url.host, url.port, url.scheme, pool_kwargs=self._trust.options(url))
        send = partial(self._send, pool, method, url, headers, body)
        try:
            return send()
        except ProtocolError as error:
            # A host may close a kept-alive connection just as we use it again, and a proxy may forget one. Repeating a
            # GET is safe (RFC 9110, 9.2.2).
            if method != "GET" or not any(isinstance(cause, StaleConnection) for cause in causes_of(error)):
                raise
        pool.forget_idle()  # type: ignore[attr-defined]  # our own class
        deadline.step(deadline.seconds)
        return send()

    def _send(
        self, pool: Any, method: str, url: Url, headers: Mapping[str, str], body: bytes | None
    ) -> BaseHTTPResponse:
        left = Deadline.current().remaining()
        response: BaseHTTPResponse = pool.urlopen(
            method,
            "/",
            target=url.request_uri,
            body=body,
            headers={**self._headers, **headers},
            # The deadline ends a read. A time-out of the socket would last for the body, which may take longer.
            timeout=Timeout(connect=left, read=None),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            Deadline.current().remaining()  # One that has expired may look like the end of the head.
        except TimeoutError:
            response.close()
            raise
        return response

    def _certificate(self, url: Url) -> bytes:
        """The certificate that the host shows, in DER. Nothing is sent over this connection."""
        pool = self._pools.pool_classes_by_scheme["https"](url.host, url.port, ssl_context=unverified_context())
        connection: Any = pool._new_conn()
        try:
            connection.connect()
            return bytes(connection.sock.getpeercert(binary_form=True))
        finally:
            connection.close()

    def _fetch_certificate(self, url: str) -> bytes:
        """The file at `url`, which stands in the certificate of a stranger: any rule for a download holds for it.

        Raises:
            ValueError: the URL is not allowed, its host is given up, or the answer is no file of the size of
                certificates.
            HostWait: its host needs a pause first.
        """
        try:
            parts = check_url(url, allowed_networks=self._networks)
        except ImgprocError as error:
            raise ValueError("not an address for certificates") from error
        host = f"{parts.host}:{parts.port or PORTS['http']}"
        try:
            with self._gate.visit(host, again=False) as visit:
                return self._certificate_at(parts, visit)
        except HostWait as wait:
            if wait.gone:
                raise ValueError(wait.detail) from wait
            raise

    def _certificate_at(self, parts: Url, visit: Visit) -> bytes:
        seconds = min(CERTIFICATE_SECONDS, Deadline.current().remaining())
        pool = self._pools.connection_from_host(parts.host, parts.port, parts.scheme)
        headers = {} if visit.keep_alive else {"Connection": "close"}
        try:
            with Deadline(seconds), self._send(pool, "GET", parts, headers, None) as response:
                body = response.read(MAX_CERTIFICATE_BYTES + 1, decode_content=False)
        except NETWORK_ERRORS:
            visit.report(Answer(Trouble.AWAY, answered=False))
            raise
        visit.report(Answer(Trouble.BUSY if response.status in ASK_TO_WAIT else None))
        if response.status != HTTPStatus.OK or len(body) > MAX_CERTIFICATE_BYTES:
            raise ValueError("not a certificate")
        return body


def discard(response: BaseHTTPResponse) -> None:
    """Drop the body of a response. A short one is read to its end, so that the connection can be reused."""
    length = response.length_remaining
    if length is not None and length <= SHORT_BODY_BYTES:
        with suppress(*NETWORK_ERRORS):
            response.read(SHORT_BODY_BYTES, decode_content=False)
    response.close()


def retry_after(headers: Mapping[str, str], *, at_most: float) -> float | None:
    """Seconds to wait as the server asks (RFC 9110, Retry-After: seconds or a date), from 0 to `at_most`.

    Fractions, a unit, and times since 1970 are understood too, as some servers send them.
    """
    value = headers.get("Retry-After", "").strip()
    if found := SECONDS.fullmatch(value):
        seconds = float(found[1])
        return max(0.0, min(seconds - time.time() if seconds > EPOCH else seconds, at_most))
    if (date := _date(value)) is None:
        return None
    now, theirs = datetime.now(timezone.utc), _date(headers.get("Date", ""))
    if theirs and abs((theirs - now).total_seconds()) > CLOCK_SKEW:
        now = theirs  # A date of a host whose clock is wrong is meant by that clock.
    return max(0.0, min((date - now).total_seconds(), at_most))


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
