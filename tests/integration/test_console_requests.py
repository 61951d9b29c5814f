"""The console's pages of a request: counts, failures, retries of a group, actions, products, webhooks, errors."""

from __future__ import annotations

import html
import json
import re
import shlex

import pytest
from flask import Flask, current_app

from imgproc.db import gallery
from imgproc.db.models import ProcessingRequest
from imgproc.web import request_page
from tests.integration.driver import codes_of, drain, get, rows, status_of, submit, upload
from tests.integration.pages import ask, made, text_of
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file

pytestmark = pytest.mark.usefixtures("app")


def test_failures_are_grouped_by_cause_and_host(shop: ImageHost) -> None:
    """The host is compared without its case, and the largest group comes first."""
    port = shop.url.rpartition(":")[2]
    same = [f"http://{host}:{port}/missing.jpg" for host in ("localhost", "LOCALHOST")]
    request_id = submit(csv_of(*same, f"{shop.url}/page.jpg", f"{shop.url}/chelsea.jpg"))
    drain(request_id)
    groups = gallery.failure_groups(request_id)
    assert [(each.host, each.count) for each in groups] == [(f"localhost:{port}", 2), (f"127.0.0.1:{port}", 1)]
    page = text_of(f"/requests/{request_id}")
    assert "3 images need you" in page
    assert f"2 images from localhost:{port}" in page
    answer = ask(f"/requests/{request_id}/retry", method="POST", data={"code": groups[0].code, "host": groups[0].host})
    assert (answer.status_code, status_of(request_id)["progress"]["images"]["failed"]) == (303, 1)


def test_a_group_is_retried_alone(shop: ImageHost) -> None:
    """The other failures keep their errors; the counters fit, and the files follow."""
    request_id = made(shop, "/late.jpg", "/page.jpg", "/chelsea.jpg")
    before = codes_of(request_id)
    shop.says("/late.jpg", Answer(body=photo_file("chelsea.jpg")))
    group = next(each for each in gallery.failure_groups(request_id) if each.code == "http_404")
    answer = ask(f"/requests/{request_id}/retry", method="POST", data={"code": group.code, "host": group.host})
    assert (answer.status_code, status_of(request_id)["status"]) == (303, "processing")
    status = drain(request_id)
    assert (codes_of(request_id), status["status"]) == ([[None], before[1], [None]], "completed_with_errors")
    assert status["progress"]["images"] == {"total": 3, "completed": 2, "failed": 1}
    assert status["progress"]["products"] == {"total": 3, "completed": 2, "failed": 1}
    assert shop.asked["/page.jpg"] == 1


def test_every_failed_image_of_a_product_is_retried_with_its_group(shop: ImageHost) -> None:
    """A product that has failed for two causes must not end as completed while one of them is left."""
    request_id = submit(csv_of([f"{shop.url}/late.jpg", f"{shop.url}/page.jpg"]))
    drain(request_id)
    shop.says("/late.jpg", Answer(body=photo_file("chelsea.jpg")))
    group = next(each for each in gallery.failure_groups(request_id) if each.code == "http_404")
    ask(f"/requests/{request_id}/retry", method="POST", data={"code": group.code, "host": group.host})
    status = drain(request_id)
    assert status["progress"]["products"]["failed"] == 1
    assert status["progress"]["images"] == {"total": 2, "completed": 1, "failed": 1}


def test_a_status_of_its_own_has_a_title(shop: ImageHost) -> None:
    """The rare statuses of HTTP have no words of their own."""
    page = text_of(f"/requests/{made(shop, '/broken.jpg')}")
    assert "The host answers with an error, HTTP 500" in page


@pytest.mark.parametrize("group", [{"code": "http_404", "host": "elsewhere.example"}, {"code": "timeout", "host": ""}])
def test_a_group_that_there_is_not_is_not_retried(shop: ImageHost, group: dict[str, str]) -> None:
    """The request stays ended."""
    request_id = made(shop, "/missing.jpg")
    assert ask(f"/requests/{request_id}/retry", method="POST", data=group).status_code == 409
    assert status_of(request_id)["status"] == "failed"


def test_all_failures_are_retried_without_a_group(shop: ImageHost) -> None:
    """As the API does it."""
    request_id = made(shop, "/late.jpg", "/later.jpg")
    shop.says("/late.jpg", Answer(body=photo_file("chelsea.jpg")))
    shop.says("/later.jpg", Answer(body=photo_file("chelsea.jpg")))
    ask(f"/requests/{request_id}/retry", method="POST")
    assert drain(request_id)["status"] == "completed"


def test_cancelling_says_how_many_it_hits(shop: ImageHost) -> None:
    """Once the request has ended, there is no such button."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3))
    assert "Cancel 3 images" in text_of(f"/requests/{request_id}")
    assert ask(f"/requests/{request_id}/cancel", method="POST").status_code == 303
    drain(request_id)
    page = text_of(f"/requests/{request_id}")
    assert "Cancel 3" not in page
    assert "0 of 3 images · 3 cancelled" in page


def test_deleting_asks_for_the_name(shop: ImageHost) -> None:
    """Another name deletes nothing."""
    request_id = made(shop, "/chelsea.jpg")
    wrong = ask(f"/requests/{request_id}/delete", method="POST", data={"name": "product.csv"})
    assert "This is not the name" in text_of(wrong.location)
    assert ask(f"/requests/{request_id}/delete", method="POST", data={"name": "products.csv"}).location == "/"
    assert ask(f"/requests/{request_id}").status_code == 404


def test_the_progress_is_polled_by_its_entity_tag(shop: ImageHost) -> None:
    """`Retry-After` is there until the request has ended."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    first = ask(f"/requests/{request_id}/progress")
    again = ask(f"/requests/{request_id}/progress", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert int(again.headers["Retry-After"]) > 0
    drain(request_id)
    ended = ask(f"/requests/{request_id}/progress", headers={"If-None-Match": first.headers["ETag"]})
    assert (ended.status_code, "Retry-After" in ended.headers) == (200, False)
    assert "1 of 1 image" in ended.text


def test_products_are_listed_in_pages(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """By state, too; an unknown state shows all."""
    monkeypatch.setattr(request_page, "PRODUCTS", 2)
    request_id = made(shop, "/chelsea.jpg", "/coffee.png", "/missing.jpg")
    page = ask(f"/requests/{request_id}/products").text
    following = re.search(r'rel="next" href="([^"]*)', page)
    assert following
    assert ("SKU 2" in page, "SKU 3" in page, "SKU 3" in text_of(html.unescape(following[1]))) == (True, False, True)
    assert "SKU 1" not in text_of(f"/requests/{request_id}/products?status=failed")
    assert "SKU 1" in text_of(f"/requests/{request_id}/products?status=strange")


def test_the_webhook_shows_what_was_sent_and_answered_and_sends_again(shop: ImageHost) -> None:
    """A test goes to the same address."""
    shop.says("/hook", Answer(200, b"thank you"))
    request_id = made(shop, "/chelsea.jpg", webhookUrl=f"{shop.url}/hook")
    page = text_of(f"/requests/{request_id}/webhook")
    assert "thank you" in page
    assert "webhook-signature" in page
    (delivery,) = get(f"/api/requests/{request_id}/deliveries")["items"]
    ask(f"/requests/{request_id}/webhook/{delivery['id']}/send", method="POST")
    tested = ask(f"/requests/{request_id}/webhook/test", method="POST")
    assert "The test arrived" in tested.text
    assert "has no webhook" in text_of(f"/requests/{made(shop, '/coffee.png')}/webhook")


def test_the_test_of_a_webhook_can_be_copied(shop: ImageHost) -> None:
    """As a command for curl that sends the same call, whatever the address has in it."""
    url = f"{shop.url}/hook?a='$(id)'&b=1"
    request_id = made(shop, "/chelsea.jpg", webhookUrl=url)
    page = html.unescape(ask(f"/requests/{request_id}/webhook").text)
    found = re.search(r"data-copy>(curl[^<]*/api/webhooks/test)", page)
    assert found
    words = shlex.split(found[1])
    assert (words[1:4], json.loads(words[4])) == (["-X", "POST", "--json"], {"url": url})


def test_the_files_are_those_of_the_api(shop: ImageHost) -> None:
    """The links lead to the same addresses."""
    request_id = made(shop, "/chelsea.jpg", "/missing.jpg")
    client = current_app.test_client()
    for name in ("output.csv", "failed.csv"):
        answer = ask(f"/requests/{request_id}/{name}")
        assert answer.location == client.get(f"/api/requests/{request_id}/{name}").location


def test_every_page_shows_a_command_for_its_actions(shop: ImageHost) -> None:
    """Each can be copied as it is."""
    request_id = made(shop, "/missing.jpg")
    page = text_of(f"/requests/{request_id}")
    for command in ("curl http", "curl -L -O http", "curl -X POST http", "curl -X DELETE http"):
        assert command in page


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        pytest.param("/nowhere", 404, "There is nothing here", id="no page"),
        pytest.param("/requests/00000000-0000-4000-8000-000000000000", 404, "no request with this id", id="no request"),
        pytest.param("/?before=x", 422, "The cursor is invalid", id="a broken cursor"),
    ],
)
def test_errors_are_pages_for_browsers_and_problems_for_others(path: str, status: int, said: str) -> None:
    """The API answers browsers with problems as well."""
    page = ask(path)
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert said in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert current_app.test_client().get(path).mimetype == "application/problem+json"
    assert ask(f"/api{path}").mimetype == "application/problem+json"


def test_an_internal_error_has_an_id(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page tells it, so that the log can be searched for it."""
    monkeypatch.setattr("imgproc.web.start.request_list.page", lambda *_, **__: 1 / 0)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    page = ask("/")
    assert page.status_code == 500
    assert re.search(r"<code>[0-9a-f]{12}</code>", page.text)


def test_links_of_a_file_lead_only_to_web_pages(shop: ImageHost) -> None:
    """A URL with another scheme never becomes a link, and markup stays text."""
    file = 'S. No.,Product Name,Input Image Urls\n1,<b>Mug</b>,"javascript:alert(1)//http://x/a.jpg"\n2,Cup,' + shop.url
    response = upload(f"{file}/missing.jpg", invalidRows="skip")
    request_id = response.json["requestId"]
    drain(request_id)
    for path in ("", "/products"):
        page = ask(f"/requests/{request_id}{path}").text
        assert 'href="javascript:' not in page
        assert "<b>Mug" not in page
    assert rows(ProcessingRequest)


def test_a_retry_does_not_count_the_pause_before_it(shop: ImageHost) -> None:
    """How long it takes, and how fast it is, is not told of a request that was retried."""
    request_id = made(shop, "/chelsea.jpg", "/missing.jpg")
    assert "Took" in text_of(f"/requests/{request_id}")
    ask(f"/requests/{request_id}/retry", method="POST")
    running = status_of(request_id)
    assert (running["status"], running["progress"]["etaSeconds"]) == ("processing", None)
    page = text_of(f"/requests/{request_id}?did=retried")
    assert "The failed images are being tried again." in page
    assert "Images a second" not in page
    drain(request_id)
    page = text_of(f"/requests/{request_id}?did=retried")
    assert "The failed images were tried again." in page
    assert "Took" not in page
    assert "Images a second" not in page


def test_rows_with_faults_are_counted_and_lead_to_their_list(shop: ImageHost) -> None:
    """They are no failed images, so that nothing else on the page of the pictures tells of them."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg", "chelsea.jpg"), invalidRows="skip")
    drain(request_id)
    assert "1 row was left out, because it has a fault." in text_of(f"/requests/{request_id}")
    assert f'href="/requests/{request_id}/products?status=skipped"' in ask(f"/requests/{request_id}").text


def test_the_tile_of_a_failure_leads_to_its_reason(shop: ImageHost) -> None:
    """A tile has room for a few words."""
    request_id = made(shop, "/missing.jpg")
    page = ask(f"/requests/{request_id}").text
    path = re.search(r'class="tile-picture tile-fault break" href="([^"]+)"', page)
    assert path is not None
    assert "answered 404 instead of a picture" in text_of(path[1])
