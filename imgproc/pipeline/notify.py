"""Payload -> one POST, signed as Standard Webhooks specifies (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import codecs
import json
import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from standardwebhooks import Webhook
from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.core.delivery_errors import DeliveryError, ReceiverAnswer
from imgproc.core.errors import ForbiddenAddress, InvalidInput
from imgproc.core.redaction import redact
from imgproc.core.terminal import printable, printable_lines
from imgproc.pipeline.http.addresses import Network, check_url
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, explain
from imgproc.pipeline.http.receiver_faults import explain_answer, explain_failure
from imgproc.pipeline.http.session import GuardedSession, discard, retry_after

# The longest step of the default retry schedule.
MAX_RETRY_AFTER = 86_400.0

SHOWN_BYTES = 1024  # of the body of an answer
SHOWN_CHARS = 300  # of a header of an answer
BODY_SECONDS = 1.0  # for the beginning of the body; the status alone decides
# Headers of an answer that tell who answered, what, and where to find it in a log there.
SHOWN_HEADERS = (
    *("Content-Type", "Content-Length", "Content-Encoding", "Location", "Retry-After", "Allow", "WWW-Authenticate"),
    *("Server", "Via", "X-Request-Id", "CF-Ray"),
)


def generate_secret() -> str:
    """A new signing secret: `whsec_` and 256 random bits in base64, as the spec asks."""
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


@dataclass(frozen=True)
class SignedWebhook:
    """A webhook as it is sent: the headers of the specification, and the exact body."""

    headers: dict[str, str]
    body: str


def body_of(payload: Mapping[str, Any]) -> str:
    """The exact body that is sent for `payload`: compact JSON in ASCII."""
    return json.dumps(payload, separators=(",", ":"))


def sign(
    payload: Mapping[str, Any], *, webhook_id: str, secrets: Sequence[str], traceparent: str | None = None
) -> SignedWebhook:
    """Sign `payload` for one attempt; `webhook_id` is the same for all attempts.

    `traceparent` names the trace of the request, for a receiver that has traces too (W3C Trace Context).

    Each of `secrets` (`whsec_` and base64) adds a signature, separated by a space. A receiver accepts any one that
    matches, so a secret can be replaced while both are valid.

    Raises:
        DeliveryError: `no_webhook_secret`.
    """
    if not secrets:
        raise DeliveryError("There is no secret to sign with; set WEBHOOK_SECRET.", code="no_webhook_secret")
    now, body = datetime.now(timezone.utc), body_of(payload)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, now, body) for secret in secrets),
    }
    if traceparent:
        headers["traceparent"] = traceparent
    return SignedWebhook(headers, body)


class Notifier:
    """Posts signed webhooks; one instance serves any number of threads.

    `timeout` is the seconds of one attempt, from DNS to the response; `allowed_networks` may be reached although they
    are private.
    """

    def __init__(self, *, allowed_networks: Sequence[Network], timeout: float = 15.0) -> None:
        self._allowed_networks = tuple(allowed_networks)
        self._timeout = timeout
        self._session = GuardedSession(allowed_networks=allowed_networks)

    def close(self) -> None:
        """Close the connections kept alive."""
        self._session.close()

    def notify(self, url: str, webhook: SignedWebhook) -> ReceiverAnswer:
        """Make one attempt to deliver `webhook`; the answer is 2xx.

        Raises:
            DeliveryError: the receiver did not accept; not `retryable` if it never will.
        """
        parts = self._checked(url)
        host = parts.host or ""
        with Deadline(self._timeout) as deadline:
            try:
                body = webhook.body.encode()
                with self._session.request("POST", parts, headers=webhook.headers, body=body) as response:
                    answer = _read_answer(response, deadline)
            except NETWORK_ERRORS as error:
                # A forbidden address is retried too: DNS and settings get corrected.
                failure = explain(error, host=host, deadline=deadline)
                raise DeliveryError(explain_failure(failure.code, failure.detail), code=failure.code) from error
        if not 200 <= answer.status < 300:
            raise _refused(answer, response.headers, host=host, url=url)
        return answer

    def _checked(self, url: str) -> Url:
        try:
            return check_url(url, allowed_networks=self._allowed_networks)
        except (InvalidInput, ForbiddenAddress) as error:
            detail, retryable = explain_failure(error.code, error.detail), isinstance(error, ForbiddenAddress)
            raise DeliveryError(detail, code=error.code, retryable=retryable) from error


def _read_answer(response: BaseHTTPResponse, deadline: Deadline) -> ReceiverAnswer:
    """The status, some headers, and what comes of the body's beginning within `BODY_SECONDS`."""
    found = {name: response.headers[name] for name in SHOWN_HEADERS if name in response.headers}
    headers = {name: redact(printable(value[:SHOWN_CHARS])) for name, value in found.items()}
    deadline.shorten(BODY_SECONDS)
    beginning = b""
    try:
        while len(beginning) < SHOWN_BYTES and (piece := response.read1(SHOWN_BYTES - len(beginning))):
            beginning += piece
        discard(response)
    except NETWORK_ERRORS:  # the status has arrived, and it alone decides
        response.close()
    return ReceiverAnswer(response.status, headers, _as_text(beginning))


def _as_text(beginning: bytes) -> str:
    """The bytes as text that is safe to print: what is not UTF-8, and control characters, become escapes."""
    # The last character may have been cut; without `final` it is left out.
    text = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode(beginning)
    return redact(printable_lines(text.replace("\r\n", "\n")))


def _refused(answer: ReceiverAnswer, headers: Mapping[str, str], *, host: str, url: str) -> DeliveryError:
    return DeliveryError(
        explain_answer(answer, host=host, url=url),
        code=f"http_{answer.status}",
        retryable=answer.status != 410,
        answer=answer,
        retry_after=retry_after(headers, at_most=MAX_RETRY_AFTER) if answer.status in {429, 503} else None,
    )
