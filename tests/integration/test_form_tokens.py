"""Every form of the console carries a token, and none is accepted without it where a cookie or a proxy signs in."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from flask import Flask, current_app
from werkzeug.routing import Rule

from imgproc.api import auth
from imgproc.api.api_keys import create_key, list_keys
from imgproc.db.access_models import ApiKey
from tests.integration.driver import configure, drain, rows, submit, upload, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.visitor import PAGE, Browser, token_of

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
FORM = re.compile(r"<form\b[^>]*\bmethod=\"post\".*?</form>", re.S)


@pytest.fixture
def admin(app: Flask) -> Browser:  # after `app`, which restores the settings
    """A person who is signed in with an admin key; keys are required."""
    configure(api_keys_required=True)
    browser = Browser()
    browser.sign_in(create_key("admin", scope="admin"))
    return browser


def form_routes() -> list[Rule]:
    """Every route of the pages that changes something."""
    return [
        rule
        for rule in current_app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and not rule.rule.startswith("/api/")
    ]


def path_of(rule: Rule) -> str:
    """A path of the route, with unknown ids."""
    return re.sub("<[^>]+>", UNKNOWN, rule.rule)


@on_one_database
def test_no_form_is_accepted_without_its_token(admin: Browser) -> None:
    """The routes are read from the app, so a form added later is tested too."""
    other = token_of(Browser().get("/login"))
    routes = form_routes()
    assert {"start.read_file", "login.sign_in", "login.sign_out", "keys_page.create_key"} <= {
        r.endpoint for r in routes
    }
    for rule in routes:
        for token in (None, "", other, "0" * 64, "é"):
            answer = admin.post(path_of(rule), token=token, name="x", scope="admin", key="x")
            assert answer.status_code == 403, (rule.rule, token)
            assert "invalid_form_token" in answer.text
    assert len(rows(ApiKey)) == 1
    assert admin.get("/keys").status_code == 200


@on_one_database
def test_every_form_of_every_page_has_the_token(admin: Browser, shop: ImageHost) -> None:
    """Pages of a request that has failures, a webhook and a link are among them."""
    key = create_key("shop", scope="admin")
    admin.send("/", "/logout")
    admin.sign_in(key)
    file = csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg")
    sent = upload(file, headers={"X-API-Key": key}, webhookUrl=f"{shop.url}/webhook")
    request_id = sent.get_json()["requestId"]
    work()
    admin.send(f"/requests/{request_id}/share", f"/requests/{request_id}/share", expires="1")
    token, seen = token_of(admin.get("/")), 0
    page = f"/requests/{request_id}"
    for path in ("/", "/login", "/keys", page, f"{page}/products", f"{page}/webhook", f"{page}/file", f"{page}/share"):
        forms = FORM.findall(admin.get(path).text)
        assert forms, path
        assert [form for form in forms if f'name="csrf_token" value="{token}"' not in form] == [], path
        seen += len(forms)
    assert seen > 15


@on_one_database
def test_the_sign_in_has_a_token_of_its_own() -> None:
    """Otherwise another site could sign a person in with its own key, and see what they upload."""
    key = create_key("attacker")
    answer = Browser().post("/login", key=key)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (403, [])
    foreign = token_of(Browser().get("/login"))
    browser = Browser()
    browser.get("/login")
    assert browser.post("/login", key=key, token=foreign).status_code == 403


@on_one_database
def test_a_visitor_without_a_key_has_a_token_too(shop: ImageHost) -> None:
    """Where keys are optional, a browser that has opened a page sends its token; a program without cookies passes."""
    request_id = submit(csv_of(f"{shop.url}/missing.jpg"))
    drain(request_id)
    browser = Browser()
    browser.get(f"/requests/{request_id}")
    cookie = browser.client.get_cookie("imgproc_form")
    assert cookie
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    assert browser.post(f"/requests/{request_id}/retry").status_code == 403
    assert browser.send(f"/requests/{request_id}", f"/requests/{request_id}/retry").status_code == 303
    drain(request_id)
    answer = current_app.test_client().post(f"/requests/{request_id}/retry", headers=PAGE)
    assert answer.status_code == 303


@on_one_database
def test_a_file_is_uploaded_with_the_token(admin: Browser) -> None:
    """The token is a part of the form beside the file."""

    def send(token: str) -> Any:
        form = {"csrf_token": token, "file": (io.BytesIO(csv_of("https://shop.example/1.jpg").encode()), "a.csv")}
        return admin.client.post("/", data=form, headers=PAGE)

    assert send("").status_code == 403
    assert send(token_of(admin.get("/"))).status_code == 303


@on_one_database
def test_another_site_is_refused_even_with_the_token(admin: Browser) -> None:
    """The browser's own headers tell where a form comes from."""
    data = {"csrf_token": token_of(admin.get("/keys")), "name": "x", "scope": "admin"}
    for header in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert admin.client.post("/keys", data=data, headers=PAGE | header).status_code == 403
    assert len(list_keys()) == 1


@on_one_database
def test_a_key_in_a_header_needs_no_token(app: Flask) -> None:
    """No browser adds it by itself."""
    key = create_key("admin", scope="admin")
    answer = current_app.test_client().post("/keys", data={"name": "x", "scope": "read"}, headers={"X-API-Key": key})
    assert (answer.status_code, len(list_keys())) == (200, 2)


@on_one_database
def test_the_form_for_the_key_is_short(app: Flask) -> None:
    """A stranger cannot make the server read a large body there."""
    browser = Browser()
    token = token_of(browser.get("/login"))
    assert browser.post("/login", token=token, key="x" * 70_000).status_code == 413


@on_one_database
def test_open_endpoints_change_nothing(app: Flask) -> None:
    """Of the endpoints that ask for no key, only the sign-in and the sign-out take forms."""
    methods = {rule.endpoint for rule in form_routes()} & auth.OPEN
    assert methods == {"login.sign_in", "login.sign_out"}
