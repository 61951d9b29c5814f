"""Requests of other owners: every route answers as for an unknown request, and changes nothing.

The routes are read from the app, so a route added later is tested too.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, current_app
from werkzeug.routing import Rule

from imgproc.api.api_keys import create_key, revoke_key
from imgproc.db.access_models import ShareLink
from imgproc.db.engine import Base
from imgproc.db.models import DeliveryAttempt, ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.queue.connection import redis_client
from tests.integration.api.answers import problem
from tests.integration.driver import configure, rows, upload, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")

TABLES: tuple[type[Base], ...] = (
    *(ProcessingRequest, Product, ProductImage),
    *(WebhookDelivery, DeliveryAttempt, ShareLink),
)
CHANGING = {"date", "x-request-id"}  # headers that differ from answer to answer
# Whether the request has ended, and whether its CSVs are public.
STATES = [
    pytest.param(False, "public", id="pending"),
    pytest.param(True, "public", id="ended, CSVs public"),
    pytest.param(True, "private", id="ended, CSVs private"),
]


def rules_of_a_request(app: Flask) -> list[Rule]:
    """Every route with a request id in its path."""
    return [rule for rule in app.url_map.iter_rules() if "request_id" in rule.arguments]


def calls(request_id: str, delivery_id: str) -> list[tuple[str, str]]:
    """Every method and path of these routes, with both ids filled in."""
    found = []
    for rule in rules_of_a_request(current_app):
        path = rule.rule.replace("<request_id>", request_id).replace("<delivery_id>", delivery_id)
        path = path.replace("<image_id>", "1").replace("<share_id>", delivery_id)
        assert "<" not in path, f"{rule.rule} has a part that this test does not know"
        found += [(method, path) for method in sorted((rule.methods or set()) - {"OPTIONS"})]
    return found


def shown(response: Any) -> tuple[Any, ...]:
    """All that a caller sees of an answer."""
    headers = {name.lower(): value for name, value in response.headers if name.lower() not in CHANGING}
    return response.status_code, headers, response.data


def kept() -> list[Any]:
    """Every row of the tables that belong to a request."""
    return [rows(table) for table in TABLES]


def stranger(kind: str) -> dict[str, str]:
    """The headers of a caller who is not the owner."""
    return {} if kind == "no key" else {"X-API-Key": create_key(kind)}


@pytest.mark.parametrize(("has_ended", "access"), STATES)
@pytest.mark.parametrize("caller", ["another key", "no key"])
def test_no_route_reveals_a_foreign_request(
    shop: ImageHost, objects: ObjectStore, caller: str, has_ended: bool, access: str
) -> None:
    """Status, headers and body are those of an unknown request; no row, object or job changes."""
    configure(csv_access=access)
    file = csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"])
    owner = {"X-API-Key": create_key("owner")}
    request_id = upload(file, headers=owner, webhookUrl=f"{shop.url}/webhook").get_json()["requestId"]
    delivery_id = str(uuid.uuid4())
    if has_ended:
        work()
        delivery_id = rows(WebhookDelivery)[0].id
    headers, unknown = stranger(caller), str(uuid.uuid4())
    before, stored, asked = kept(), objects.keys(request_id), shop.asked.copy()
    jobs = redis_client().keys("rq:job:*")
    ask = current_app.test_client().open
    foreign, absent = (calls(known, delivery_id) for known in (request_id, unknown))
    assert len(foreign) >= 9
    for (method, path), (_, absent_path) in zip(foreign, absent, strict=True):
        answer = ask(path, method=method, headers=headers)
        assert answer.status_code == 404, f"{method} {path}"
        if method != "HEAD":
            problem(answer, 404, "request_not_found")
        assert shown(answer) == shown(ask(absent_path, method=method, headers=headers)), f"{method} {path}"
    assert (kept(), objects.keys(request_id), shop.asked) == (before, stored, asked)
    assert redis_client().keys("rq:job:*") == jobs


def test_a_key_does_not_see_requests_made_without_a_key(shop: ImageHost) -> None:
    """Callers without a key are an owner of their own."""
    request_id = upload(csv_of(f"{shop.url}/chelsea.jpg")).get_json()["requestId"]
    headers = stranger("another key")
    for method, path in calls(request_id, str(uuid.uuid4())):
        answer = current_app.test_client().open(path, method=method, headers=headers)
        assert answer.status_code == 404, f"{method} {path}"
    assert current_app.test_client().get(f"/api/status/{request_id}").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda _: {}, id="no key"),
        pytest.param(lambda key: {"X-API-Key": key}, id="its own key, revoked"),
        pytest.param(lambda _: {"X-API-Key": "imgproc_" + "A" * 43}, id="a wrong key"),
    ],
)
def test_every_route_of_a_request_needs_a_valid_key_where_keys_are_required(
    shop: ImageHost, headers: Callable[[str], dict[str, str]]
) -> None:
    """Known and unknown requests get 401 alike."""
    key = create_key("owner")
    request_id = upload(csv_of(f"{shop.url}/chelsea.jpg"), headers={"X-API-Key": key}).get_json()["requestId"]
    revoke_key(key[:14])
    configure(api_keys_required=True)
    before = kept()
    for known in (request_id, str(uuid.uuid4())):
        for method, path in calls(known, str(uuid.uuid4())):
            answer = current_app.test_client().open(path, method=method, headers=headers(key))
            assert answer.status_code == 401, f"{method} {path}"
    assert kept() == before


def test_a_foreign_delivery_under_an_own_request_is_not_found(shop: ImageHost) -> None:
    """The answer is that for an unknown delivery, and nothing is sent."""
    keys = [{"X-API-Key": create_key(name)} for name in ("one", "two")]
    file = csv_of(f"{shop.url}/chelsea.jpg")
    own, _ = (upload(file, headers=key, webhookUrl=f"{shop.url}/webhook").get_json()["requestId"] for key in keys)
    work()
    (foreign,) = (each.id for each in rows(WebhookDelivery) if each.request_id != own)
    sent = shop.asked["/webhook"]
    answers = []
    for delivery_id in (foreign, str(uuid.uuid4()), "none"):
        path = f"/api/requests/{own}/deliveries/{delivery_id}/redeliver"
        answers.append(current_app.test_client().post(path, headers=keys[0]))
        problem(answers[-1], 404, "delivery_not_found")
    assert len({shown(answer)[2] for answer in answers}) == 1
    work()
    assert shop.asked["/webhook"] == sent


def test_no_list_shows_a_foreign_request(shop: ImageHost) -> None:
    """A cursor from another owner's list does not show one either."""
    keys = [{"X-API-Key": create_key(name)} for name in ("one", "two")]
    ids = [
        [upload(csv_of(f"{shop.url}/chelsea.jpg"), headers=key).get_json()["requestId"] for _ in range(3)]
        for key in keys
    ]
    ask = current_app.test_client().get
    cursor = ask("/api/requests?limit=1", headers=keys[1]).get_json()["nextCursor"]
    for query in ("", "?limit=500", f"?cursor={cursor}", "?status=pending", f"?status=pending&cursor={cursor}"):
        text = ask(f"/api/requests{query}", headers=keys[0]).text
        assert not [request_id for request_id in ids[1] if request_id in text]
    assert len(re.findall(r'"requestId"', ask("/api/requests", headers=keys[0]).text)) == 3
