"""Credentials are redacted anywhere in a text, other text is kept, and the cost is linear."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import structlog
from urllib3.exceptions import MaxRetryError

from imgproc.core import logs
from imgproc.core.delivery_errors import DeliveryError
from imgproc.core.errors import StorageUnavailable
from imgproc.core.redaction import REDACTED, redact, redact_all

SECRET = "s3cr3t-V4lue"

NAMES = [
    "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature", "X-Goog-Credential",
    "AWSAccessKeyId", "GoogleAccessId", "Signature", "Key-Pair-Id", "Policy", "sig", "se", "sp",
    "x-oss-signature", "OSSAccessKeyId", "q-signature", "wsSecret", "hdnts", "hdnea", "Authorization",
    "token", "TOKEN", "access_token", "accessToken", "access-token", "refresh_token", "id_token", "auth_token",
    "api_key", "apikey", "api-key", "apiKey", "x-api-key", "key", "auth", "oauth_signature", "password", "passwd",
    "pwd", "pass", "secret", "client_secret", "jwt", "session", "session_id", "sessionid", "sid", "__token__",
    "api[key]", "user.password", "%74oken", "%2574oken",
]  # fmt: skip
KEPT_NAMES = ["w", "width", "monkey", "keyword", "design", "passenger", "tokens_left", "format", "v", "q", "signal"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("https://cdn.example/a.jpg?{}={}", id="alone"),
        pytest.param("https://cdn.example/a.jpg?w=100&{}={}&h=200", id="among others"),
        pytest.param("https://cdn.example/a.jpg?w=100;{}={};h=200", id="by semicolons"),
        pytest.param("https://cdn.example/a.jpg?w=100&amp;{}={}", id="in HTML"),
        pytest.param("https://cdn.example/a.jpg#{}={}&state=1", id="in a fragment"),
        pytest.param(
            "HTTPConnectionPool(host='x', port=80): Max retries exceeded with url: /a?{}={} (x)", id="urllib3"
        ),
        pytest.param('Get "https://x/a?{}={}": dial tcp', id="in quotes"),
        pytest.param("{}={} host=db", id="without a URL"),
    ],
)
def test_the_value_of_a_credential_is_redacted(name: str, text: str) -> None:
    """The name may be in upper or lower case and anywhere in the text; everything else is kept."""
    assert redact(text.format(name, SECRET)) == text.format(name, REDACTED)


@pytest.mark.parametrize("name", KEPT_NAMES)
def test_other_values_are_kept(name: str) -> None:
    """Names that only look similar are not credentials."""
    text = f"https://cdn.example/a.jpg?{name}={SECRET}&x=1#{name}={SECRET}"
    assert redact(text) == text


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("inner", ["https://h/a?token={}&w=1", "https://user:{}@h/a?w=1", "https://h/a#jwt={}"])
def test_a_url_inside_a_url_is_redacted(inner: str, depth: int) -> None:
    """The inner URL may be encoded several times."""
    encoded = inner.format(SECRET)
    for _ in range(depth):
        encoded = quote(encoded, safe="")
    shown = redact(f"https://proxy.example/fetch?u={encoded}&format=webp")
    assert SECRET not in shown
    assert REDACTED in shown
    assert shown.startswith("https://proxy.example/fetch?u=https%")
    assert shown.endswith("&format=webp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("https://u:p@h/a", "https://REDACTED@h/a", id="a password"),
        pytest.param("https://u:p@ss@h:8080/a?w=1", "https://REDACTED@h:8080/a?w=1", id="an @ in it"),
        pytest.param("https://ghp_abc@h/a", "https://REDACTED@h/a", id="a user name that is a token"),
        pytest.param("redis://:p@127.0.0.1:6379/0", "redis://REDACTED@127.0.0.1:6379/0", id="Redis"),
        pytest.param("postgresql+psycopg://i:p@db/i", "postgresql+psycopg://REDACTED@db/i", id="PostgreSQL"),
        pytest.param("https://h/@user/a@2x.jpg", "https://h/@user/a@2x.jpg", id="an @ in the path"),
        pytest.param("write to a@shop.example", "write to a@shop.example", id="an email address"),
        pytest.param("a?sig=x, https://h/b?w=1", "a?sig=REDACTED, https://h/b?w=1", id="a list of URLs"),
        pytest.param("a?sig=x,https://h/b?sig=y", "a?sig=REDACTED,https://h/b?sig=REDACTED", id="a tight list"),
        pytest.param("a?sig=ab%2Bcd%3D%3D&w=1", "a?sig=REDACTED&w=1", id="an encoded value"),
        pytest.param("a?token=&w=1", "a?token=REDACTED&w=1", id="no value"),
        pytest.param("whsec_" + "A" * 43 + "=", "whsec_REDACTED", id="our webhook secret"),
        pytest.param("key imgproc_" + "a" * 43 + ".", "key imgproc_REDACTED.", id="our API key"),
        pytest.param("imgproc_Ab12cd", "imgproc_Ab12cd", id="the prefix of a key, as lists show it"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_redacts_exactly_the_credentials(text: str, shown: str) -> None:
    """Only the secret is replaced."""
    assert redact(text) == shown


def test_redacting_twice_changes_nothing_more() -> None:
    """Errors are redacted when they are created, and again when they are logged."""
    once = redact(f"https://u:{SECRET}@h/a?u=https%3A%2F%2Fh%3Fsig%3D{SECRET}&token={SECRET}")
    assert redact(once) == once


WORST = [
    "%25", "%2525", "?", "?a", "?a%25", "://a", "=", "?token=", "%3A%2F%2F", "%3A%2F%2Fa", "a", "&" + "a" * 99,
    ", ", ",https", "?token=,", "%40", "imgproc_", "whsec_aaa", "%25%33", "?" + "%25" * 30, "?key=," + " " * 20,
    "%3Fkey%3D", "key=", "https:", "%", "25", "a://a@", "?" + "a." * 49, "\n", "'",
]  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize("tail", ["", "=", "@", "%40", "=@%40"])
def test_the_cost_is_linear_in_the_text(tail: str) -> None:
    """Four times as much of the worst text takes less than eight times as long."""
    for unit in [*WORST, *(f"{start}{unit}" for unit in ("%", "25") for start in ("?token=",))]:
        small, large = (unit * (characters // len(unit)) + tail for characters in (30_000, 120_000))
        most = 8 * min(_cost(small) for _ in range(3)) + 0.02
        # Other processes can only add time, so one low measurement is enough.
        assert any(_cost(large) < most for _ in range(3)), unit


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("?token=%" + "25" * 100_000, id="one value encoded without end"),
        pytest.param("?%" + "25" * 100_000 + "=", id="a name encoded without end"),
        pytest.param("a://" + "a" * 200_000, id="a user without end"),
        pytest.param("?token=," + " " * 200_000, id="a list without end"),
        pytest.param("?" + "key" * 70_000 + "=", id="a name without end"),
    ],
)
def test_one_long_part_costs_no_more_than_many(text: str) -> None:
    """200,000 characters in one part cost less than ten times as much as in parts of ordinary size."""
    usual = "https://cdn.example/a.jpg?w=1&token=abcdef " * (len(text) // 43)
    assert min(_cost(text) for _ in range(3)) < 10 * min(_cost(usual) for _ in range(3)) + 0.02


def _cost(text: str) -> float:
    """Seconds of this process's CPU."""
    before = time.process_time()
    redact(text)
    return time.process_time() - before


# -- where it is used ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StorageUnavailable, lambda detail: DeliveryError(detail, code="timeout")])
def test_no_error_shows_a_credential(error: type[StorageUnavailable]) -> None:
    """The detail of an error is stored, logged and written into the failed CSV."""
    raised = error(f"https://h/a?token={SECRET} did not answer.")
    assert [raised.detail, str(raised)] == ["https://h/a?token=REDACTED did not answer."] * 2
    assert SECRET not in repr(raised)


@pytest.fixture
def _logging() -> Iterator[None]:
    """Restore the logging configuration after the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    logs.configure(log_format="text", level="INFO")


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_log_shows_a_credential(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Messages, values and tracebacks are redacted, also in the logs of libraries."""
    logs.configure(log_format=log_format, level="INFO")
    url = f"https://u:{SECRET}@h/a?token={SECRET}"
    ours, library, server = (structlog.get_logger("x"), logging.getLogger("lib"), logging.getLogger("gunicorn.error"))
    ours.info("product_failed", url=url, nested={"urls": [url, {"again": url}]}, error=ValueError(url))
    library.warning("Retrying (%s) after connection broken: %s", 1, url)
    for log in (ours, library, server):
        try:
            raise MaxRetryError(None, url, ConnectionError(url))  # type: ignore[arg-type]  # there is no pool
        except MaxRetryError as error:
            log.exception(f"gave up: {error}")
    written = capsys.readouterr().err
    assert SECRET not in written
    assert written.count("token=REDACTED") >= 10
    if log_format == "json":
        first = json.loads(written.splitlines()[0])
        assert first["nested"]["urls"][0] == "https://REDACTED@h/a?token=REDACTED"


def test_plain_values_of_a_log_are_kept() -> None:
    """Numbers and other plain values are unchanged."""
    event = {"count": 3, "share": 0.5, "ok": True, "nothing": None, "ids": (1, 2)}
    assert redact_all(event) == {**event, "ids": [1, 2]}
