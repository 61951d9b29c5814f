"""What every call of the API has in common: its query, its addresses, its methods and the type of its answer."""

from __future__ import annotations

import pytest
from flask import current_app

from tests.integration.api.answers import UNKNOWN, problem
from tests.integration.driver import submit
from tests.support.csv_files import csv_of

CSV = csv_of("https://shop.example/1.jpg")

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]

CALLS = [
    ("GET", "/api/status/{id}"),
    ("GET", "/api/requests/{id}"),
    ("GET", "/api/requests"),
    ("GET", "/api/requests/{id}/products"),
    ("GET", "/api/requests/{id}/output.csv"),
    ("GET", "/api/requests/{id}/deliveries"),
    ("POST", "/api/requests/{id}/cancel"),
    ("POST", "/api/requests/{id}/retry"),
    ("DELETE", "/api/requests/{id}"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_refuses_an_unknown_query_parameter(method: str, path: str) -> None:
    """Before it looks for the request or changes it."""
    response = current_app.test_client().open(path.format(id=UNKNOWN) + "?verbose=1", method=method)
    assert problem(response, 422, "unknown_option")["errors"][0]["option"] == "verbose"


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("limit=abc", "invalid_option", "a whole number from 1 to 500, not 'abc'"),
        ("limit=0", "invalid_option", "a whole number from 1 to 500, not '0'"),
        ("limit=5&limit=6", "invalid_option", "once"),
        ("per_page=5", "unknown_option", "Did you mean limit?"),
        ("page=2", "unknown_option", "Did you mean cursor?"),
        ("Status=failed", "unknown_option", "Did you mean status?"),
        ("status=done", "invalid_option", "completed"),
        ("cursor=x", "invalid_cursor", "nextCursor"),
    ],
)
def test_a_list_explains_its_query(query: str, code: str, says: str) -> None:
    """422 with the remedy."""
    assert says in problem(current_app.test_client().get(f"/api/requests?{query}"), 422, code)["detail"]


def test_an_id_and_an_address_may_be_written_otherwise() -> None:
    """Upper case and a slash at the end mean the same request; HEAD answers as GET, without a body."""
    request_id, client = submit(CSV), current_app.test_client()
    for path in (f"/api/status/{request_id.upper()}", f"/api/status/{request_id}/", f"/api/requests/{request_id}/"):
        assert client.get(path).get_json()["requestId"] == request_id
    assert client.get("/api/requests/").get_json()["items"]
    assert client.post("/api/validate/", data=CSV, content_type="text/csv").status_code == 200
    head = client.head(f"/api/status/{request_id}")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*;q=0.1", "*/*", ""])
def test_the_answer_is_json_whatever_the_caller_accepts(accept: str) -> None:
    """RFC 9110, 12.5.1 allows it; a 406 would help nobody."""
    headers = {"Accept": accept}
    assert current_app.test_client().get("/api/requests", headers=headers).content_type == "application/json"
    problem(current_app.test_client().get(f"/api/status/{UNKNOWN}", headers=headers), 404, "request_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/upload", {"POST", "OPTIONS"}),
        ("GET", "/api/upload", {"POST", "OPTIONS"}),
        ("PATCH", f"/api/requests/{UNKNOWN}", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("POST", f"/api/status/{UNKNOWN}", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_another_method_is_refused_with_those_that_work(method: str, path: str, allowed: set[str]) -> None:
    """405 with `Allow` (RFC 9110, 15.5.6); OPTIONS lists the same."""
    response = current_app.test_client().open(path, method=method)
    assert "it takes" in problem(response, 405, "method_not_allowed")["detail"]
    assert set(response.headers["Allow"].split(", ")) == allowed
    options = current_app.test_client().options(path)
    assert (options.status_code, set(options.headers["Allow"].split(", "))) == (200, allowed)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "/api/upload", 405, "method_not_allowed"),
        ("PUT", "/api/upload/a.csv", 404, "not_found"),
        ("POST", "/api/upload/a.csv", 404, "not_found"),
    ],
)
def test_an_upload_by_put_is_told_what_curl_does(method: str, path: str, status: int, code: str) -> None:
    """curl -T sends PUT, and adds the name of the file where the address ends with a slash."""
    response = current_app.test_client().open(path, method=method, data=CSV)
    assert "add -X POST" in problem(response, status, code)["detail"]
