"""Checks before the views: body sizes, proxies, hosts, and the headers of every answer."""

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
    """An endless body that counts the bytes read from it."""

    taken = 0

    def readable(self) -> bool:
        """The body can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer."""
        self.taken += len(buffer)
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


@pytest.mark.parametrize("path", ["/api/upload", "/api/validate", f"/api/requests/{UNKNOWN}/cancel"])
def test_a_body_announced_as_too_large_is_not_read(make_app: AppFactory, path: str) -> None:
    """Its Content-Length alone leads to 413, on every route."""
    body = Body()
    environ = {"CONTENT_LENGTH": str(10**12), "wsgi.input": body, "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    response = make_app(MAX_UPLOAD_BYTES="2000").test_client().post(path, environ_overrides=environ)
    problem(response, 413, "file_too_large")
    assert body.taken == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_chunked_body_is_read_to_the_cap_and_no_further(make_app: AppFactory) -> None:
    """A chunked body announces no length and may be endless."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    endless = Body()

    class Chunked(io.RawIOBase):
        """The head of a file part, then bytes without end."""

        sent = False

        def readable(self) -> bool:
            """The body can be read."""
            return True

        def readinto(self, buffer: Any) -> int:
            """Send the head first, then the endless bytes."""
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
def test_every_answer_has_the_security_headers(method: str, path: str, status: int) -> None:
    """Successes and errors of every kind have them."""
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


def test_an_output_has_stricter_security_headers(make_app: AppFactory, tmp_path: Path) -> None:
    """Outputs come from strangers' images, so browsers sandbox them and never guess their type."""
    (tmp_path / "a.jpg").write_bytes(b"<html><script>alert(1)</script>")
    client = make_app(EMBEDDED_OUTPUTS_DIR=str(tmp_path)).test_client()
    response = client.get("/outputs/a.jpg", buffered=True)
    assert response.headers.getlist("Content-Security-Policy") == ["default-src 'none'; sandbox"]
    assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert response.content_type == "image/jpeg"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"  # other sites embed it


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
        pytest.param({"Origin": "http://[::1"}, False, id="a malformed origin"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/upload"), ("POST", f"/api/requests/{UNKNOWN}/cancel"), ("DELETE", "/healthz")]
)
def test_a_browser_changes_nothing_on_behalf_of_another_site(
    method: str, path: str, headers: dict[str, str], served: bool
) -> None:
    """A browser sends its credentials with another site's form; reads are safe, as that site cannot see the answer."""
    response = current_app.test_client().open(path, method=method, headers=headers)
    if served:
        assert response.status_code in {400, 404, 405}
    else:
        problem(response, 403, "cross_site")
    assert current_app.test_client().get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "headers", "base"),
    [
        pytest.param("0", {}, "http://localhost", id="no proxy, no headers"),
        pytest.param(
            "0",
            {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
            "http://localhost",
            id="no proxy, forged headers",
        ),
        pytest.param(
            "1",
            {"X-Forwarded-Host": "api.shop.example", "X-Forwarded-Proto": "https"},
            "https://api.shop.example",
            id="one proxy",
        ),
        pytest.param(
            "1",
            {"X-Forwarded-Host": "evil.example, api.shop.example", "X-Forwarded-Proto": "http, https"},
            "https://api.shop.example",
            id="one proxy, forged headers",
        ),
        pytest.param(
            "2",
            {"X-Forwarded-Host": "evil.example, api.shop.example, inner", "X-Forwarded-Proto": "x, https, http"},
            "https://api.shop.example",
            id="two proxies, forged headers",
        ),
    ],
)
def test_trusts_only_the_configured_number_of_proxies(
    make_app: AppFactory, proxies: str, headers: dict[str, str], base: str
) -> None:
    """Links use the scheme and host that the outermost trusted proxy saw."""
    with make_app(TRUSTED_PROXIES=proxies).app_context():
        assert upload(CSV, headers=headers).json["statusUrl"].startswith(f"{base}/api/status/")


@pytest.mark.parametrize(
    ("proxies", "first", "second", "together"),
    [
        pytest.param("0", "203.0.113.1", "203.0.113.2", True, id="no proxy, forged addresses"),
        pytest.param("1", "203.0.113.1", "203.0.113.2", False, id="one proxy, two callers"),
        pytest.param(
            "1", "203.0.113.1, 203.0.113.9", "203.0.113.2, 203.0.113.9", True, id="one proxy, forged addresses"
        ),
        pytest.param("2", "203.0.113.1, 10.0.0.1", "203.0.113.2, 10.0.0.1", False, id="two proxies, two callers"),
    ],
)
def test_limits_use_the_address_that_trusted_proxies_saw(
    make_app: AppFactory, proxies: str, first: str, second: str, together: bool
) -> None:
    """No caller escapes a limit with a forged header."""
    client = make_app(TRUSTED_PROXIES=proxies, RATE_LIMIT_READS="1/hour").test_client()
    answers = [client.get("/api/requests", headers={"X-Forwarded-For": given}) for given in (first, second)]
    assert [answer.status_code for answer in answers] == [200, 429 if together else 200]


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        pytest.param("api.shop.example", True, id="a trusted name"),
        pytest.param("api.shop.example:8443", True, id="a trusted name with a port"),
        pytest.param("a.b.img.example", True, id="a subdomain of a name with a leading dot"),
        pytest.param("localhost:8000", True, id="loopback, as health checks use it"),
        pytest.param("127.0.0.1", True, id="loopback by number"),
        pytest.param("evil.example", False, id="another name"),
        pytest.param("evil-api.shop.example", False, id="another name that ends like ours"),
        pytest.param("api.shop.example.evil.example", False, id="another name that begins like ours"),
        pytest.param("api.shop.example@evil.example", False, id="another name after a user name"),
    ],
)
def test_answers_only_to_its_own_names(make_app: AppFactory, host: str, answered: bool) -> None:
    """Under another name it would make links that lead to another site."""
    app = make_app(TRUSTED_HOSTS="api.shop.example, .img.example")
    response = app.test_client().get("/api/requests", headers={"Host": host})
    if answered:
        assert response.status_code == 200
    else:
        problem(response, 400, "untrusted_host")


def calls(app: Flask) -> list[tuple[str, str]]:
    """Every method and path of the app, and a path that does not exist."""
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
    """DNS rebinding: a page whose name now resolves to this machine is refused on every route."""
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
        pytest.param({"HOST": ""}, "localhost:8000", id="loopback by name"),
        pytest.param({"HOST": ""}, "[::1]:8000", id="loopback by number"),
        pytest.param(
            {"HOST": "", "TRUSTED_HOSTS": ".shop.example"}, "img.shop.example", id="loopback with a trusted name"
        ),
        pytest.param({"HOST": "", "TRUSTED_PROXIES": "1"}, "img.shop.example", id="behind a local proxy"),
        pytest.param({"HOST": "0.0.0.0"}, "img.shop.example", id="on the network"),
        pytest.param({"HOST": "192.168.1.5"}, "192.168.1.5:8000", id="on a network address"),
    ],
)
def test_answers_to_the_names_that_an_operator_expects(make_app: AppFactory, given: dict[str, str], host: str) -> None:
    """No further setting is needed."""
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
    """Startup fails with an error that names the setting."""
    with pytest.raises(ConfigError, match=setting):
        load_settings({setting: value})
