"""Payload -> one POST, signed as Standard Webhooks specifies (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import json
import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from standardwebhooks import Webhook
from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.core.errors import DeliveryError, ForbiddenAddress, InvalidInput
from imgproc.pipeline.http.addresses import Network, check_url
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, explain
from imgproc.pipeline.http.session import GuardedSession, discard, retry_after

# The longest step of the default retry schedule.
MAX_RETRY_AFTER = 86_400.0


def generate_secret() -> str:
    """A new signing secret: `whsec_` and 256 random bits in base64, as the spec asks."""
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


@dataclass(frozen=True)
class Receipt:
    """The HTTP status, 200 to 299, of a receiver that accepted the webhook."""

    response_status: int


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

    def notify(self, url: str, *, webhook_id: str, payload: dict[str, Any], secrets: Sequence[str]) -> Receipt:
        """Make one attempt to deliver `payload` as JSON; `webhook_id` is the same for all attempts.

        Each of `secrets` (`whsec_` and base64) adds a signature. A receiver accepts any one that matches, so a secret
        can be replaced while both are valid.

        Raises:
            DeliveryError: there is no secret, or the receiver did not accept; not `retryable` if it never will.
        """
        if not secrets:
            raise DeliveryError("There is no secret to sign with; set WEBHOOK_SECRET.", code="no_webhook_secret")
        parts = self._checked(url)
        host = parts.host or ""
        body = json.dumps(payload, separators=(",", ":"))
        headers = _signed(webhook_id, body, secrets)
        with Deadline(self._timeout) as deadline:
            try:
                with self._session.request("POST", parts, headers=headers, body=body.encode()) as response:
                    discard(response)
            except NETWORK_ERRORS as error:
                # A forbidden address is retried too: DNS and settings get corrected.
                failure = explain(error, host=host, deadline=deadline)
                raise DeliveryError(failure.detail, code=failure.code) from error
        if not 200 <= response.status < 300:
            raise _refused(response, host)
        return Receipt(response.status)

    def _checked(self, url: str) -> Url:
        try:
            return check_url(url, allowed_networks=self._allowed_networks)
        except InvalidInput as error:
            raise DeliveryError(error.detail, code=error.code, retryable=False) from error
        except ForbiddenAddress as error:
            raise DeliveryError(error.detail, code=error.code) from error


def _signed(webhook_id: str, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of the specification; a space separates several signatures."""
    now = datetime.now(timezone.utc)
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, now, body) for secret in secrets),
    }


def _refused(response: BaseHTTPResponse, host: str) -> DeliveryError:
    status = response.status
    what = f"answered {status} instead of 2xx; look into the log of the receiver"
    if 300 <= status < 400:
        what = "redirects, which webhooks do not follow; give the final URL"
    return DeliveryError(
        f"{host} {what}.",
        code=f"http_{status}",
        retryable=status != 410,
        response_status=status,
        retry_after=retry_after(response.headers, at_most=MAX_RETRY_AFTER) if status in {429, 503} else None,
    )
