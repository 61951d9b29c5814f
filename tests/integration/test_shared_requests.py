"""Share links: what they show, what they do not, and how they end."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask import current_app

from imgproc.api import auth, shares
from imgproc.api.api_keys import create_key
from imgproc.core.redaction import redact
from imgproc.db.access_models import ShareLink, SigningKey
from imgproc.db.models import ProcessingRequest, ProductImage
from tests.integration.api.answers import problem
from tests.integration.driver import configure, drain, get, pass_time, post, rows, submit, upload, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.visitor import Browser, text_of

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def made(shop: ImageHost, **options: Any) -> str:
    """A request with a picture and a failure, processed to its end; its id."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"), **options)
    drain(request_id)
    return request_id


def shared(request_id: str, **wanted: Any) -> str:
    """The path of a new link."""
    answer = current_app.test_client().post(f"/api/requests/{request_id}/shares", json=wanted or None)
    assert answer.status_code == 201, answer.text
    return "/share/" + str(answer.get_json()["url"]).rpartition("/")[2]


def test_a_link_shows_the_request_without_a_key(shop: ImageHost) -> None:
    """Progress, pictures before and after, and the result; each address begins with that of the link."""
    request_id = made(shop)
    path = shared(request_id)
    configure(api_keys_required=True)
    visitor = Browser()
    page = visitor.get(path)
    assert "1 of 2 images" in text_of(page)
    assert "Download CSV" in page.text
    (picture,) = set(re.findall(rf'"({path}/images/\d+)"', page.text))
    assert "Before" in text_of(visitor.get(picture))
    for side in ("before", "after"):
        assert visitor.get(f"{picture}/{side}").mimetype == "image/jpeg"
    assert visitor.get(f"{path}/output.csv").status_code == 302
    assert "Download failed rows" in page.text
    assert visitor.get(f"{path}/failed.csv").location.endswith("/failed.csv")
    assert visitor.get(f"{path}/progress").headers["ETag"]
    problem(visitor.client.get(f"{path}/output.xlsx"), 404, "no_output")


def test_a_private_result_is_given_to_the_holder_of_a_link(shop: ImageHost) -> None:
    """The bucket of the file is not public then."""
    configure(csv_access="private")
    answer = Browser().get(f"{shared(made(shop))}/output.csv")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")


@on_one_database
def test_a_link_shows_nothing_else(shop: ImageHost) -> None:
    """No id of the request, no other request, no source, no webhook, no key, no form, no script of another page."""
    webhook = f"{shop.url}/webhook?token=hush"
    request_id = made(shop, webhookUrl=webhook, reference="order 7")
    other = made(shop)
    path, visitor = shared(request_id), Browser()
    image_id = next(each.id for each in rows(ProductImage) if each.request_id == request_id and each.output_key)
    for page in (path, f"{path}?show=failed", f"{path}/progress", f"{path}/images/{image_id}"):
        shown = visitor.get(page).text
        hidden = (request_id, other, shop.url, "webhook", "hush", "order 7", "<form", "/requests/", "/api/", "imgproc_")
        assert [each for each in hidden if each in shown] == [], page
    foreign = next(each.id for each in rows(ProductImage) if each.request_id == other and each.output_key)
    for rest in (f"images/{foreign}", f"images/{foreign}/before", f"images/{foreign}/after", "images/x"):
        problem(visitor.client.get(f"{path}/{rest}"), 404, "image_not_found")
    for rest in ("products", "webhook", "file", "share"):
        assert visitor.get(f"{path}/{rest}").status_code == 404


@on_one_database
def test_a_link_can_do_nothing(shop: ImageHost) -> None:
    """Its routes only read, and its token opens nothing else."""
    configure(api_keys_required=True)
    rules = [rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith("/share/")]
    assert {rule.endpoint for rule in rules} == auth.SHARED
    assert all(rule.methods == {"GET", "HEAD", "OPTIONS"} for rule in rules)
    configure(api_keys_required=False)
    request_id = made(shop)
    token = shared(request_id).rpartition("/")[2]
    configure(api_keys_required=True)
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"imgproc_session={token}"}):
        for path in (f"/requests/{request_id}", f"/api/status/{request_id}", f"/requests/{token}"):
            assert current_app.test_client().get(path, headers=headers).status_code == 401


def test_a_link_ends_when_it_is_revoked(shop: ImageHost) -> None:
    """At once, on every address of it; the other link goes on."""
    request_id = made(shop)
    first, second = shared(request_id), shared(request_id)
    listed = get(f"/api/requests/{request_id}/shares")["items"]
    assert [set(each) for each in listed] == [{"id", "createdAt", "expiresAt", "revokedAt"}] * 2
    oldest = rows(ShareLink, by=ShareLink.created_at)[0].id
    answer = current_app.test_client().delete(f"/api/requests/{request_id}/shares/{oldest}")
    assert answer.status_code == 204
    for rest in ("", "/progress", "/output.csv", "/images/1", "/images/1/after"):
        problem(Browser().client.get(first + rest), 404, "share_not_found")
    assert Browser().get(second).status_code == 200
    assert len(get(f"/api/requests/{request_id}/shares")["items"]) == 1


def test_a_link_ends_at_its_expiry_and_with_its_request(shop: ImageHost) -> None:
    """Without an expiry it works for 30 days."""
    request_id = made(shop)
    soon = shared(request_id, expiresAt=(datetime.now(timezone.utc) + timedelta(hours=1)).isoformat())
    path = shared(request_id)
    pass_time(3601)
    problem(Browser().client.get(soon), 404, "share_not_found")
    assert Browser().get(path).status_code == 200
    kept = rows(ShareLink, by=ShareLink.expires_at)[-1]
    assert timedelta(days=29) < kept.expires_at - datetime.now(timezone.utc) < timedelta(days=31)
    current_app.test_client().delete(f"/api/requests/{request_id}")
    problem(Browser().client.get(path), 404, "share_not_found")
    work()
    assert rows(ProcessingRequest) == [] or rows(ProcessingRequest)[0].removed_at


@on_one_database
def test_a_made_up_link_is_answered_as_a_revoked_one(shop: ImageHost) -> None:
    """The answers are the same, whatever is wrong with the link; the browser's page says what to do."""
    request_id = made(shop)
    token = shared(request_id).rpartition("/")[2]
    body, _, signature = token.rpartition(".")
    tokens = [
        f"{body}.{signature[:-2]}AA",
        f"{body[:-1]}A.{signature}",
        body,
        signature,
        request_id,
        "x" * 300,
        "é",
        "%00",
    ]
    link = rows(ShareLink)[0]
    tokens += [link.token_hash, link.id, shares._signer().sign("x" * 43).decode()]
    current_app.test_client().delete(f"/api/requests/{request_id}/shares/{link.id}")
    answers = {current_app.test_client().get(f"/share/{each}").data for each in [token, *tokens]}
    assert len(answers) == 1
    page = Browser().get(f"/share/{token}")
    assert (page.status_code, "Ask its sender" in page.text) == (404, True)


def test_a_token_is_signed_and_only_its_hash_is_stored(shop: ImageHost) -> None:
    """No column has a part of it, and no log shows it."""
    token = shared(submit(csv_of(f"{shop.url}/chelsea.jpg"))).rpartition("/")[2]
    assert re.fullmatch(r"[\w-]{43}\.[\w-]{43}", token)
    assert not [value for value in rows(ShareLink)[0] if token[:10] in str(value)]
    assert redact(f"path=/share/{token}/images/1") == "path=/share/REDACTED/images/1"
    assert len(rows(SigningKey)) == 1
    assert len(rows(SigningKey)[0].secret) == 43


@on_one_database
def test_answers_of_a_link_are_neither_indexed_nor_told_to_others(shop: ImageHost) -> None:
    """Search engines are asked to leave it out, and pages that it leads to do not see its address."""
    page = Browser().get(shared(made(shop)))
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "private, no-store"
    assert '<meta name="robots" content="noindex">' in page.text


@on_one_database
def test_a_reader_lists_links_and_makes_none(shop: ImageHost) -> None:
    """Making and revoking one need the scope `write`."""
    key = create_key("shop", scope="read")
    path = f"/api/requests/{uuid.uuid4()}/shares"
    ask = current_app.test_client().open
    assert ask(path, method="POST", headers={"X-API-Key": key}).get_json()["code"] == "insufficient_scope"
    assert ask(path, method="GET", headers={"X-API-Key": key}).get_json()["code"] == "request_not_found"


@on_one_database
@pytest.mark.parametrize(
    "expiry",
    ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2027-01-01", "soon", 7, None],
)
def test_a_link_with_a_wrong_expiry_is_refused(shop: ImageHost, expiry: Any) -> None:
    """It lies within a year."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    answer = current_app.test_client().post(f"/api/requests/{request_id}/shares", json={"expiresAt": expiry})
    problem(answer, 422, "invalid_option")
    assert rows(ShareLink) == []


@on_one_database
def test_a_request_has_a_bounded_number_of_links(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the remedy, over the API and on the page."""
    monkeypatch.setattr(shares, "MOST_LINKS", 2)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    for _ in range(2):
        shared(request_id)
    problem(post(f"/api/requests/{request_id}/shares"), 409, "too_many_links")
    page = Browser().send(f"/requests/{request_id}/share", f"/requests/{request_id}/share")
    assert "revoke one first" in text_of(page)


@on_one_database
def test_the_page_makes_and_revokes_links(shop: ImageHost) -> None:
    """The address is shown once."""
    configure(api_keys_required=True)
    key = create_key("shop")
    sent = upload(csv_of(f"{shop.url}/chelsea.jpg"), headers={"X-API-Key": key})
    page = f"/requests/{sent.get_json()['requestId']}/share"
    browser = Browser()
    browser.sign_in(key)
    assert "Nobody else sees" in text_of(browser.get(page))
    answer = browser.send(page, page, expires="7")
    (path,) = set(re.findall(r"/share/[\w-]{43}\.[\w-]{43}", answer.text))
    assert Browser().get(path).status_code == 200
    assert path not in browser.get(page).text
    (revoke,) = re.findall(rf'action="({page}/[^"]+/revoke)"', browser.get(page).text)
    assert browser.send(page, revoke).location == f"{page}?did=revoked"
    assert "stopped working" in text_of(browser.get(f"{page}?did=revoked"))
    assert Browser().get(path).status_code == 404
