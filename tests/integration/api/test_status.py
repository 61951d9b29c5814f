"""`GET /api/status/{id}`: its members, its ETag, when to poll again, and that its cost is constant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from flask import current_app

from imgproc.db.engine import Base, db, transaction
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import ENDED, DeliveryStatus, RequestStatus
from tests.integration.api.answers import UNKNOWN, UTC_TIME, problem
from tests.integration.driver import get, planned, submit
from tests.support.csv_files import csv_of

NOW = datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
HOOK = "https://shop.example/hook"

pytestmark = pytest.mark.usefixtures("app")


def ask(path: str, *, method: str = "GET", **headers: str) -> Any:
    """Call a path; the response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return current_app.test_client().open(path, method=method, headers=named)


def change(table: type[Base], **values: Any) -> None:
    """Update every row of a table."""
    with transaction() as connection:
        connection.execute(sa.update(table).values(**values))


def add_delivery(request_id: str) -> None:
    """Insert a delivery of the request."""
    change(ProcessingRequest, webhook_url=HOOK)
    payload = {"type": "request.completed"}
    values = {"id": str(uuid.uuid4()), "request_id": request_id, "finalize_epoch": 1, "url": HOOK, "payload": payload}
    with transaction() as connection:
        connection.execute(sa.insert(WebhookDelivery).values(**values))


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The SQL statements that the block executes, without the explicit BEGIN of SQLite."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement != "BEGIN":
            statements.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def test_has_exactly_the_members_of_the_contract() -> None:
    """These are the values of a pending request."""
    request_id = submit(csv_of("https://shop.example/1.jpg,https://shop.example/2.jpg"), quality="60", webhookUrl=HOOK)
    status = get(f"/api/status/{request_id}")
    created_at, links, reading = (status.pop(name) for name in ("createdAt", "links", "reading"))
    assert reading["columns"]["inputImageUrls"] == ["Input Image Urls"]
    assert UTC_TIME.fullmatch(created_at)
    assert status == {
        "requestId": request_id,
        "status": "pending",
        "startedAt": None,
        "finishedAt": None,
        "filename": "products.csv",
        "reference": None,
        "options": {"quality": 60, "scale": 0.5, "format": "jpeg"},
        "progress": {
            "percent": 0,
            "etaSeconds": None,
            "products": {"total": 1, "completed": 0, "failed": 0},
            "images": {"total": 2, "completed": 0, "failed": 0},
        },
        "bytes": {"source": 0, "output": 0, "savedPercent": None},
        "outputCsvUrl": None,
        "failedCsvUrl": None,
        "outputXlsxUrl": None,
        "error": None,
        "waiting": [],
        "webhook": {
            "url": HOOK,
            "status": "pending",
            "attempts": 0,
            "lastResponseStatus": None,
            "nextAttemptAt": None,
        },
    }
    base = f"http://localhost/api/requests/{request_id}"
    assert links == {
        "self": f"http://localhost/api/status/{request_id}",
        "products": f"{base}/products",
        "outputCsv": f"{base}/output.csv",
        "deliveries": f"{base}/deliveries",
        "cancel": f"{base}/cancel",
        "retry": f"{base}/retry",
    }


def test_the_webhook_is_null_where_none_was_given() -> None:
    """The member is there, but empty."""
    assert get(f"/api/status/{planned(products=1)}")["webhook"] is None


def test_every_link_works() -> None:
    """Links to read answer GET, links to act answer POST, and none leads to 404."""
    links = get(f"/api/status/{planned(products=1)}")["links"]
    allowed = {name: ask(link, method="OPTIONS").headers["Allow"] for name, link in links.items()}
    assert all(("POST" if name in {"cancel", "retry"} else "GET") in methods for name, methods in allowed.items())
    assert [name for name, link in links.items() if ask(link).status_code == 404] == []


@pytest.mark.parametrize("status", RequestStatus)
def test_suggests_the_next_poll_until_the_end(status: RequestStatus) -> None:
    """`Retry-After` is 1 to 10 whole seconds; an ended request has none."""
    request_id = planned(products=1)
    change(ProcessingRequest, status=status)
    response = ask(f"/api/status/{request_id}")
    suggested = response.headers.get("Retry-After")
    assert suggested is None if status in ENDED else 1 <= int(suggested) <= 10


@pytest.mark.parametrize(
    ("status", "counts", "percent"),
    [
        pytest.param("pending", (0, 0, 0), 0, id="pending"),
        pytest.param("processing", (30, 4, 0), 11, id="processing"),
        pytest.param("processing", (30, 4, 266), 11, id="being cancelled"),
        pytest.param("finalizing", (300, 0, 0), 99, id="finalizing"),
        pytest.param("completed", (300, 0, 0), 100, id="completed"),
        pytest.param("completed_with_errors", (299, 1, 0), 100, id="completed with errors"),
        pytest.param("cancelled", (34, 0, 266), 11, id="cancelled"),
        pytest.param("cancelled", (0, 0, 300), 0, id="cancelled before it started"),
        pytest.param("failed", (34, 0, 0), 11, id="failed midway"),
        pytest.param("failed", (0, 300, 0), 100, id="every image failed"),
    ],
)
def test_percent_counts_processed_images(status: str, counts: tuple[int, int, int], percent: int) -> None:
    """Cancelled images do not count, and 100 percent is shown only at the end."""
    request_id = planned(products=1, images=300)
    completed, failed, cancelled = counts
    images = {"images_completed": completed, "images_failed": failed, "images_cancelled": cancelled}
    change(ProcessingRequest, status=RequestStatus(status), **images)
    assert get(f"/api/status/{request_id}")["progress"]["percent"] == percent


def test_the_path_of_a_request_answers_like_its_status() -> None:
    """The JSON, the ETag and `Retry-After` are the same."""
    request_id = planned(products=1)
    status, request = (ask(f"/api/{path}/{request_id}") for path in ("status", "requests"))
    assert (request.status_code, request.json) == (200, status.json)
    assert request.headers["ETag"] == status.headers["ETag"]
    assert request.headers["Retry-After"] == status.headers["Retry-After"]
    again = ask(f"/api/requests/{request_id}", If_None_Match=request.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")


def test_a_long_request_is_polled_rarely() -> None:
    """`Retry-After` is a tenth of the time left, at most 10 s."""
    request_id = planned(products=1000)
    change(ProcessingRequest, images_completed=1, products_completed=1)
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).values(started_at=datetime(2026, 1, 1, tzinfo=timezone.utc)))
    assert ask(f"/api/status/{request_id}").headers["Retry-After"] == "10"


# -- ETag ---------------------------------------------------------------------------------------------------------


def test_an_unchanged_status_is_not_sent_again() -> None:
    """304 has no body, but the same ETag and a `Retry-After`."""
    path = f"/api/status/{planned(products=1)}"
    etag = ask(path).headers["ETag"]
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = ask(path, If_None_Match=known)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Retry-After"]
    assert ask(path, If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        *({"status": status} for status in RequestStatus if status is not RequestStatus.PROCESSING),
        *({name: 1} for name in ("products_completed", "products_failed", "images_completed", "images_failed")),
        *({name: 1} for name in ("products_total", "images_total", "source_bytes", "output_bytes")),
        {"started_at": NOW},
        {"finished_at": NOW},
        {"error_code": "input_missing", "error_detail": "Gone."},
        {"webhook_url": "https://shop.example/other"},
    ],
    ids=lambda values: ",".join(map(str, values.items())),
)
def test_every_change_changes_the_etag(values: dict[str, Any]) -> None:
    """A caller with the old ETag gets the whole status after any visible change."""
    path = f"/api/status/{planned(products=3)}"
    before = ask(path)
    change(ProcessingRequest, **values)
    after = ask(path, If_None_Match=before.headers["ETag"])
    assert after.status_code == 200
    assert after.json != before.json


@pytest.mark.parametrize(
    "values",
    [
        {"status": DeliveryStatus.DELIVERED},
        {"attempts": 1},
        {"last_response_status": 500},
        {"next_attempt_at": NOW},
    ],
    ids=lambda values: next(iter(values)),
)
def test_every_change_of_the_delivery_changes_the_etag(values: dict[str, Any]) -> None:
    """The webhook is part of the status."""
    request_id = planned(products=1)
    add_delivery(request_id)
    path = f"/api/status/{request_id}"
    before = ask(path)
    change(WebhookDelivery, **values)
    assert ask(path, If_None_Match=before.headers["ETag"]).json["webhook"] != before.json["webhook"]


def test_the_urls_of_the_csvs_change_the_etag() -> None:
    """They appear once the request has ended."""
    request_id = planned(products=1)
    change(ProcessingRequest, status=RequestStatus.COMPLETED_WITH_ERRORS)
    path = f"/api/status/{request_id}"
    etags = [ask(path).headers["ETag"]]
    for column in ("output_key", "failed_key"):
        change(ProcessingRequest, **{column: f"{request_id}/{column}.csv"})
        etags.append(ask(path).headers["ETag"])
    assert len(set(etags)) == 3
    assert get(path)["outputCsvUrl"] == f"http://public.example/outputs/{request_id}/output_key.csv"


# -- cost ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api/status/{}", "/api/requests/{}/products?limit=500", "/api/requests/{}/deliveries", "/api/requests"]
)
def test_the_cost_does_not_grow_with_the_request(path: str) -> None:
    """1 and 1,000 products take the same SQL statements. The status reads only products that wait for a host."""
    cost = []
    for products in (1, 1000):
        request_id = planned(products=products, images=2)
        add_delivery(request_id)
        with counted_statements() as statements:
            get(path.format(request_id))
        cost.append(statements)
    small, large = ([_without_lists(statement) for statement in statements] for statements in cost)
    assert small == large
    assert len(large) <= 3
    if path.startswith("/api/status"):
        read = [statement for statement in large if "products " in statement.partition("FROM")[2]]
        assert all("waiting_host IS NOT NULL" in statement for statement in read)  # few, of an index of their own


def _without_lists(statement: str) -> str:
    """The statement without its IN list, which grows with the page."""
    before, found, _ = statement.partition(" IN (")
    return before + found


# -- the CSVs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "column"), [("output.csv", "output_key"), ("failed.csv", "failed_key")])
def test_a_csv_is_a_redirect_to_its_bucket(file: str, column: str) -> None:
    """The API answers 409 before the end, then a redirect to the public URL, or 404 where there is no file."""
    request_id = planned(products=1)
    path = f"/api/requests/{request_id}/{file}"
    problem(ask(path), 409, "not_finished")
    change(ProcessingRequest, status=RequestStatus.FAILED)
    problem(ask(path), 404, "no_output" if file == "output.csv" else "nothing_failed")
    change(ProcessingRequest, **{column: f"{request_id}/{file}"})
    response = ask(path)
    assert (response.status_code, response.location) == (302, f"http://public.example/outputs/{request_id}/{file}")


@pytest.mark.parametrize("request_id", [UNKNOWN, "nonsense", "%00", "é", "1", "0" * 5000])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/status/{}"),
        *(("GET", f"/api/requests/{{}}/{what}") for what in ("products", "output.csv", "failed.csv", "deliveries")),
        ("POST", "/api/requests/{}/cancel"),
        ("POST", "/api/requests/{}/retry"),
        ("POST", f"/api/requests/{{}}/deliveries/{UNKNOWN}/redeliver"),
        ("DELETE", "/api/requests/{}"),
    ],
)
def test_an_unknown_id_is_not_found(method: str, path: str, request_id: str) -> None:
    """Every route answers 404 `request_not_found`, for a UUID and for other text."""
    problem(ask(path.format(request_id), method=method), 404, "request_not_found")
