"""Users whom a proxy names: believed from trusted networks only, and each an owner of their own."""

from __future__ import annotations

import io

import pytest
from flask import Flask, current_app

from imgproc.api.api_keys import create_key
from imgproc.core.config import ConfigError, load_settings
from imgproc.db.models import ProcessingRequest
from tests.integration.api.answers import AppFactory
from tests.integration.driver import configure, rows
from tests.support.csv_files import csv_of
from tests.support.visitor import Browser, text_of, token_of

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
PROXY = {"REMOTE_ADDR": "10.0.0.5"}
NETWORKS = load_settings({"REMOTE_USER_NETWORKS": "10.0.0.0/30,10.0.0.5/32,fd00::/8"}).remote_user_networks


@pytest.fixture(autouse=True)
def settings(app: Flask) -> None:  # after `app`, which restores the settings
    """A proxy signs people in; keys are required."""
    configure(api_keys_required=True, remote_user_header="X-Forwarded-User", remote_user_networks=NETWORKS)


def person(name: str) -> Browser:
    """The browser of a person behind the proxy."""
    return Browser(environ=PROXY | {"HTTP_X_FORWARDED_USER": name})


def test_a_user_of_the_proxy_is_an_owner(app: Flask) -> None:
    """Each sees their own requests, without a key; another name is another owner."""
    anna, ben = person("anna@shop.example"), person("ben@shop.example")
    page = anna.get("/")
    assert "anna@shop.example" in text_of(page)
    assert "Sign out" not in page.text
    sample = {
        "file": (io.BytesIO(csv_of("https://shop.example/1.jpg").encode()), "anna.csv"),
        "csrf_token": token_of(page),
    }
    environ = PROXY | {"HTTP_X_FORWARDED_USER": "anna@shop.example"}
    answer = anna.client.post("/", data=sample, environ_overrides=environ)
    assert answer.status_code == 303
    assert anna.get(answer.location).status_code == 200
    assert ben.get(answer.location).status_code == 404
    assert person("Anna@shop.example").get(answer.location).status_code == 404
    (owner,) = {each.owner for each in rows(ProcessingRequest)}
    assert len(owner) == 36


@on_one_database
@pytest.mark.parametrize("address", ["10.0.0.6", "127.0.0.1", "203.0.113.9", "", "::1", "unix"])
def test_a_client_that_is_no_proxy_names_nobody(address: str) -> None:
    """The header of a stranger counts for nothing."""
    stranger = Browser(environ={"REMOTE_ADDR": address, "HTTP_X_FORWARDED_USER": "anna@shop.example"})
    assert stranger.get("/").location == "/login"


@on_one_database
@pytest.mark.parametrize("address", ["10.0.0.2", "10.0.0.5", "::ffff:10.0.0.5", "fd00::7"])
def test_a_proxy_of_a_trusted_network_is_believed(address: str) -> None:
    """IPv4 in IPv6 too."""
    assert Browser(environ={"REMOTE_ADDR": address, "HTTP_X_FORWARDED_USER": "anna"}).get("/").status_code == 200


@on_one_database
def test_the_proxy_is_the_other_end_of_the_connection(make_app: AppFactory) -> None:
    """With TRUSTED_PROXIES, the client's address from X-Forwarded-For makes nobody a proxy."""
    app = make_app(
        API_KEYS_REQUIRED="true",
        TRUSTED_PROXIES="1",
        REMOTE_USER_HEADER="X-Forwarded-User",
        REMOTE_USER_NETWORKS="10.0.0.5/32",
    )
    headers = {"X-Forwarded-User": "anna", "Accept": "text/html"}

    def ask(peer: str, client: str) -> int:
        given = headers | {"X-Forwarded-For": client}
        return app.test_client().get("/", headers=given, environ_overrides={"REMOTE_ADDR": peer}).status_code

    assert (ask("10.0.0.5", "203.0.113.9"), ask("203.0.113.9", "10.0.0.5")) == (200, 302)


@on_one_database
@pytest.mark.parametrize("name", ["", " ", "anna,ben", "a" * 321, "an\tna"])
def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    """Two names mean that the client has sent the header as well."""
    environ = PROXY | {"HTTP_X_FORWARDED_USER": name}
    answer = current_app.test_client().get("/", environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid_user")


@on_one_database
def test_a_user_of_the_proxy_is_no_admin_and_calls_no_api() -> None:
    """The API takes keys, so a form of another site cannot call it in their name."""
    anna = person("anna")
    assert anna.get("/keys").status_code == 403
    for path in ("/api/requests", "/metrics"):
        assert anna.get(path).status_code == 401


@on_one_database
def test_an_admin_among_the_users_manages_keys_on_the_pages_alone() -> None:
    """Named as the proxy names them; the API still takes keys only."""
    configure(remote_user_admins=("anna", "ben"))
    assert [person(name).get("/keys").status_code for name in ("anna", "ben", "Anna", "carl")] == [200, 200, 403, 403]
    created = person("anna").send("/keys", "/keys", name="shop", scope="read", expires="")
    assert "imgproc_" in created.text
    assert person("anna").get("/api/keys").status_code == 401
    stranger = Browser(environ={"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_USER": "anna"})
    assert stranger.get("/keys").location.startswith("/login")


@on_one_database
def test_forms_of_a_user_of_the_proxy_need_a_token() -> None:
    """The proxy adds the name to forms of other sites as well."""
    anna = person("anna")
    assert anna.post("/sample").status_code == 403
    anna.get("/")
    assert anna.post("/sample").status_code == 403
    assert anna.send("/", "/sample").status_code == 404  # this server has no sample


@on_one_database
def test_an_admin_key_signs_in_behind_the_proxy() -> None:
    """A session counts before the user of the proxy."""
    anna = person("anna")
    anna.sign_in(create_key("admin", scope="admin"))
    assert anna.get("/keys").status_code == 200
    assert anna.send("/keys", "/logout").status_code == 303
    assert anna.get("/keys").status_code == 403


@pytest.mark.parametrize(
    "given",
    [
        {"REMOTE_USER_HEADER": "X-User"},
        {"REMOTE_USER_HEADER": "X_User", "REMOTE_USER_NETWORKS": "10.0.0.5/32"},
        {"REMOTE_USER_HEADER": "X User", "REMOTE_USER_NETWORKS": "10.0.0.5/32"},
        {"REMOTE_USER_HEADER": "X-User", "REMOTE_USER_NETWORKS": "proxy"},
    ],
    ids=["no networks", "underscore", "space", "no network"],
)
@on_one_database
def test_settings_that_would_trust_nobody_or_anybody_are_refused(given: dict[str, str]) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match="REMOTE_USER"):
        load_settings(given)
