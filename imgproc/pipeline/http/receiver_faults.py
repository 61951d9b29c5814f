"""Explains why a receiver did not accept a webhook, and what the person who runs the receiver can do."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from imgproc.core.delivery_errors import ReceiverAnswer

LOGIN = re.compile(r"log-?[io]n|sign-?in|\bsso\b|oauth|/auth", re.I)

_NO_LOGIN = "it must accept the POST without a login, and check the signature instead"
_EXEMPT = "exempt this URL from it, and check the signature instead"
_NOT_UNDERSTOOD = (
    "let it verify the signature over the raw body, with the secret of this caller, and ignore members it does not know"
)
_CRASHED = "read the log of its application; let it answer 2xx first, and do slow work afterwards"
_NO_APPLICATION = "its proxy got no answer from the application: check that it runs, and that it answers 2xx at once"

_REMEDY_OF_STATUS = {
    400: _NOT_UNDERSTOOD,
    401: _NO_LOGIN,
    403: f"a firewall, bot protection or CSRF check refuses the POST: {_EXEMPT}",
    404: "it has nothing at this path: check the webhook URL, and that this version of the receiver is deployed",
    405: "this path takes no POST: give the URL of a route that does, or add one",
    407: _NO_LOGIN,
    408: "it did not wait for the whole body: raise its time limit for reading a request",
    410: "that ends the attempts for good; once it accepts webhooks again, redeliver this one",
    411: "let it accept a body of up to 20 kB",
    413: "let it accept a body of up to 20 kB",
    415: "let it accept a body of application/json",
    419: f"its CSRF check refuses the POST: {_EXEMPT}",
    422: _NOT_UNDERSTOOD,
    426: "give its https URL",
    429: "raise its rate limit for this URL; its Retry-After decides when the next attempt comes, if it sends one",
    501: "this path takes no POST: give the URL of a route that does, or add one",
    502: _NO_APPLICATION,
    503: "it is overloaded or stopped; its Retry-After decides when the next attempt comes, if it sends one",
    504: _NO_APPLICATION,
    **dict.fromkeys((*range(520, 528), 530), "Cloudflare cannot reach the server behind it: check that it runs"),
}

_REMEDY_OF_CODE = {
    "connect_failed": "start it, and let its firewall accept connections on the port of the webhook URL",
    "dns_failed": "check the host name of the webhook URL, and that public DNS has it",
    "forbidden_address": (
        "give a webhook URL with a public address and port 80 or 443 (a tunnel has one while you test), "
        "or have its network opened with ALLOWED_NETWORKS"
    ),
    "invalid_url": "give a webhook URL like https://shop.example/hooks/images",
    "timeout": "check that it is up, and let it answer 2xx at once and do slow work afterwards",
    "tls_failed": "give it a valid certificate for this host name, with its chain, and TLS 1.2 or newer",
}

# Where one code has several reasons, words of the detail tell them apart.
_REMEDY_OF_WORDS = {
    "not HTTP": "check that the port and the http or https of the webhook URL are those of your receiver",
    "closed the connection": (
        "check that its application runs, and that no proxy or firewall before it ends the connection; on a port for "
        "TLS, give the https URL"
    ),
}


def explain_answer(answer: ReceiverAnswer, *, host: str, url: str) -> str:
    """Why an answer other than 2xx is no success, in a sentence with the remedy."""
    receiver = f"Your receiver at {host}"
    if 300 <= answer.status < 400:
        return f"{receiver} {_redirection(answer, url=url)}."
    default = _CRASHED if answer.status >= 500 else "let it answer 2xx; the log shows the beginning of its answer"
    page = (
        " with an HTML page, so perhaps a website or a proxy answered in its place" if is_page(answer.headers) else ""
    )
    return f"{receiver} answered {answer.status}{page}; {_REMEDY_OF_STATUS.get(answer.status, default)}."


def _redirection(answer: ReceiverAnswer, *, url: str) -> str:
    location = answer.headers.get("Location")
    target = f"redirects to {_absolute(location, url=url)}" if location else "redirects without a Location"
    remedy = _NO_LOGIN if LOGIN.search(location or "") else "give its final URL"
    return f"{target} ({answer.status}), and webhooks follow no redirect; {remedy}"


def _absolute(location: str, *, url: str) -> str:
    """The address that a Location means (RFC 9110, 10.2.2), or the Location itself if it is malformed."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def explain_failure(code: str, detail: str) -> str:
    """A failure to reach the receiver. What is wrong stays, up to the semicolon; the remedy is about receivers."""
    remedy = next((text for words, text in _REMEDY_OF_WORDS.items() if words in detail), _REMEDY_OF_CODE.get(code))
    return f"{detail.partition(';')[0].rstrip('.')}; {remedy}." if remedy else detail


def is_page(headers: dict[str, str]) -> bool:
    """Whether the answer with these headers is an HTML page."""
    return headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml"))


def note_of(status: int | None, headers: dict[str, str] | None) -> str | None:
    """What is doubtful about a success: an HTML page usually comes from a website or proxy, not from a receiver."""
    if status is None or not 200 <= status < 300 or not is_page(headers or {}):
        return None
    return "This counts as delivered, but an HTML page came back; check that the URL is your receiver's."
