"""Explains why an exchange over a guarded session failed."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from urllib3.exceptions import HTTPError, SSLError

from imgproc.core.errors import ForbiddenAddress
from imgproc.pipeline.http.deadline import Deadline

# Everything that an exchange raises because of the network or the other side; `explain` tells the reason.
NETWORK_ERRORS = (OSError, HTTPError)


@dataclass(frozen=True)
class Failure:
    """Why an exchange failed: a code of the wire contract, one plain sentence, and whether trying again may help."""

    code: str
    detail: str
    retryable: bool


# The exception beneath, its code, the end of a sentence about the host, and retryable. The first match counts.
_FAILURES: tuple[tuple[type[BaseException], str, str, bool], ...] = (
    (TimeoutError, "timeout", "did not answer in time; check that it is up and fast enough", True),
    (socket.gaierror, "dns_failed", "was not found; check how the host is spelled", False),
    (ssl.SSLError, "tls_failed", "could not be trusted; give it a valid certificate and current TLS", False),
    (SSLError, "tls_failed", "has a certificate for another name; give it one of its own", False),
    (ConnectionRefusedError, "connect_failed", "refuses connections; check that it is up", True),
    (ConnectionError, "connect_failed", "closed the connection before it had answered; check that it is up", True),
    (http.client.HTTPException, "connect_failed", "answered something that is not HTTP; check the host and port", True),
)


def explain(error: BaseException, *, host: str, deadline: Deadline) -> Failure:
    """The failure beneath `error`, one of `NETWORK_ERRORS`, however urllib3 has wrapped it."""
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, ForbiddenAddress):
            return Failure(cause.code, cause.detail, cause.retryable)
    if deadline.expired:
        detail = f"{host} did not finish within {deadline.seconds:g} s; check that it is up and fast enough."
        return Failure("timeout", detail, retryable=True)
    for kind, code, what, retryable in _FAILURES:
        for cause in causes:
            if isinstance(cause, kind):
                return Failure(code, f"{host} {what}.", retryable or _is_temporary(cause))
    return Failure("connect_failed", f"{host} could not be reached; check that it is up.", retryable=True)


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield `error`, its cause, the cause of that, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) and error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL}
