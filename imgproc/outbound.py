"""The only way out: an HTTP session that asks `netguard` about every connection."""

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
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from imgproc.deadline import Deadline
from imgproc.failures import NETWORK_ERRORS, causes_of
from imgproc.netguard import Network, check_address, literal_address

USER_AGENT = "imgproc/0.1"
SHORT_BODY_BYTES = 4096

# One answer of getaddrinfo: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


def guarded_session(
    *,
    allowed_networks: Sequence[Network],
    connect_timeout: float = 10.0,
    pool_size: int = 16,
    user_agent: str = USER_AGENT,
) -> requests.Session:
    """A keep-alive session for untrusted URLs, usable by several threads at once; use it within a `Deadline`.

    It connects only where `netguard.check_address` allows, keeps no cookies, follows no redirects (not even if asked),
    and reads neither proxies nor passwords from the environment. `connect_timeout` is in seconds, for each address
    tried; `pool_size` is the number of hosts, and of connections to each, kept open.
    """
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": user_agent, "Accept-Encoding": "identity"})
    adapter = _Adapter(allowed_networks, connect_timeout, pool_connections=pool_size, pool_maxsize=pool_size)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' signature
        """None: given a target, requests reads the whole body of the redirect, even an endless one, followed or not."""
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, allowed_networks: Sequence[Network], connect_timeout: float, **options: Any) -> None:
        self._allowed_networks = tuple(allowed_networks)
        self._connect_timeout = connect_timeout
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        pools: dict[str, Any] = {"http": _Pool, "https": _TLSPool}
        self.poolmanager.pool_classes_by_scheme = {
            scheme: partial(pool, allowed_networks=self._allowed_networks) for scheme, pool in pools.items()
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        try:
            return self._send_once(request, *args, **options)
        except requests.ConnectionError as error:
            # A host may hang up on a kept-alive connection just as we use it again. Repeating a GET is safe (RFC 9110).
            hung_up = any(isinstance(cause, (ConnectionResetError, BrokenPipeError)) for cause in causes_of(error))
            if request.method != "GET" or not hung_up:
                raise
        return self._send_once(request, *args, **options)

    def _send_once(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = (self._connect_timeout, Deadline.current().remaining())
        return super().send(request, *args, **options)


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        """Refuse contradictory lengths: urllib3 would do so later, when it no longer closes the socket."""
        super().begin()
        if len({length.strip() for length in ",".join(self.headers.get_all("Content-Length", [])).split(",")}) > 1:
            raise http.client.HTTPException("contradictory Content-Length")


class _Connection(HTTPConnection):
    """Looks its name up once, checks every address of the answer, and connects to those very addresses."""

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
            # For the TLS handshake, which Python times as a whole.
            connection.settimeout(Deadline.current().remaining())
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, socket_address: Any) -> None:
        address = ipaddress.ip_address(socket_address[0])
        check_address(address, self.port, host=self.host, allowed_networks=self._allowed_networks)

    def request(self, *args: Any, **options: Any) -> None:
        # Nothing has been sent yet, be the connection new or from the pool.
        if self.sock is None:
            self.connect()
        Deadline.current().watch(self.sock)
        super().request(*args, **options)


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def _look_up(host: str, port: int) -> Sequence[AddressInfo]:
    """The addresses of `host`, in the order to try them.

    Nothing can interrupt getaddrinfo, so a thread waits for it, and is left behind if the deadline comes first: it ends
    when the resolver gives up.

    Raises:
        socket.gaierror: there are none, or DNS did not say.
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
    except futures.TimeoutError as error:  # Not the built-in one before Python 3.11.
        raise TimeoutError("DNS did not answer in time") from error


def discard(response: requests.Response) -> None:
    """Drop the body of an answer. A short one is read to its end, so that the connection can be used again."""
    length = response.raw.length_remaining
    if length is not None and length <= SHORT_BODY_BYTES:
        with suppress(*NETWORK_ERRORS):
            response.raw.read(SHORT_BODY_BYTES, decode_content=False)
    response.close()


def retry_after(headers: Mapping[str, str], *, at_most: float) -> float | None:
    """Seconds until the server would be asked again (RFC 9110, Retry-After: seconds or a date), from 0 to `at_most`."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(float(value), at_most)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return max(0.0, min((date - datetime.now(timezone.utc)).total_seconds(), at_most))
