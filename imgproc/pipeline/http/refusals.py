"""What an answer that is no picture means: a code, one sentence with the remedy, and whether to try again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import parse_qsl

from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http import refusal_rules as rules
from imgproc.pipeline.http.failures import NETWORK_ERRORS
from imgproc.pipeline.http.host_gate import Trouble
from imgproc.pipeline.http.login_pages import login_remedy, sharing_remedy
from imgproc.pipeline.http.rate_headers import requested_pause
from imgproc.pipeline.http.request_headers import AGENT_NAME
from imgproc.pipeline.http.store_rules import STORES

MAX_BODY_BYTES = 16_384
MAX_HEAD_CHARS = 16_384
MAX_SECONDS = 2.0  # for the body of a refusal
TEXT = re.compile(r"text/|application/(?:\w+\+)?(?:xml|json|xhtml)|\Z")
COMPRESSIONS = {"gzip", "x-gzip", "deflate"}

# Parameters with a signature: CloudFront, S3, Google, others and Azure, Akamai, Alibaba, Tencent, Meta, Discord.
SIGNATURES = {
    *("key-pair-id", "x-amz-signature", "x-goog-signature", "signature", "sig", "hdnea", "hdnts", "verify"),
    *("x-oss-signature", "auth_key", "q-signature", "oe", "hm", "token"),
}
RETRYABLE = {408, 420, 425, 429, 430}  # and all of 5xx
TROUBLES = dict.fromkeys((420, 429, 430, 503, 508, 509, 529), Trouble.BUSY)
TROUBLES |= dict.fromkeys((502, 504, 520, 521, 522, 523, 524, 530), Trouble.AWAY)

PUBLIC = (
    "make the picture public, let {agent} through, or give the host's own headers (Referer, a token) in HOST_HEADERS"
)
REMEDIES = {
    400: "check the URL in a browser, letter by letter",
    401: PUBLIC,
    402: "its plan has ended or is used up; ask its owner",
    403: PUBLIC,
    404: "check the URL",
    406: PUBLIC,
    407: "a proxy before it wants a password; ask its owner",
    410: "it is gone, so give another URL",
    414: "the URL is too long for it; give a shorter one",
    420: "it gets too many requests, so try again later",
    421: "check the host of the URL",
    423: "the file is locked; unlock it",
    429: "it gets too many requests, so try again later",
    430: "it gets too many requests, so try again later",
    451: "the law forbids it to serve the picture here; give it from another host",
    507: "its disk is full; ask its owner",
    509: "its traffic of this month is used up; try again later, or give the picture from another host",
    525: "Cloudflare cannot open TLS to the server behind it; correct its certificate",
    526: "the server behind Cloudflare has an invalid certificate; renew it",
    530: "Cloudflare cannot reach the server behind it; check that it is up",
}


def refused(response: BaseHTTPResponse, url: Url) -> DownloadError:
    """The error of an answer other than 2xx. Reads the beginning of a text body; the connection is closed or reused."""
    body = _beginning(response)
    response.close()
    return explain_refusal(response.status, response.headers, body, url=url)


def challenged(response: BaseHTTPResponse, url: Url) -> DownloadError | None:
    """The error of an answer whose head says that it is a challenge, whatever its status."""
    host = url.host or ""
    return _by_rules(rules.CHALLENGES, response.status, _text(response.status, response.headers, b""), host, None)


def explain_refusal(status: int, headers: Mapping[str, str], body: bytes, *, url: Url) -> DownloadError:
    """The error of an answer other than 2xx, by its head and the beginning of its body."""
    host, text = url.host or "", _text(status, headers, body)
    pause = requested_pause(headers, refused=True)
    page = "<html" in text or "<!doctype html" in text
    pages = rules.WALL_PAGES if page else ()
    order = (rules.CHALLENGES, STORES, pages, rules.HOTLINKS, rules.SETUPS, rules.WALLS)
    if found := _by_rules((rule for group in order for rule in group), status, text, host, pause):
        return found
    if remedy := login_remedy(url, text if page else "") or (status == 401 and _password_remedy(headers)):
        return DownloadError(f"{host} asks for a login; {remedy}.", code=rules.LOGIN_REQUIRED)
    if status in {401, 403} and (remedy := sharing_remedy(host)):
        return DownloadError(f"{host} does not let everyone read this file; {remedy}.", code=f"http_{status}")
    if status == 403 and _is_signed(url):
        return DownloadError(
            f"{host} refuses this signed URL; it has expired or was changed, so give a new one.", code="http_403"
        )
    retryable = status in RETRYABLE or status >= 500
    said = _said_by_image_service(headers)
    remedy = REMEDIES.get(status, "try again later" if retryable else "check the URL in a browser")
    if said and status in {400, 401, 403}:
        remedy = "check the URL, or ask the owner of its Cloudinary account"
    return DownloadError(
        f"{host} answered {status}{said} instead of a picture; {remedy.format(agent=AGENT_NAME)}.",
        code=f"http_{status}",
        retryable=retryable,
        retry_after=pause if retryable else None,
        trouble=TROUBLES.get(status),
    )


def _by_rules(
    candidates: Iterable[rules.Rule], status: int, text: str, host: str, pause: float | None
) -> DownloadError | None:
    for rule in candidates:
        if (rule.statuses is None or status in rule.statuses) and rule.sign.search(text):
            return DownloadError(
                f"{host} {rule.what.format(agent=AGENT_NAME)}.",
                code=rule.code or f"http_{status}",
                retryable=rule.retryable,
                retry_after=pause if rule.retryable else None,
                trouble=rule.trouble,
            )
    return None


def _text(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """The answer in lower case: its status, its headers, an empty line, and its body.

    Azure names the code of an error in a header, too.
    """
    if code := headers.get("x-ms-error-code"):
        body = f"<code>{code}</code>".encode() + body
    head = "".join(f"{name}: {value}\n" for name, value in headers.items())[:MAX_HEAD_CHARS]
    return f"{status}\n{head}\n{body[:MAX_BODY_BYTES].decode('utf-8', 'replace')}".lower()


def _beginning(response: BaseHTTPResponse) -> bytes:
    """The beginning of a text body, as far as it comes in time."""
    if not TEXT.match(response.headers.get("Content-Type", "").strip().lower()):
        return b""
    compressed = response.headers.get("Content-Encoding", "").strip().lower() in COMPRESSIONS
    body, give_up = b"", time.monotonic() + MAX_SECONDS
    with suppress(*NETWORK_ERRORS):
        while len(body) < MAX_BODY_BYTES and time.monotonic() < give_up:
            if not (piece := response.read1(MAX_BODY_BYTES, decode_content=compressed)):
                break
            body += piece
    return body


def _password_remedy(headers: Mapping[str, str]) -> str | None:
    """What to do about the authentication that the answer asks for (RFC 9110, 11.6.1); None if it names none."""
    scheme = headers.get("WWW-Authenticate", "").partition(" ")[0].strip(",").lower()
    if not scheme:
        return None
    which = {"basic": "a user name and password", "bearer": "a token"}.get(scheme, "who is asking")
    return f"it wants {which}, so make the picture public, or set the header Authorization for it in HOST_HEADERS"


def _is_signed(url: Url) -> bool:
    """Whether the URL carries a signature as CDNs and stores sign them."""
    return not SIGNATURES.isdisjoint(name.lower() for name, _ in parse_qsl(url.query or ""))


def _said_by_image_service(headers: Mapping[str, str]) -> str:
    """What Cloudinary says about the reason, in its own header."""
    said = "".join(filter(str.isprintable, headers.get("X-Cld-Error", "")))[:120].strip()
    return f" (“{said}”)" if said else ""
