"""Scopes, expiry and rotation of API keys, over the API and on the page `/keys`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, current_app

from imgproc.api import auth
from imgproc.api.api_keys import SHAPE, create_key, list_keys, revoke_key
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import transaction
from tests.integration.driver import configure, pass_time, rows, upload, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.visitor import Browser, text_of

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
CSV = csv_of("https://shop.example/1.jpg")
SHOWN_KEY = re.compile(r"imgproc_[\w-]{43}", re.ASCII)


def call(method: str, path: str, key: str, **given: Any) -> Any:
    """A call with a key."""
    return current_app.test_client().open(path, method=method, headers={"X-API-Key": key}, **given)


@pytest.fixture
def admin(app: Flask) -> str:  # after `app`, which restores the settings
    """An admin key; keys are required."""
    configure(api_keys_required=True)
    return create_key("admin", scope="admin")


@on_one_database
@pytest.mark.parametrize(
    ("scope", "allowed"), [("read", {"read"}), ("write", {"read", "write"}), ("admin", {"read", "write", "admin"})]
)
def test_every_route_asks_for_its_scope(admin: str, scope: str, allowed: set[str]) -> None:
    """GETs need `read`, changes `write`, and keys `admin`: for the API and the pages, also for routes added later."""
    key = create_key("limited", scope=scope)
    for rule in current_app.url_map.iter_rules():
        if rule.endpoint in auth.OPEN:
            continue
        path = re.sub("<[^>]+>", UNKNOWN, rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            needed = "admin" if path.startswith(("/keys", "/api/keys")) else "read" if method == "GET" else "write"
            if path == "/api/validate":
                needed = "read"
            answer = call(method, path, key)
            code = (answer.get_json(silent=True) or {}).get("code")
            assert (code == "insufficient_scope") is (needed not in allowed), (method, path)
            if needed not in allowed:
                assert answer.status_code == 403
                assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@on_one_database
def test_callers_without_a_key_manage_no_keys(app: Flask) -> None:
    """Not even where keys are optional: the page leads to the sign-in."""
    assert current_app.test_client().get("/api/keys").get_json()["code"] == "missing_api_key"
    assert current_app.test_client().post("/api/keys", json={"name": "x", "scopes": ["admin"]}).status_code == 401
    assert Browser().get("/keys").location == "/login?next=/keys"
    assert rows(ApiKey) == []


def test_keys_of_before_may_write(admin: str) -> None:
    """The column's default is `write`, which all keys could do."""
    assert ApiKey.__table__.c.scope.server_default.arg == "write"
    assert upload(CSV, headers={"X-API-Key": create_key("old")}).status_code == 202


def test_keys_are_created_listed_and_revoked(admin: str) -> None:
    """The answer to the creation alone has the secrets."""
    expiry = datetime.now(timezone.utc) + timedelta(days=2)
    wanted = {"name": "Spring shop", "scopes": ["read"], "expiresAt": expiry.isoformat()}
    answer = call("POST", "/api/keys", admin, json=wanted)
    made = answer.get_json()
    assert (answer.status_code, made["scopes"], made["name"]) == (201, ["read"], "Spring shop")
    assert SHAPE.fullmatch(made["key"])
    assert made["webhookSecret"].startswith("whsec_")
    assert datetime.fromisoformat(made["expiresAt"].replace("Z", "+00:00")) - expiry < timedelta(seconds=1)
    assert call("GET", "/api/requests", made["key"]).status_code == 200
    listed = call("GET", "/api/keys", admin)
    assert [key["name"] for key in listed.get_json()["items"]] == ["Spring shop", "admin"]
    assert listed.get_json()["items"][0]["lastUsedAt"]
    assert not {made["key"], made["webhookSecret"]} & set(re.findall(r"[\w+/=-]+", listed.text))
    assert call("DELETE", f"/api/keys/{made['id']}", admin).status_code == 204
    assert call("DELETE", f"/api/keys/{made['id']}", admin).status_code == 204
    assert call("GET", "/api/requests", made["key"]).status_code == 401
    assert call("GET", "/api/keys", admin).get_json()["items"][0]["revokedAt"]


@on_one_database
def test_the_list_comes_in_pages(admin: str) -> None:
    """Each key once, newest first."""
    for number in range(4):
        create_key(f"key {number}")
    names, cursor = [], ""
    while cursor is not None:
        page = call("GET", f"/api/keys?limit=2{f'&cursor={cursor}' if cursor else ''}", admin).get_json()
        names += [key["name"] for key in page["items"]]
        cursor = page["nextCursor"]
    assert sorted(names) == ["admin", "key 0", "key 1", "key 2", "key 3"]
    assert call("GET", "/api/keys?cursor=bm9uZQ", admin).get_json()["code"] == "invalid_cursor"


@on_one_database
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"name": 7},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": {"read": True}},
        {"name": "x", "scopes": [["read"]]},
        {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"},
        {"name": "x", "expiresAt": "9999-12-31T23:59:59-23:59"},
        {"name": "x", "expiresAt": "2030-01-01T00:00:00"},
        {"name": "x", "expiresAt": "soon"},
        {"name": "x", "owner": "someone"},
        [],
        "text",
    ],
)
def test_a_key_that_cannot_be_made_is_refused(admin: str, wanted: Any) -> None:
    """Nothing is created."""
    answer = call("POST", "/api/keys", admin, json=wanted)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_option")
    assert len(list_keys()) == 1


@on_one_database
@pytest.mark.parametrize("body", [b"{", b"[" * 40_000, b"name=x"], ids=["cut off", "deep", "a form"])
def test_a_body_that_is_not_json_is_refused(admin: str, body: bytes) -> None:
    """400 says what to send."""
    assert (
        call("POST", "/api/keys", admin, data=body, content_type="application/json").get_json()["code"] == "bad_request"
    )
    assert call("POST", "/api/keys", admin, data=body).get_json()["code"] == "bad_request"


def test_a_rotated_key_keeps_its_owner(admin: str) -> None:
    """The new secret sees the requests of before, the scope stays, and the old secret stops at once."""
    old = create_key("shop")
    request_id = upload(CSV, headers={"X-API-Key": old}).get_json()["requestId"]
    key_id = next(key.id for key in list_keys() if key.name == "shop")
    answer = call("POST", f"/api/keys/{key_id}/rotate", admin)
    assert (answer.status_code, answer.get_json()["id"], answer.get_json()["oldKeyUntil"]) == (200, key_id, None)
    new = answer.get_json()["key"]
    assert call("GET", f"/api/status/{request_id}", new).status_code == 200
    assert call("GET", f"/api/status/{request_id}", old).status_code == 401
    assert answer.get_json()["prefix"] == new[:14]
    assert upload(CSV, headers={"X-API-Key": new}).status_code == 202


def test_the_old_secret_may_work_for_a_while(admin: str) -> None:
    """So that a shop can change its key without a gap. A second rotation ends the first secret."""
    first = create_key("shop")
    key_id = next(key.id for key in list_keys() if key.name == "shop")
    second = call("POST", f"/api/keys/{key_id}/rotate", admin, json={"keepOldSeconds": 3600}).get_json()["key"]
    assert [call("GET", "/api/requests", key).status_code for key in (first, second)] == [200, 200]
    pass_time(3601)
    assert [call("GET", "/api/requests", key).status_code for key in (first, second)] == [401, 200]
    third = call("POST", f"/api/keys/{key_id}/rotate", admin, json={"keepOldSeconds": 60}).get_json()["key"]
    call("POST", f"/api/keys/{key_id}/rotate", admin, json={"keepOldSeconds": 60})
    assert [call("GET", "/api/requests", key).status_code for key in (second, third)] == [401, 200]
    revoke_key(key_id)
    assert call("GET", "/api/requests", third).status_code == 401


def test_an_expired_key_lives_on_with_a_later_expiry(admin: str) -> None:
    """A rotation may give it one; without one there is nothing to rotate."""
    soon = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    key_id = call("POST", "/api/keys", admin, json={"name": "shop", "expiresAt": soon}).get_json()["id"]
    pass_time(3601)
    assert call("POST", f"/api/keys/{key_id}/rotate", admin).status_code == 422
    new = call("POST", f"/api/keys/{key_id}/rotate", admin, json={"expiresAt": None}).get_json()
    assert (new["expiresAt"], call("GET", "/api/requests", new["key"]).status_code) == (None, 200)


@on_one_database
def test_a_revoked_or_unknown_key_is_not_rotated(admin: str) -> None:
    """It stays revoked."""
    create_key("shop")
    key_id = next(key.id for key in list_keys() if key.name == "shop")
    revoke_key(key_id)
    assert call("POST", f"/api/keys/{key_id}/rotate", admin).get_json()["code"] == "key_revoked"
    for unknown in (UNKNOWN, "none"):
        for method, path in (("DELETE", f"/api/keys/{unknown}"), ("POST", f"/api/keys/{unknown}/rotate")):
            assert call(method, path, admin).get_json()["code"] == "key_not_found"
    answer = call("POST", f"/api/keys/{key_id}/rotate", admin, json={"keepOldSeconds": 10**9})
    assert answer.get_json()["code"] == "invalid_option"


@on_one_database
def test_the_page_creates_rotates_and_revokes(admin: str) -> None:
    """Each secret is shown once, and never cached."""
    browser = Browser()
    browser.sign_in(admin)
    made = browser.send("/keys", "/keys", name="Shop <b>", scope="read", expires="30")
    (key,) = SHOWN_KEY.findall(made.text)
    assert "shown only once" in text_of(made)
    assert "<b>" not in made.text
    assert made.headers["Cache-Control"] == "private, no-store"
    assert key not in browser.get("/keys").text
    assert call("GET", "/api/requests", key).status_code == 200
    assert upload(CSV, headers={"X-API-Key": key}).status_code == 403
    kept = next(each for each in list_keys() if each.scope == "read")
    assert timedelta(days=29) < kept.expires_at - datetime.now(timezone.utc) < timedelta(days=31)
    rotated = browser.send("/keys", f"/keys/{kept.id}/rotate", overlap="3600", expires="keep")
    (new,) = SHOWN_KEY.findall(rotated.text)
    assert [call("GET", "/api/requests", each).status_code for each in (key, new)] == [200, 200]
    assert browser.send("/keys", f"/keys/{kept.id}/revoke").location == "/keys?did=revoked"
    assert "stopped working" in text_of(browser.get("/keys?did=revoked"))
    assert [call("GET", "/api/requests", each).status_code for each in (key, new)] == [401, 401]
    assert "Nothing was changed" in text_of(browser.send("/keys", "/keys", name="", scope="read"))
    assert "Nothing was changed" in text_of(browser.send("/keys", "/keys", name="x", scope="root"))
    assert "revoked" in text_of(browser.send("/keys", f"/keys/{kept.id}/rotate"))
    assert browser.send("/keys", f"/keys/{UNKNOWN}/revoke").status_code == 404


@on_one_database
def test_the_page_shows_few_keys_at_a_time(admin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones are on further pages."""
    monkeypatch.setattr("imgproc.web.keys_page.PAGE", 2)
    for number in range(3):
        create_key(f"key {number}")
    browser = Browser()
    browser.sign_in(admin)
    page = browser.get("/keys")
    assert page.text.count('class="key"') == 2
    (older,) = re.findall(r'href="(/keys\?before=[^"]+)"', page.text)
    assert browser.get(older).text.count('class="key"') == 2


@on_one_database
def test_only_an_admin_sees_the_page(admin: str) -> None:
    """Others get 403 and no link to it."""
    browser = Browser()
    browser.sign_in(create_key("shop"))
    assert browser.get("/keys").status_code == 403
    assert 'href="/keys"' not in browser.get("/").text
    assert browser.send("/", "/keys", name="x", scope="admin").status_code == 403


@on_one_database
def test_a_reader_sees_no_button_that_is_refused(admin: str, shop: ImageHost) -> None:
    """The pages of a request have no form but the sign-out and the search."""
    browser, key = Browser(), create_key("shop")
    sent = upload(csv_of(f"{shop.url}/missing.jpg"), headers={"X-API-Key": key}, webhookUrl=f"{shop.url}/webhook")
    work()
    page = f"/requests/{sent.get_json()['requestId']}"
    browser.sign_in(key)
    assert f'action="{page}/retry"' in browser.get(page).text
    with transaction() as connection:
        connection.execute(sa.update(ApiKey).values(scope="read"))
    for path in ("/", page, f"{page}/products", f"{page}/webhook", f"{page}/file", f"{page}/share"):
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', browser.get(path).text)
        assert forms == ["/logout"], path
