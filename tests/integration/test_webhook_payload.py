"""The body of the webhook: what it tells of a request, that it stays small, and that OpenAPI describes it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from flask import current_app

from imgproc.db import reads
from imgproc.db.engine import db, transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.db.statuses import ImageStatus, ProductStatus, RequestStatus
from imgproc.journey import outcome
from imgproc.journey.services import services
from imgproc.worker import sweeper
from tests.integration.api.answers import problem
from tests.integration.driver import burst, drain, get, pass_time, planned, post, rows, status_of, submit, upload, work
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)

CODES = 30
MOST_BYTES = 20_000


def announced(shop: ImageHost) -> dict[str, Any]:
    """The last webhook; it is checked against the schema of the OpenAPI document."""
    # Its import compiles 38 grammars, and every process of xdist imports this module.
    from jsonschema import (  # type: ignore[import-untyped]  # its stubs are not installed  # noqa: PLC0415
        Draft202012Validator,
    )

    body: dict[str, Any] = json.loads(shop.announcements[-1].body)
    document = current_app.test_client().get("/openapi.json").get_json()
    content = document["webhooks"]["requestEnded"]["post"]["requestBody"]["content"]["application/json"]
    Draft202012Validator({**content["schema"], "components": document["components"]}).validate(body)
    return body


def run(shop: ImageHost, *names: str, **options: str) -> str:
    """Run a request for these images to its webhook; its id."""
    request_id = submit(csv_of(*[f"{shop.url}/{name}" for name in names]), webhookUrl=f"{shop.url}/webhook", **options)
    drain(request_id)
    work()
    return request_id


def test_the_webhook_tells_what_the_status_tells(shop: ImageHost) -> None:
    """Filename, reference, times and counts are those of the status, and `statusUrl` leads to it."""
    request_id = run(shop, "chelsea.jpg", "forbidden.jpg", "page.jpg", "cut.jpg", reference="order 4711, März")
    status, body = status_of(request_id), announced(shop)
    data = body["data"]
    same = ("requestId", "status", "filename", "reference", "createdAt", "finishedAt", "bytes", "outputCsvUrl", "error")
    assert {name: data[name] for name in same} == {name: status[name] for name in same}
    assert data["reference"] == "order 4711, März"
    assert get(data["statusUrl"].removeprefix("http://localhost")) == status
    assert (body["type"], body["timestamp"]) == ("request.completed_with_errors", status["finishedAt"])
    assert data["failures"] == {"http_403": 1, "not_an_image": 1, "truncated_image": 1}
    assert sum(data["failures"].values()) == data["progress"]["images"]["failed"]


def test_a_completed_request_has_no_failures(shop: ImageHost) -> None:
    """Without a reference and without failures the members are there all the same."""
    run(shop, "chelsea.jpg")
    data = announced(shop)["data"]
    assert (data["reference"], data["error"], data["failures"]) == (None, None, {})


def test_a_retry_announces_what_still_fails(shop: ImageHost) -> None:
    """The second webhook counts the failures that are left, and has the new time."""
    request_id = run(shop, "forbidden.jpg", "page.jpg")
    first = announced(shop)["data"]
    shop.says("/forbidden.jpg", shop.picture("/chelsea.jpg"))
    pass_time(60)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    drain(request_id)
    work()
    second = announced(shop)["data"]
    assert (first["failures"], second["failures"]) == ({"http_403": 1, "not_an_image": 1}, {"not_an_image": 1})
    assert second["finishedAt"] == status_of(request_id)["finishedAt"] > first["finishedAt"]


def test_a_failed_request_says_why_in_status_list_and_webhook(shop: ImageHost) -> None:
    """No image succeeded."""
    request_id = run(shop, "forbidden.jpg")
    error = announced(shop)["data"]["error"]
    assert error["code"] == "no_image_succeeded"
    assert status_of(request_id)["error"] == get("/api/requests")["items"][0]["error"] == error


def test_a_request_that_cannot_be_planned_says_why(shop: ImageHost) -> None:
    """The stored file is gone."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    services().store.delete_some(request_id)
    work()
    body = announced(shop)
    assert (body["type"], body["data"]["error"]["code"]) == ("request.failed", "input_missing")
    assert body["data"]["error"] == status_of(request_id)["error"]


def test_a_request_whose_workers_die_says_why(shop: ImageHost) -> None:
    """The sweeper ends it after the last attempt."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    dead = {"attempt": 3, "alone": True, "lease_token": "dead", "status": RequestStatus.PROCESSING}
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).values(**dead, lease_until=datetime.now(timezone.utc)))
    pass_time(60)
    sweeper.sweep()
    burst()
    body = announced(shop)
    assert (body["type"], body["data"]["error"]["code"]) == ("request.failed", "plan_failed")
    assert body["data"]["error"] == status_of(request_id)["error"]


# -- its size -----------------------------------------------------------------------------------------------------


def fail_with_many_codes() -> None:
    """Let each image fail with a code that its position makes, the longest that the database holds."""
    with transaction() as connection:
        for position in range(1, CODES + 1):
            failed = {"status": ImageStatus.FAILED, "error_code": f"http_{position:x<59}"}
            connection.execute(sa.update(ProductImage).where(ProductImage.position == position).values(**failed))
        connection.execute(sa.update(Product).values(status=ProductStatus.FAILED))


def test_only_the_most_frequent_codes_are_counted() -> None:
    """The database counts them; images of other requests do not count."""
    request_id = planned(products=2, images=CODES)
    fail_with_many_codes()
    first = ProductImage.id == rows(ProductImage)[0].id
    with transaction() as connection:
        connection.execute(
            sa.update(ProductImage).where(first | (ProductImage.position > 28)).values(error_code="often")
        )
    other = planned(products=1, images=1)
    counted = reads.failures_of(request_id, most=3)
    assert (next(iter(counted)), list(counted.values())) == ("often", [5, 2, 2])
    assert reads.failures_of(other, most=3) == {}


@on_one_database
def test_the_body_stays_below_20_kb_whatever_comes(shop: ImageHost) -> None:
    """The longest name, reference, host and detail, of characters that JSON writes as twelve bytes each."""
    widest = "\U0001f45f"
    host = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.example:65535"
    answer = upload(
        csv_of([f"{shop.url}/forbidden.jpg"] * CODES),
        webhookUrl=f"{shop.url}/webhook",
        reference=widest * 500,
        headers={"Host": host},
    )
    assert answer.status_code == 202, answer.text
    burst(most=1)  # its plan
    fail_with_many_codes()
    request = reads.get_request(answer.json["requestId"])
    assert request is not None
    request.images_failed = 10**12
    request.filename = widest * 255
    url = f"http://{host}/api/requests/{request.id}/output.csv"
    urls = dict.fromkeys(outcome.NO_FILES, url)
    announce = outcome.announcement(request, RequestStatus.FAILED, code="c" * 64, detail=widest * 5000, urls=urls)
    db.session.rollback()
    body = announce(datetime.now(timezone.utc))
    assert len(json.dumps(body)) < MOST_BYTES
    assert len(body["data"]["failures"]) == outcome.SHOWN_CODES


@on_one_database
def test_a_host_longer_than_any_name_is_refused(shop: ImageHost) -> None:
    """It would be in every link and webhook."""
    answer = upload(csv_of(f"{shop.url}/chelsea.jpg"), headers={"Host": "a." * 150 + "example"})
    problem(answer, 400, "bad_request")


# -- the reference ------------------------------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("order 4711", id="plain"),
        pytest.param('{"shop":7,"batch":"a"}', id="JSON"),
        pytest.param("=SUM(A1)\n<script>\t\u202e\x01", id="markup and control characters"),
        pytest.param(" ", id="a space"),
        pytest.param("x" * 500, id="the longest"),
    ],
)
def test_the_reference_is_repeated_as_it_was_given(shop: ImageHost, reference: str) -> None:
    """The status and the list show it unchanged."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), reference=reference)
    assert status_of(request_id)["reference"] == get("/api/requests")["items"][0]["reference"] == reference


@on_one_database
@pytest.mark.parametrize(
    "reference", [pytest.param("x" * 501, id="too long"), pytest.param("a\0b", id="NUL, which PostgreSQL cannot store")]
)
def test_a_reference_that_cannot_be_kept_is_refused(shop: ImageHost, reference: str) -> None:
    """The upload is refused with 422 and names the option."""
    body = problem(upload(csv_of(f"{shop.url}/chelsea.jpg"), reference=reference), 422, "invalid_option")
    assert body["errors"][0]["option"] == "reference"


@on_one_database
def test_another_reference_is_another_upload(shop: ImageHost) -> None:
    """An idempotency key stands for one reference, as for one set of options; a blank one is none."""
    csv, headers = csv_of(f"{shop.url}/chelsea.jpg"), {"Idempotency-Key": "spring"}
    first = upload(csv, headers=headers, reference="a")
    again = upload(csv, headers=headers, reference="a")
    assert (again.json["requestId"], again.headers["Idempotent-Replayed"]) == (first.json["requestId"], "true")
    for other in ({"reference": "b"}, {"reference": ""}, {}):
        problem(upload(csv, headers=headers, **other), 409, "idempotency_key_reused")


def test_no_webhook_means_no_delivery(shop: ImageHost) -> None:
    """A request without a webhook announces nothing."""
    shop.says("/webhook", Answer())
    drain(submit(csv_of(f"{shop.url}/chelsea.jpg"), reference="a"))
    assert rows(WebhookDelivery) == []
