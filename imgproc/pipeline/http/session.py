"""HTTP sessions for untrusted hosts, which check every address they connect to."""

from __future__ import annotations

import http.client
import ipaddress
import math
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent import futures
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError, SSLError
from urllib3.util import Url

from imgproc.core.errors import ImgprocError
from imgproc.pipeline.http.addresses import Network, check_address, check_url, literal_address
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, NoDNSAnswer, causes_of
from imgproc.pipeline.http.request_headers import USER_AGENT
from imgproc.pipeline.http.tls_trust import Trust, blind_context

SHORT_BODY_BYTES = 4096
MAX_CERTIFICATE_BYTES = 65_536
CERTIFICATE_SECONDS = 5.0

# One answer of getaddrinfo: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


class GuardedSession:
    """Keep-alive connections for untrusted URLs, usable by several threads at once; use it within a `Deadline`.

    It connects only where `addresses.check_address` allows, keeps no cookies, follows no redirects, and reads neither
    proxies nor passwords from the environment. `connect_timeout` is in seconds, for each address tried; `pool_size` is
    the number of hosts, and of connections to each, kept open; `ca_certs` is a PEM file of trusted authorities.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[Network],
        connect_timeout: float = 10.0,
        pool_size: int = 16,
        user_agent: str = USER_AGENT,
        ca_certs: str | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        # HTTP/1.1 keeps connections alive by default, but some servers still answer as HTTP/1.0.
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Connection": "keep-alive"}
        self._pools = PoolManager(num_pools=pool_size, maxsize=pool_size)
        self._trust = Trust(ca_certs or certifi.where(), fetch=self._fetch_certificate)
        self._networks = networks = tuple(allowed_networks)
        guarded: dict[str, Any] = {
            "http": partial(_Pool, allowed_networks=networks),
            "https": partial(_TLSPool, allowed_networks=networks),
        }
        self._pools.pool_classes_by_scheme = guarded

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
            return self._send_once(method, url, headers, body)
        except SSLError as error:
            if not self._trust.complete(error, url, partial(self._certificate, url)):
                raise
        return self._send_once(method, url, headers, body)

    def _send_once(self, method: str, url: Url, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        try:
            return self._send(method, url, headers, body)
        except ProtocolError as error:
            # A host may close a kept-alive connection just as we use it again. Repeating a GET is safe (RFC 9110).
            hung_up = any(isinstance(cause, (ConnectionResetError, BrokenPipeError)) for cause in causes_of(error))
            if method != "GET" or not hung_up:
                raise
        return self._send(method, url, headers, body)

    def _send(self, method: str, url: Url, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        return self._pools.connection_from_host(
            url.host, url.port, url.scheme, pool_kwargs=self._trust.options(url)
        ).urlopen(
            method,
            url.request_uri,
            body=body,
            headers={**self._headers, **headers},
            timeout=Timeout(connect=self._connect_timeout, read=Deadline.current().remaining()),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def _certificate(self, url: Url) -> bytes:
        """The certificate that the host shows, in DER. Nothing is sent over this connection."""
        pool = self._pools.pool_classes_by_scheme["https"](url.host, url.port, ssl_context=blind_context())
        connection: Any = pool._new_conn()
        try:
            connection.connect()
            return bytes(connection.sock.getpeercert(binary_form=True))
        finally:
            connection.close()

    def _fetch_certificate(self, url: str) -> bytes:
        """The file at `url`, which stands in the certificate of a stranger: any rule for a download holds for it.

        Raises:
            ValueError: the URL is not allowed, or the answer is no file of the size of certificates.
        """
        try:
            parts = check_url(url, allowed_networks=self._networks)
        except ImgprocError as error:
            raise ValueError("not an address for certificates") from error
        seconds = min(CERTIFICATE_SECONDS, Deadline.current().remaining())
        with Deadline(seconds), self._send("GET", parts, {}, None) as response:
            body = response.read(MAX_CERTIFICATE_BYTES + 1, decode_content=False)
        if response.status != HTTPStatus.OK or len(body) > MAX_CERTIFICATE_BYTES:
            raise ValueError("not a certificate")
        return body


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        """Refuse contradictory lengths now; urllib3 does so later, when it no longer closes the socket."""
        super().begin()
        if len({length.strip() for length in ",".join(self.headers.get_all("Content-Length", [])).split(",")}) > 1:
            raise http.client.HTTPException("contradictory Content-Length")


class _LastResponse(_Response):
    """Ends its connection, although the server would keep it open."""

    def begin(self) -> None:
        super().begin()
        self.will_close = True


class _Connection(HTTPConnection):
    """Resolves the host once, checks every address, and connects to one of these addresses."""

    response_class = _Response

    def __init__(self, *args: Any, allowed_networks: tuple[Network, ...], **options: Any) -> None:
        super().__init__(*args, **options)
        self._allowed_networks = allowed_networks

    def _new_conn(self) -> socket.socket:
        addresses = _look_up(self._dns_host, self.port)
        for *_, socket_address in addresses:
            self._check(socket_address)
        failure = OSError(f"{self._dns_host} has no addresses")
        for address in addresses:
            try:
                return self._connect(*address)
            except OSError as error:
                failure = error
        raise failure

    def _connect(
        self, family: socket.AddressFamily, kind: socket.SocketKind, protocol: int, _name: str, address: Any
    ) -> socket.socket:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(min(self.timeout or math.inf, Deadline.current().remaining()))
            connection.connect(address)
            self._check(connection.getpeername())
            # This also bounds the TLS handshake, which Python times as a whole.
            connection.settimeout(Deadline.current().remaining())
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, socket_address: Any) -> None:
        address = ipaddress.ip_address(socket_address[0])
        check_address(address, self.port, host=self.host, allowed_networks=self._allowed_networks)

    def request(self, *args: Any, **options: Any) -> None:
        # Nothing has been sent yet, whether the connection is new or from the pool.
        if self.sock is None:
            self.connect()
        Deadline.current().watch(self.sock)
        is_last = (options.get("headers") or {}).get("Connection") == "close"
        self.response_class = _LastResponse if is_last else _Response
        super().request(*args, **options)


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def _look_up(host: str, port: int) -> Sequence[AddressInfo]:
    """The addresses of `host`, in the order to try them.

    Nothing can interrupt getaddrinfo, so a thread waits for it. At the deadline the thread is abandoned; it ends when
    the resolver gives up.

    Raises:
        socket.gaierror: the host has no addresses, or DNS failed.
        TimeoutError: DNS did not answer by the deadline.
    """
    literal = literal_address(host)
    if literal is not None:
        return socket.getaddrinfo(str(literal), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    answer: futures.Future[Sequence[AddressInfo]] = futures.Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answer.set_exception(error)
        except UnicodeError as error:
            answer.set_exception(socket.gaierror(socket.EAI_NONAME, str(error)))

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        return answer.result(timeout=Deadline.current().remaining())
    except futures.TimeoutError as error:  # Not the built-in TimeoutError before Python 3.11.
        raise NoDNSAnswer("DNS did not answer in time") from error


def discard(response: BaseHTTPResponse) -> None:
    """Drop the body of a response. A short one is read to its end, so that the connection can be reused."""
    length = response.length_remaining
    if length is not None and length <= SHORT_BODY_BYTES:
        with suppress(*NETWORK_ERRORS):
            response.read(SHORT_BODY_BYTES, decode_content=False)
    response.close()


def retry_after(headers: Mapping[str, str], *, at_most: float) -> float | None:
    """Seconds to wait as the server asks (RFC 9110, Retry-After: seconds or a date), from 0 to `at_most`."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(float(value), at_most)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return max(0.0, min((date - datetime.now(timezone.utc)).total_seconds(), at_most))
