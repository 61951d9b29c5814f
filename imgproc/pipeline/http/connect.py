"""Host -> an open socket to one of its addresses, each of which is checked before anything is dialled.

A host with several addresses is dialled as Happy Eyeballs says (RFC 8305): a dead one costs 250 ms.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import suppress
from typing import Any

from imgproc.core.metrics import timed
from imgproc.pipeline.http.addresses import Address, literal_address
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NoDNSAnswer, Unreachable

ATTEMPT_DELAY = 0.25  # seconds that an attempt has before the next address is dialled too (RFC 8305, 5)
MAX_DIALLED = 10  # addresses of a host that are dialled; all are checked

# One answer of getaddrinfo: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
Check = Callable[[Address], None]


def connect(host: str, port: int, *, seconds: float, check: Check) -> socket.socket:
    """A connection to `host`, made within `seconds` and the current deadline.

    `check` raises for a forbidden address. It sees every address of the host before one is dialled, and the address of
    the peer at the end.

    Raises:
        OSError: no address accepted; `Unreachable` if none answered in time; whatever `check` raises.
    """
    addresses = _look_up(host, port)
    for *_, socket_address in addresses:
        check(ipaddress.ip_address(socket_address[0]))
    if not addresses:
        raise OSError(f"{host} has no addresses")
    try:
        with timed("connect", Deadline.current().spent):
            connection = _dial(addresses, min(seconds, Deadline.current().remaining()))
    except TimeoutError as error:
        raise Unreachable(f"{host} did not accept a connection in time") from error
    try:
        check(ipaddress.ip_address(connection.getpeername()[0]))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # This also bounds the TLS handshake, which Python times as a whole.
        connection.settimeout(Deadline.current().remaining())
    except BaseException:
        connection.close()
        raise
    return connection


def _look_up(host: str, port: int) -> Sequence[AddressInfo]:
    """The addresses of `host`, in the order to try them.

    Nothing can interrupt getaddrinfo, so a thread waits for it. At the deadline the thread is abandoned; it ends when
    the resolver gives up.

    Raises:
        socket.gaierror: the host has no addresses, or DNS failed.
        NoDNSAnswer: DNS did not answer by the deadline.
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
        with timed("dns", Deadline.current().spent):
            return answer.result(timeout=Deadline.current().remaining())
    except futures.TimeoutError as error:  # Not the built-in TimeoutError before Python 3.11.
        raise NoDNSAnswer("DNS did not answer in time") from error


def _dial(addresses: Sequence[AddressInfo], seconds: float) -> socket.socket:
    """The first connection that one of the addresses accepts."""
    if len(addresses) > 1:
        return _race(list(_alternating(addresses))[:MAX_DIALLED], time.monotonic() + seconds)
    family, kind, protocol, _, address = addresses[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _alternating(addresses: Sequence[AddressInfo]) -> Iterator[AddressInfo]:
    """The families in turns, beginning with that of the first address (RFC 8305, 4)."""
    first = addresses[0][0]
    families = [each for each in addresses if each[0] == first], [each for each in addresses if each[0] != first]
    return (each for pair in itertools.zip_longest(*families) for each in pair if each)


def _race(addresses: list[AddressInfo], ends: float) -> socket.socket:
    """Dial the addresses one after the other, the next after 250 ms or a failure; the first that accepts wins."""
    failure = OSError("no address accepted")
    with selectors.DefaultSelector() as selector:
        try:
            while addresses or selector.get_map():
                if addresses:
                    try:
                        _begin(addresses.pop(0), selector)
                    except OSError as error:
                        failure = error
                        continue
                patience = ends - time.monotonic()
                if patience <= 0:
                    raise TimeoutError("no address accepted in time")
                for key, _ in selector.select(min(patience, ATTEMPT_DELAY) if addresses else patience):
                    connection: socket.socket = selector.unregister(key.fileobj).fileobj  # type: ignore[assignment]  # what _begin registered
                    if not (number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                        return connection
                    connection.close()
                    failure = OSError(number, os.strerror(number))
            raise failure
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # what _begin registered


def _begin(info: AddressInfo, selector: selectors.BaseSelector) -> None:
    family, kind, protocol, _, address = info
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.connect(address)
        selector.register(connection, selectors.EVENT_WRITE)
    except BaseException:
        connection.close()
        raise
