"""What stands before the views: sizes, proxies, hosts, and the headers of every answer."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app

from imgproc.core.config import ConfigError, load_settings
from tests.integration.api.answers import UNKNOWN, AppFactory, problem
from tests.integration.driver import upload
from tests.support.csv_files import csv_of

CSV = csv_of("https://shop.example/1.jpg")

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]


class Body(io.RawIOBase):
    """A body without an end, which knows how much of it was read."""

    taken = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as there is room for."""
        self.taken += len(buffer)
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


@pytest.mark.parametrize("path", ["/api/upload", "/api/validate", f"/api/requests/{UNKNOWN}/cancel"])
def test_a_body_that_says_it_is_too_large_is_not_read(make_app: AppFactory, path: str) -> None:
    """413 by its Content-Length alone, whatever the address does with bodies."""
    body = Body()
    environ = {"CONTENT_LENGTH": str(10**12), "wsgi.input": body, "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    response = make_app(MAX_UPLOAD_BYTES="2000").test_client().post(path, environ_overrides=environ)
    problem(response, 413, "file_too_large")
    assert body.taken == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_chunked_body_is_read_to_the_cap_and_no_further(make_app: AppFactory) -> None:
    """It has no length, and as many bytes as its sender likes."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    endless = Body()

    class Chunked(io.RawIOBase):
        """The head of a file part, then bytes without end."""

        sent = False

        def readable(self) -> bool:
            """It is."""
            return True

        def readinto(self, buffer: Any) -> int:
            """The head first."""
            if self.sent:
                return endless.readinto(buffer)
            self.sent = True
            buffer[: len(head)] = head
            return len(head)

    environ = {
        "wsgi.input": Chunked(),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
    }
    response = make_app(MAX_UPLOAD_BYTES="2000").test_client().post("/api/upload", environ_overrides=environ)
    problem(response, 413, "file_too_large")
    assert endless.taken <= 2000 + 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/static/swagger-ui/start.js", 200),
        ("GET", "/metrics", 200),
        ("GET", "/api/requests", 200),
        ("GET", f"/api/status/{UNKNOWN}", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/healthz", 405),
        ("POST", "/api/upload", 400),
        ("GET", "/api/requests?limit=0", 422),
    ],
)
def test_every_answer_says_what_browsers_may_do(method: str, path: str, status: int) -> None:
    """Good ones and bad ones, of every kind."""
    response = current_app.test_client().open(path, method=method, buffered=True)
    assert response.status_code == status
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'self'", "'none'")
    assert "script-src" not in policy
    assert "unsafe" not in str(policy)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    if path.startswith("/api/"):
        assert response.headers["Cache-Control"] == "no-store"


def test_an_output_says_so_more_strictly(make_app: AppFactory, tmp_path: Path) -> None:
    """What strangers had a hand in is shown in a sandbox, by the type its encoder gave."""
    (tmp_path / "a.jpg").write_bytes(b"<html><script>alert(1)</script>")
    client = make_app(EMBEDDED_OUTPUTS_DIR=str(tmp_path)).test_client()
    response = client.get("/outputs/a.jpg", buffered=True)
    assert response.headers.getlist("Content-Security-Policy") == ["default-src 'none'; sandbox"]
    assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert response.content_type == "image/jpeg"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"  # other sites show them


@pytest.mark.parametrize(
    ("headers", "served"),
    [
        pytest.param({}, True, id="no browser"),
        pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, True, id="our own page"),
        pytest.param({"Sec-Fetch-Site": "none"}, True, id="the address bar"),
        pytest.param({"Origin": "http://localhost"}, True, id="our own page in an old browser"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site", "Origin": "http://blog.localhost"}, False, id="a sister site"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, False, id="another site that hides its origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False, id="contradictory"),
        pytest.param({"Origin": "https://evil.example"}, False, id="another site in an old browser"),
        pytest.param({"Origin": "http://localhost:8080"}, False, id="another port"),
        pytest.param({"Origin": "http://localhost.evil.example"}, False, id="a name that begins like ours"),
        pytest.param({"Origin": "null"}, False, id="a sandbox or a file"),
        pytest.param({"Origin": "http://[::1"}, False, id="no origin at all"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/upload"), ("POST", f"/api/requests/{UNKNOWN}/cancel"), ("DELETE", "/healthz")]
)
def test_a_browser_changes_nothing_on_behalf_of_another_site(
    method: str, path: str, headers: dict[str, str], served: bool
) -> None:
    """A form of another site is sent with whatever lets its victim in; reading is safe, as the answer is not shown."""
    response = current_app.test_client().open(path, method=method, headers=headers)
    if served:
        assert response.status_code in {400, 404, 405}
    else:
        problem(response, 403, "cross_site")
    assert current_app.test_client().get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "headers", "base"),
    [
        pytest.param("0", {}, "http://localhost", id="none, and none speaks"),
        pytest.param(
            "0",
            {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
            "http://localhost",
            id="none, a caller pretends",
        ),
        pytest.param(
            "1",
            {"X-Forwarded-Host": "api.shop.example", "X-Forwarded-Proto": "https"},
            "https://api.shop.example",
            id="one speaks",
        ),
        pytest.param(
            "1",
            {"X-Forwarded-Host": "evil.example, api.shop.example", "X-Forwarded-Proto": "http, https"},
            "https://api.shop.example",
            id="one speaks after a caller who pretends",
        ),
        pytest.param(
            "2",
            {"X-Forwarded-Host": "evil.example, api.shop.example, inner", "X-Forwarded-Proto": "x, https, http"},
            "https://api.shop.example",
            id="two speak",
        ),
    ],
)
def test_believes_as_many_proxies_as_there_are(
    make_app: AppFactory, proxies: str, headers: dict[str, str], base: str
) -> None:
    """The links of an answer go by what the outermost trusted proxy saw."""
    with make_app(TRUSTED_PROXIES=proxies).app_context():
        assert upload(CSV, headers=headers).json["statusUrl"].startswith(f"{base}/api/status/")


@pytest.mark.parametrize(
    ("proxies", "first", "second", "together"),
    [
        pytest.param("0", "203.0.113.1", "203.0.113.2", True, id="none: what callers say is nothing"),
        pytest.param("1", "203.0.113.1", "203.0.113.2", False, id="one: two callers"),
        pytest.param("1", "203.0.113.1, 203.0.113.9", "203.0.113.2, 203.0.113.9", True, id="one: a caller pretends"),
        pytest.param("2", "203.0.113.1, 10.0.0.1", "203.0.113.2, 10.0.0.1", False, id="two: two callers"),
    ],
)
def test_limits_go_by_the_address_that_trusted_proxies_saw(
    make_app: AppFactory, proxies: str, first: str, second: str, together: bool
) -> None:
    """Nobody escapes a limit by a header of their own."""
    client = make_app(TRUSTED_PROXIES=proxies, RATE_LIMIT_READS="1/hour").test_client()
    answers = [client.get("/api/requests", headers={"X-Forwarded-For": given}) for given in (first, second)]
    assert [answer.status_code for answer in answers] == [200, 429 if together else 200]


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        pytest.param("api.shop.example", True, id="ours"),
        pytest.param("api.shop.example:8443", True, id="ours, with a port"),
        pytest.param("a.b.img.example", True, id="below one with a dot"),
        pytest.param("localhost:8000", True, id="loopback, as health checks ask"),
        pytest.param("127.0.0.1", True, id="loopback by number"),
        pytest.param("evil.example", False, id="another"),
        pytest.param("evil-api.shop.example", False, id="another that ends alike"),
        pytest.param("api.shop.example.evil.example", False, id="another that begins alike"),
        pytest.param("api.shop.example@evil.example", False, id="another behind a user name"),
    ],
)
def test_answers_to_its_own_names_alone(make_app: AppFactory, host: str, answered: bool) -> None:
    """By any other it makes no link that could lead astray."""
    app = make_app(TRUSTED_HOSTS="api.shop.example, .img.example")
    response = app.test_client().get("/api/requests", headers={"Host": host})
    if answered:
        assert response.status_code == 200
    else:
        problem(response, 400, "untrusted_host")


def calls(app: Flask) -> list[tuple[str, str]]:
    """Every method and address of the app, and one that does not exist."""
    filled = {"request_id": UNKNOWN, "delivery_id": UNKNOWN, "filename": "start.js", "key": "a.jpg", "key_id": UNKNOWN}
    found = [("GET", "/nothing")]
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: filled.get(name[1], "x"), rule.rule)
        found += [(method, path) for method in sorted(rule.methods or ())]
    return found


@pytest.mark.parametrize("given", [{}, {"HOST": "::1"}, {"HOST": "localhost"}])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "192.168.1.5", "0.0.0.0:8000"]
)
def test_a_rebound_name_reaches_nothing_on_loopback(
    make_app: AppFactory, tmp_path: Path, given: dict[str, str], host: str
) -> None:
    """A page whose name now leads to this machine (DNS rebinding) may call no address by it, with no method."""
    app = make_app(**({"HOST": "", "EMBEDDED_OUTPUTS_DIR": str(tmp_path)} | given))
    client = app.test_client()
    forwarded = {"X-Forwarded-Host": "localhost", "Forwarded": "host=localhost", "X-Host": "localhost"}
    for method, path in calls(app):
        response = client.open(path, method=method, headers={"Host": host} | forwarded)
        assert response.status_code == 400, (method, path)
        if method != "HEAD":
            problem(response, 400, "untrusted_host")
    assert len(calls(app)) > 40


@pytest.mark.parametrize(
    ("given", "host"),
    [
        pytest.param({"HOST": ""}, "localhost:8000", id="loopback by its name"),
        pytest.param({"HOST": ""}, "[::1]:8000", id="loopback by number"),
        pytest.param(
            {"HOST": "", "TRUSTED_HOSTS": ".shop.example"}, "img.shop.example", id="loopback by a name we gave it"
        ),
        pytest.param({"HOST": "", "TRUSTED_PROXIES": "1"}, "img.shop.example", id="behind a proxy of this machine"),
        pytest.param({"HOST": "0.0.0.0"}, "img.shop.example", id="on the network"),
        pytest.param({"HOST": "192.168.1.5"}, "192.168.1.5:8000", id="on a network address"),
    ],
)
def test_answers_by_the_names_that_an_operator_expects(make_app: AppFactory, given: dict[str, str], host: str) -> None:
    """Without a setting more."""
    response = make_app(**given).test_client().get("/api/requests", headers={"Host": host})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TRUSTED_HOSTS", "https://api.shop.example"),
        ("TRUSTED_HOSTS", "api.shop.example:443"),
        ("TRUSTED_HOSTS", "*"),
        ("TRUSTED_HOSTS", "[::1]"),
        ("TRUSTED_PROXIES", "-1"),
        ("RATE_LIMIT_READS", "many"),
        ("RATE_LIMIT_UPLOADS", "0.5/second"),
        ("API_KEYS_REQUIRED", "perhaps"),
        ("MAX_OPEN_REQUESTS", "0"),
    ],
)
def test_refuses_a_setting_that_would_protect_nothing(setting: str, value: str) -> None:
    """At start, by name."""
    with pytest.raises(ConfigError, match=setting):
        load_settings({setting: value})
