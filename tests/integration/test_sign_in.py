"""Signing in to the console: the cookie of a session, its end, and where the sign-in leads."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import Flask, current_app

from imgproc.api import sessions
from imgproc.api.api_keys import create_key, issue_key, list_keys, revoke_key, rotate_key
from imgproc.db.access_models import Session
from imgproc.db.engine import db
from tests.integration.driver import configure, pass_time, rows
from tests.support.visitor import PAGE, Browser, text_of

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
COOKIE = "imgproc_session"


@pytest.fixture
def key(app: Flask) -> str:  # after `app`, which restores the settings
    """An API key; keys are required."""
    configure(api_keys_required=True)
    return create_key("Spring shop")


def test_a_key_signs_in_until_the_sign_out(key: str) -> None:
    """A page leads to the sign-in, and the sign-in back to it. After the sign-out the old cookie is worth nothing."""
    browser = Browser()
    assert browser.get("/?q=shoes").location == "/login?next=/?q%3Dshoes"
    answer = browser.sign_in(key, next="/?q=shoes")
    assert (answer.status_code, answer.location) == (303, "/?q=shoes")
    page = browser.get("/")
    assert "Spring shop" in text_of(page)
    assert page.headers["Cache-Control"] == "private, no-store"
    token = browser.cookie(COOKIE)
    assert browser.send("/", "/logout").location == "/login"
    assert browser.cookie(COOKIE) is None
    assert rows(Session) == []
    browser.client.set_cookie(COOKIE, token or "")
    assert browser.get("/").location == "/login"


@on_one_database
def test_a_session_that_ended_meanwhile_leads_to_the_sign_in(key: str) -> None:
    """A form that is sent without a session cannot be repeated after the sign-in; its page has the way there."""
    browser = Browser()
    browser.sign_in(key)
    browser.get("/")
    browser.client.delete_cookie(COOKIE)
    answer = browser.client.post("/sample", headers=PAGE)
    assert (answer.status_code, 'class="button button-primary" href="/login"' in answer.text) == (401, True)


@on_one_database
def test_a_reader_is_not_shown_how_to_upload(app: Flask) -> None:
    """Neither the file input, nor the sample, nor the command."""
    configure(api_keys_required=True)
    browser = Browser()
    browser.sign_in(create_key("Reader", scope="read"))
    page = browser.get("/").text
    assert "Your key may only read" in page
    assert not any(each in page for each in ('type="file"', "curl", "Nothing starts"))


@on_one_database
@pytest.mark.parametrize(
    "given",
    ["", "imgproc_" + "A" * 43, "x" * 200, "' OR ''='", "imgproc_\0"],
    ids=["nothing", "never issued", "long", "SQL injection", "NUL"],
)
def test_a_wrong_key_is_told_plainly(key: str, given: str) -> None:
    """The page says what to check, shows no key, and starts no session."""
    browser = Browser()
    answer = browser.sign_in(given, next="/keys")
    assert "Not signed in" in text_of(answer)
    assert 'value="/keys"' in answer.text
    assert not given.strip() or given not in answer.text
    assert (browser.cookie(COOKIE), rows(Session)) == (None, [])
    assert browser.sign_in(f"  {key}\n").status_code == 303


@on_one_database
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(key: str) -> None:
    """Over HTTPS it is also bound to this host."""
    plain = Browser().sign_in(key).headers.getlist("Set-Cookie")
    (cookie,) = (each for each in plain if each.startswith("imgproc_session="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    secure = Browser(https=True).sign_in(key).headers.getlist("Set-Cookie")
    (cookie,) = (each for each in secure if each.startswith("__Host-imgproc_session="))
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    for each in Browser(https=True).get("/login").headers.getlist("Set-Cookie"):
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(each.split("; "))


@on_one_database
@pytest.mark.parametrize("is_real", [True, False], ids=["a session of the attacker", "a made-up token"])
def test_a_planted_session_is_replaced_at_the_sign_in(key: str, is_real: bool) -> None:
    """Whoever planted the cookie does not share the session, and their own ends."""
    attacker, planted = Browser(), "a" * 43
    if is_real:
        attacker.sign_in(create_key("attacker"))
        planted = attacker.cookie(COOKIE) or ""
    victim = Browser()
    victim.client.set_cookie(COOKIE, planted)
    victim.sign_in(key)
    assert victim.cookie(COOKIE) not in {planted, None}
    thief = Browser()
    thief.client.set_cookie(COOKIE, planted)
    assert thief.get("/").status_code == 302
    assert len(rows(Session)) == 1


@on_one_database
def test_only_the_hash_of_the_token_is_stored(key: str) -> None:
    """Whoever reads the database has no session."""
    browser = Browser()
    browser.sign_in(key)
    token = browser.cookie(COOKIE) or ""
    assert len(token) == 43
    assert not [value for value in rows(Session)[0] if token in str(value)]
    browser.client.set_cookie(COOKIE, rows(Session)[0].token_hash)
    assert browser.get("/").status_code == 302


def _revoke(key: str) -> None:
    revoke_key(key[:14])


def _expire(_key: str) -> None:
    pass_time(sessions.SECONDS + 1)


def _rotate(_key: str) -> None:
    rotate_key(list_keys()[0], keep_seconds=3600)


@pytest.mark.parametrize("end", [_revoke, _expire, _rotate], ids=["key revoked", "after a week", "key rotated"])
def test_a_session_ends_with_its_key_or_its_time(key: str, end: Any) -> None:
    """The next page leads to the sign-in, which says why and forgets the cookie; a call by a script gets 401."""
    browser = Browser()
    browser.sign_in(key)
    end(key)
    assert (
        current_app.test_client().get("/", headers={"Cookie": f"{COOKIE}={browser.cookie(COOKIE)}"}).status_code == 401
    )
    assert browser.get("/").status_code == 302
    assert "Your session has ended" in text_of(browser.get("/login"))
    assert browser.cookie(COOKIE) is None


def test_an_expired_key_neither_signs_in_nor_stays_signed_in(key: str) -> None:
    """The API refuses it as well."""
    expiring = issue_key("soon", expires_at=datetime.now(timezone.utc) + timedelta(hours=1)).secret
    browser = Browser()
    assert browser.sign_in(expiring).status_code == 303
    pass_time(3601)
    assert browser.get("/").status_code == 302
    assert "Not signed in" in text_of(Browser().sign_in(expiring))
    header = {"X-API-Key": expiring}
    assert current_app.test_client().get("/api/requests", headers=header).get_json()["code"] == "invalid_api_key"


@on_one_database
@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\r\nSet-Cookie: x=y",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "/" + "a" * 3000,
        "///evil.example",
        "http:evil.example",
    ],
)
def test_the_sign_in_leads_to_no_other_site(key: str, path: str) -> None:
    """Neither from the form nor from the link of the page."""
    assert Browser().sign_in(key, next=path).location == "/"
    browser = Browser()
    assert 'name="next" value="/"' in browser.get(f"/login?next={quote(path)}").text
    browser.sign_in(key)
    assert 'href="/">Go on' in browser.get(f"/login?next={quote(path)}").text


@on_one_database
def test_the_api_takes_no_cookie(key: str) -> None:
    """A browser sends cookies by itself, so they count for pages only."""
    browser = Browser()
    browser.sign_in(key)
    for path in ("/api/requests", "/metrics"):
        assert browser.client.get(path).status_code == 401


@on_one_database
def test_a_program_is_not_redirected(key: str) -> None:
    """Redirects to the sign-in are for browsers that open a page."""
    assert current_app.test_client().get("/").status_code == 401
    assert current_app.test_client().get("/api/requests", headers=PAGE).status_code == 401


@on_one_database
def test_signing_in_is_limited_by_address(key: str) -> None:
    """Each wrong key counts."""
    configure(rate_limit_actions="2/minute")
    browser = Browser()
    assert [browser.sign_in("wrong").status_code for _ in range(3)] == [200, 200, 429]


@on_one_database
def test_sessions_of_the_past_are_deleted(key: str) -> None:
    """A sign-in deletes them, so the table does not grow."""
    Browser().sign_in(key)
    pass_time(sessions.SECONDS + 1)
    Browser().sign_in(key)
    assert db.session.execute(sa.select(sa.func.count()).select_from(Session)).scalar_one() == 1
