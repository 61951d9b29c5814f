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
from imgproc.pipeline.http.host_gate import Trouble
from imgproc.pipeline.http.tls_faults import IncompleteChain, tls_fault

# Everything that an exchange raises because of the network or the other side; `explain` tells the reason.
NETWORK_ERRORS = (OSError, HTTPError)


@dataclass(frozen=True)
class Failure:
    """Why an exchange failed: a code of the wire contract, one plain sentence, and whether trying again may help.

    `trouble` says that the host, not what was asked for, is the reason.
    """

    code: str
    detail: str
    retryable: bool
    trouble: Trouble | None = None


class Unreachable(TimeoutError):
    """None of the host's addresses accepted a connection in time."""


class NoDNSAnswer(TimeoutError):
    """DNS did not answer by the deadline."""


# DNS servers that do not answer or fail, and a resolver that has no memory or no descriptor left.
TEMPORARY_DNS = {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY, socket.EAI_SYSTEM}
NO_DNS = "could not be looked up, because DNS did not answer; check its name servers, or try again later"

# The kind of a cause, the code, the sentence without the host that begins it, `retryable` and `trouble` of a `Failure`.
# The first match counts.
_FAILURES: tuple[tuple[type[BaseException], str, str, bool, Trouble | None], ...] = (
    (NoDNSAnswer, "timeout", NO_DNS, True, Trouble.AWAY),
    (Unreachable, "timeout", "did not accept a connection in time; check that it is up", True, Trouble.AWAY),
    (TimeoutError, "timeout", "did not answer in time; check that it is up and fast enough", True, Trouble.SLOW),
    (socket.gaierror, "dns_failed", "was not found; check how the host is spelled", False, None),
    (SSLError, "tls_failed", "has a certificate for another name; give it one of its own", False, None),
    (ConnectionRefusedError, "connect_failed", "refuses connections; check that it is up", True, Trouble.AWAY),
    (
        ConnectionError,
        "connect_failed",
        "closed the connection before it had answered; check that it is up",
        True,
        Trouble.AWAY,
    ),
    (
        http.client.HTTPException,
        "connect_failed",
        "answered something that is not HTTP; check the host and port",
        True,
        Trouble.AWAY,
    ),
)


def explain(error: BaseException, *, host: str, deadline: Deadline) -> Failure:
    """The failure beneath `error`, one of `NETWORK_ERRORS`, however urllib3 has wrapped it."""
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, IncompleteChain):  # whatever hindered us from completing it
            break
        if isinstance(cause, ForbiddenAddress):
            return Failure(cause.code, cause.detail, cause.retryable)
    if deadline.expired and not any(isinstance(cause, (NoDNSAnswer, Unreachable)) for cause in causes):
        detail = f"{host} did not finish within {deadline.seconds:g} s; check that it is up and fast enough."
        return Failure("timeout", detail, retryable=True, trouble=Trouble.SLOW)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, TimeoutError):
            fault = tls_fault(cause)
            return Failure("tls_failed", f"{host} {fault.what}.", fault.retryable, fault.trouble)
        if isinstance(cause, socket.gaierror) and cause.errno in TEMPORARY_DNS:
            return Failure("dns_failed", f"{host} {NO_DNS}.", retryable=True, trouble=Trouble.AWAY)
    for kind, code, what, retryable, trouble in _FAILURES:
        if any(isinstance(cause, kind) for cause in causes):
            return Failure(code, f"{host} {what}.", retryable, trouble)
    detail = f"{host} could not be reached; check that it is up."
    return Failure("connect_failed", detail, retryable=True, trouble=Trouble.AWAY)


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield `error`, its cause, the cause of that, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
