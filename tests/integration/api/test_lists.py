"""The lists of requests and of products: their order, their pages, and the queries they refuse."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import current_app

from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import ProductStatus, RequestStatus
from tests.integration.api.answers import UTC_TIME, problem
from tests.integration.driver import OPTIONS, get, planned

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)

pytestmark = pytest.mark.usefixtures("app")


def add_request(*, created_at: datetime = NOON, status: RequestStatus = RequestStatus.COMPLETED) -> str:
    """Insert a request that no worker processes; its id."""
    request_id = str(uuid.uuid4())
    values = {"filename": "products.csv", "input_key": "", "options": OPTIONS, "fingerprint": ""}
    with transaction() as connection:
        insert = sa.insert(ProcessingRequest)
        connection.execute(insert.values(id=request_id, status=status, created_at=created_at, **values))
    return request_id


def pages(path: str, *, limit: int) -> list[list[Any]]:
    """All pages of a list."""
    found = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(f"{path}?limit={limit}&cursor={quote(cursor)}")
        assert set(page) == {"items", "nextCursor"}
        found.append(page["items"])
        cursor = page["nextCursor"]
    return found


def ids(page: list[Any]) -> list[str]:
    """The ids of a page of requests."""
    return [item["requestId"] for item in page]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 500])
def test_requests_come_newest_first_and_each_once(limit: int) -> None:
    """Requests of the same microsecond too: a cursor of the time alone would skip or repeat them."""
    times = [NOON] * 4 + [NOON + timedelta(microseconds=1)] * 2 + [NOON - timedelta(days=1)]
    created = {add_request(created_at=time): time for time in times}
    found = pages("/api/requests", limit=limit)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    listed = [request_id for page in found for request_id in ids(page)]
    assert sorted(listed) == sorted(created)
    assert [created[request_id] for request_id in listed] == sorted(times, reverse=True)


def test_new_requests_do_not_shift_the_next_pages() -> None:
    """A request created after the first page was read is on no later page."""
    old = [add_request(created_at=NOON - timedelta(seconds=number)) for number in range(4)]
    first = get("/api/requests?limit=2")
    add_request(created_at=NOON + timedelta(seconds=1))
    second = get(f"/api/requests?limit=2&cursor={first['nextCursor']}")
    assert ids(first["items"]) + ids(second["items"]) == old


def test_requests_can_be_filtered_by_status() -> None:
    """The cursor stays within the filter."""
    wanted = {add_request(status=RequestStatus.FAILED) for _ in range(3)}
    add_request(status=RequestStatus.CANCELLED)
    first = get("/api/requests?status=failed&limit=2")
    second = get(f"/api/requests?status=failed&limit=2&cursor={first['nextCursor']}")
    assert {*ids(first["items"]), *ids(second["items"])} == wanted
    assert second["nextCursor"] is None


def test_a_listed_request_looks_like_its_status() -> None:
    """It has the members of the status except how the file was read, the waiting hosts, the webhook and the links."""
    request_id = planned(products=2)
    (listed,) = get("/api/requests")["items"]
    assert UTC_TIME.fullmatch(listed["createdAt"])
    status = get(f"/api/status/{request_id}")
    assert listed == {
        name: value for name, value in status.items() if name not in {"reading", "waiting", "webhook", "links"}
    }


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_products_come_in_row_order_and_each_once(limit: int) -> None:
    """Rows of other requests are not listed."""
    planned(products=3)
    request_id = planned(products=5)
    found = pages(f"/api/requests/{request_id}/products", limit=limit)
    assert [product["line"] for page in found for product in page] == [2, 3, 4, 5, 6]


def test_products_can_be_filtered_by_status() -> None:
    """The cursor stays within the filter."""
    request_id = planned(products=6)
    with transaction() as connection:
        connection.execute(sa.update(Product).where(Product.row % 2 == 0).values(status=ProductStatus.FAILED))
    path = f"/api/requests/{request_id}/products?status=failed&limit=2"
    first = get(path)
    second = get(f"{path}&cursor={first['nextCursor']}")
    assert [each["line"] for each in first["items"] + second["items"]] == [3, 5, 7]
    assert second["nextCursor"] is None


def test_a_product_has_exactly_the_members_of_the_contract() -> None:
    """For a skipped row `error` says why."""
    request_id = planned(products=1)
    (product,) = get(f"/api/requests/{request_id}/products")["items"]
    assert product == {
        "line": 2,
        "serialNumber": "1.",
        "productName": "SKU 1",
        "status": "pending",
        "error": None,
        "images": [
            {
                "position": 1,
                "sourceUrl": "http://127.0.0.1:1/0.jpg",
                "outputUrl": None,
                "originalUrl": None,
                "status": "pending",
                "error": None,
                "source": None,
                "output": None,
                "durationMs": None,
            }
        ],
    }


# -- refused queries ----------------------------------------------------------------------------------------------


def cursor_of(text: str) -> str:
    """Encode this text as a cursor."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("what", ["requests", "products"])
@pytest.mark.parametrize(
    "query",
    [
        *(f"limit={value}" for value in ("0", "-1", "501", "x", "1.5", "1_0", "9" * 5000, "NaN")),
        *(f"status={value}" for value in ("nonsense", "COMPLETED", "%00")),
        "limit=2&limit=3",
    ],
)
def test_refuses_a_query_out_of_bounds(what: str, query: str) -> None:
    """422 `invalid_option`, and `errors` names the parameter."""
    path = "/api/requests" if what == "requests" else f"/api/requests/{planned(products=1)}/products"
    body = problem(current_app.test_client().get(f"{path}?{query}"), 422, "invalid_option")
    assert [error["option"] for error in body["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize("what", ["requests", "products"])
@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("x", id="not base64"),
        pytest.param("é", id="not ASCII"),
        pytest.param("%00", id="a NUL"),
        pytest.param("gICA", id="not text inside"),
        pytest.param(cursor_of("nonsense"), id="other text inside"),
        pytest.param(cursor_of("-1"), id="a negative row"),
        pytest.param(cursor_of("9" * 30), id="a row beyond the maximum"),
        pytest.param(cursor_of(f"nonsense|{uuid.UUID(int=0)}"), id="not a time"),
        pytest.param(cursor_of("2026-11-23T12:00:00.000000+00:00|nonsense"), id="not an id"),
        pytest.param(cursor_of(f"0001-01-01T00:00:00+23:59|{uuid.UUID(int=0)}"), id="a time before the first year"),
        pytest.param(cursor_of(f"9999-12-31T23:59:59-23:59|{uuid.UUID(int=0)}"), id="a time after the last year"),
        pytest.param(cursor_of("1|2|3"), id="too many parts"),
    ],
)
def test_refuses_an_invalid_cursor(what: str, cursor: str) -> None:
    """The API answers 422 `invalid_cursor`."""
    path = "/api/requests" if what == "requests" else f"/api/requests/{planned(products=1)}/products"
    problem(current_app.test_client().get(f"{path}?cursor={cursor}"), 422, "invalid_cursor")


def test_refuses_the_cursor_of_another_list() -> None:
    """Each list accepts only its own cursors."""
    request_id = planned(products=2)
    planned(products=1)
    of_requests = get("/api/requests?limit=1")["nextCursor"]
    of_products = get(f"/api/requests/{request_id}/products?limit=1")["nextCursor"]
    client = current_app.test_client()
    problem(client.get(f"/api/requests?cursor={of_products}"), 422, "invalid_cursor")
    problem(client.get(f"/api/requests/{request_id}/products?cursor={of_requests}"), 422, "invalid_cursor")


def test_ignores_blank_parameters() -> None:
    """Forms send blank parameters."""
    request_id = planned(products=2)
    query = "status=&limit=&cursor="
    assert ids(get(f"/api/requests?{query}")["items"]) == [request_id]
    assert len(get(f"/api/requests/{request_id}/products?{query}")["items"]) == 2
