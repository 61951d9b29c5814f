"""The API client handles dropped connections, pages, keys and error answers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from imgproc.client import ApiError, Client

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"status":"pending"}'


def test_resends_a_request_after_a_dropped_connection() -> None:
    """The server closes the connection as the second request arrives; the client resends it on a new connection."""

    def answer_twice(listener: socket.socket) -> None:
        kept_alive, _address = listener.accept()
        with kept_alive:
            kept_alive.recv(65536)
            kept_alive.sendall(ANSWER)
            kept_alive.recv(65536)
        again, _address = listener.accept()
        with again:
            again.recv(65536)
            again.sendall(ANSWER)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_twice, args=(listener,), daemon=True)
        server.start()
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert [client.status("a"), client.status("a")] == [{"status": "pending"}] * 2
        client.close()
        server.join()


def test_watches_until_the_end(httpserver: HTTPServer) -> None:
    """`watch` yields every status, including the last one."""
    for status in ("pending", "processing", "cancelled"):
        httpserver.expect_ordered_request("/api/status/a").respond_with_json(
            {"status": status}, headers={"Retry-After": "0"}
        )
    client = Client(httpserver.url_for("/"))
    assert [seen["status"] for seen in client.watch("a")] == ["pending", "processing", "cancelled"]
    client.close()


def test_reads_every_page_of_products(httpserver: HTTPServer) -> None:
    """It follows the cursor of each page."""
    path = "/api/requests/a/products"
    httpserver.expect_ordered_request(path, query_string={}).respond_with_json(
        {"items": [{"line": 2}], "nextCursor": "x"}
    )
    httpserver.expect_ordered_request(path, query_string={"cursor": "x"}).respond_with_json(
        {"items": [{"line": 3}], "nextCursor": None}
    )
    client = Client(httpserver.url_for("/"))
    assert client.products("a") == [{"line": 2}, {"line": 3}]
    client.close()


def test_sends_its_key(httpserver: HTTPServer) -> None:
    """The key is in every call, and not in the repr."""
    httpserver.expect_request("/api/status/a", headers={"Authorization": "Bearer imgproc_x"}).respond_with_json({})
    client = Client(httpserver.url_for("/"), key="imgproc_x")
    assert client.status("a") == {}
    assert "imgproc_x" not in repr(client)
    client.close()


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        pytest.param({"title": "Gone", "detail": "It is gone."}, "It is gone.", id="detail"),
        pytest.param({"title": "Gone"}, "Gone", id="title alone"),
        pytest.param(
            {
                "title": "Bad",
                "detail": "Two rows are bad.",
                "errors": [
                    {"line": 2, "column": "Product Name", "code": "a", "detail": "It is empty."},
                    {"line": 5, "column": None, "code": "b", "detail": "It is cut off."},
                ],
                "errorsTruncated": True,
            },
            "Two rows are bad.\n  line 2, Product Name: It is empty.\n  line 5: It is cut off.\n  ...",
            id="errors of a file",
        ),
        pytest.param(
            {
                "title": "Bad",
                "detail": "Give a quality from 1 to 95, or smart.",
                "errors": [
                    {"option": "quality", "code": "invalid_option", "detail": "Give a quality from 1 to 95, or smart."},
                ],
            },
            "Give a quality from 1 to 95, or smart.",
            id="an option explained by the detail",
        ),
        pytest.param(
            {
                "title": "Bad",
                "detail": "Two options are wrong.",
                "errors": [
                    {"option": "quality", "code": "invalid_option", "detail": "Not a number."},
                    {"option": "scale", "code": "invalid_option", "detail": "Too large."},
                ],
            },
            "Two options are wrong.\n  quality: Not a number.\n  scale: Too large.",
            id="options not explained by the detail",
        ),
        pytest.param(
            ["not", "a", "problem"],
            "HTTP 422 UNPROCESSABLE ENTITY; imgproc did not send this, so check the address",
            id="another body",
        ),
    ],
)
def test_an_error_shows_the_details_of_the_api(
    tmp_path: Path, httpserver: HTTPServer, problem: object, expected: str
) -> None:
    """The problem takes one line, and each error of its list one more."""
    httpserver.expect_request("/api/upload", method="POST").respond_with_json(problem, status=422)
    file = tmp_path / "products.csv"
    file.write_text("x")
    client = Client(httpserver.url_for("/"))
    with pytest.raises(ApiError) as refusal:
        client.submit(file, {})
    assert str(refusal.value) == expected
    client.close()
