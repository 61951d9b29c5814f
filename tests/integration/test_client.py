"""The SDK handles dropped connections, servers that are away, pages, keys, files of any size and error answers."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from imgproc.client import ApiError, Client, NoAnswer, transport

COUNTS = {"total": 1, "completed": 0, "failed": 0}
STATUS = {
    "requestId": "a",
    "status": "pending",
    "createdAt": "2026-11-23T10:00:00Z",
    "filename": "a.csv",
    "options": {},
    "progress": {"percent": 0, "products": COUNTS, "images": COUNTS},
    "bytes": {"source": 0, "output": 0},
}
ACCEPTED = {
    "requestId": "a",
    "status": "pending",
    "statusUrl": "http://127.0.0.1/api/status/a",
    "createdAt": "2026-11-23T10:00:00Z",
    "counts": {"rows": 1, "products": 1, "images": 1, "skippedRows": 0},
}
BODY = b'{"requestId":"a","status":"pending","statusUrl":"/"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.01)


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    """A client of the test's server."""
    with Client(httpserver.url_for("/")) as made:
        yield made


class Sent(NamedTuple):
    """What an upload sent: its `Idempotency-Key`, its options, the name and the bytes of its file."""

    key: str
    options: dict[str, str]
    name: str | None
    content: bytes


def json_of(value: object) -> Response:
    """An answer in JSON."""
    return Response(json.dumps(value), content_type="application/json")


class Uploads:
    """Keeps what uploads send. Answers the first of them with `first`, and all others by accepting them."""

    def __init__(self, first: Response | None = None) -> None:
        self.sent: list[Sent] = []
        self._first = first

    def __call__(self, request: Request) -> Response:
        """Answer an upload."""
        body = request.get_data()
        kind, options = parse_options_header(request.headers["Content-Type"])
        parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO(), silent=False)
        _, form, files = parser.parse(io.BytesIO(body), kind, len(body), options)
        file = files["file"]
        self.sent.append(Sent(request.headers["Idempotency-Key"], dict(form), file.filename, file.read()))
        first, self._first = self._first, None
        return first or json_of(ACCEPTED)


@pytest.fixture
def uploads(httpserver: HTTPServer) -> Uploads:
    """A server that accepts every upload."""
    handler = Uploads()
    httpserver.expect_request("/api/upload").respond_with_handler(handler)
    return handler


def busy(status: int = 503, *, retry_after: str | None = None) -> Response:
    """A problem that a later try may not meet."""
    problem = {"code": "storage_unavailable", "detail": "The store is away.", "title": "Away"}
    answer = Response(json.dumps(problem), status=status, content_type="application/problem+json")
    if retry_after:
        answer.headers["Retry-After"] = retry_after
    return answer


def answer_second(listener: socket.socket) -> None:
    """Close the first connection as a call arrives, and answer the second."""
    dropped, _address = listener.accept()
    with dropped:
        dropped.recv(65536)
    again, _address = listener.accept()
    with again:
        again.recv(65536)
        again.sendall(ANSWER)


def test_sends_a_read_again_after_a_dropped_connection() -> None:
    """The server closes the connection as the call arrives; the client sends it on a new one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_second, args=(listener,), daemon=True)
        server.start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            client.ready()
        server.join()


def test_sends_no_action_twice() -> None:
    """A retry whose answer was lost may have happened, so it is reported instead."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_second, args=(listener,), daemon=True)
        server.start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            with pytest.raises(NoAnswer):
                client.retry("a")
            assert client.retry("a").status == "pending"
        server.join()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_upload_is_sent_again_under_the_same_key(httpserver: HTTPServer, client: Client, status: int) -> None:
    """The whole file is sent each time, and the key makes it one request."""
    uploads = Uploads(busy(status))
    httpserver.expect_request("/api/upload").respond_with_handler(uploads)
    assert client.submit(io.BytesIO(b"x" * 700_000)).request_id == "a"
    assert len({sent.key for sent in uploads.sent}) == 1
    assert [sent.content for sent in uploads.sent] == [b"x" * 700_000] * 2


def test_every_upload_has_a_key_of_its_own(client: Client, uploads: Uploads) -> None:
    """Two uploads of one file are two requests, unless the caller gives the key."""
    for key in (None, None, "mine"):
        client.submit(io.BytesIO(b"x"), idempotency_key=key)
    keys = [sent.key for sent in uploads.sent]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize("key", ["ключ", "a\nb"])
def test_a_key_that_no_header_carries_is_refused(client: Client, uploads: Uploads, key: str) -> None:
    """It is the caller's mistake, and not an outage."""
    with pytest.raises(ApiError) as refusal:
        client.submit(io.BytesIO(b"x"), idempotency_key=key)
    assert (refusal.value.code, uploads.sent) == ("invalid_option", [])


def test_waits_as_long_as_the_server_asks(httpserver: HTTPServer) -> None:
    """`Retry-After` is the pause, and the caller is told of it."""
    httpserver.expect_ordered_request("/api/status/a").respond_with_response(busy(retry_after="1"))
    httpserver.expect_ordered_request("/api/status/a").respond_with_json(STATUS)
    told: list[tuple[str, float]] = []
    with Client(httpserver.url_for("/"), on_pause=lambda error, pause: told.append((error.code, pause))) as client:
        client.status("a")
    assert told == [("storage_unavailable", 1.0)]


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        pytest.param(busy(), 3, id="always busy"),
        pytest.param(busy(retry_after="3600"), 1, id="busy for an hour"),
        pytest.param(busy(409), 1, id="another refusal"),
    ],
)
def test_gives_up(httpserver: HTTPServer, answer: Response, calls: int) -> None:
    """After its retries, at a pause that is too long, and at once where another try changes nothing."""
    httpserver.expect_request("/api/status/a").respond_with_response(answer)
    with Client(httpserver.url_for("/"), retries=2) as client, pytest.raises(ApiError) as refusal:
        client.status("a")
    assert (refusal.value.code, refusal.value.status) == ("storage_unavailable", answer.status_code)
    assert len(httpserver.log) == calls


def test_watches_through_an_outage(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has answered and is away for a moment is waited for, longer than for a single call."""
    monkeypatch.setattr("imgproc.client.sdk.MOST_POLL_SECONDS", 0.01)
    path = "/api/status/a"
    httpserver.expect_ordered_request(path).respond_with_json(STATUS, headers={"Retry-After": "0"})
    for _ in range(3):
        httpserver.expect_ordered_request(path).respond_with_response(busy())
    httpserver.expect_ordered_request(path).respond_with_json({**STATUS, "status": "completed"})
    with Client(httpserver.url_for("/"), retries=1) as client:
        assert [seen.status for seen in client.watch("a")] == ["pending", "completed"]


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    """The address may be wrong, so the error comes at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told: list[float] = []
    client = Client(f"http://127.0.0.1:{port}", on_pause=lambda _, pause: told.append(pause))
    with client, pytest.raises(NoAnswer) as failure:
        next(client.watch("a"))
    assert (failure.value.code, told) == ("unreachable", [])


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        pytest.param(
            {"quality": "smart", "webhook_url": "http://a"}, {"quality": "smart", "webhookUrl": "http://a"}, id="names"
        ),
        pytest.param({"scale": 0.25, "quality": 80}, {"scale": "0.25", "quality": "80"}, id="numbers"),
        pytest.param({"bom": True}, {"bom": "true"}, id="yes"),
        pytest.param({"bom": False}, {"bom": "false"}, id="no"),
        pytest.param({"columns": {"serialNumber": "Größe"}}, {"columns": '{"serialNumber": "Größe"}'}, id="JSON"),
        pytest.param({"sheet": None, "reference": ""}, {}, id="left out"),
        pytest.param({"maxWidth": 8}, {"maxWidth": "8"}, id="a name as the API has it"),
    ],
)
def test_sends_options_as_parts(
    client: Client, uploads: Uploads, options: dict[str, Any], parts: dict[str, str]
) -> None:
    """Names in snake case are those of the API; values are written as it reads them."""
    client.submit(io.BytesIO(b"x"), **options)
    assert uploads.sent[0].options == parts


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("products.csv", "products.csv"),
        ("Größe 赤.csv", "Größe 赤.csv"),
        ('a"b;c.csv', 'a"b;c.csv'),
        (os.fsdecode(b"caf\xe9.csv"), "caf?.csv"),
    ],
)
def test_names_the_file(client: Client, uploads: Uploads, tmp_path: Path, name: str, sent: str) -> None:
    """Also in other scripts, with quotes (which HTML forms encode), and where the name is no text."""
    (tmp_path / name).write_bytes(b"x")
    client.submit(tmp_path / name)
    assert ((uploads.sent[0].name or "").replace("%22", '"'), uploads.sent[0].content) == (sent, b"x")


def test_reads_a_pipe_to_its_end(httpserver: HTTPServer, client: Client) -> None:
    """It has no length and no name, and could not be sent again from its start."""
    uploads = Uploads(busy())
    httpserver.expect_request("/api/upload").respond_with_handler(uploads)
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source:
        os.write(write, b"from a pipe")
        os.close(write)
        client.submit(source)
    assert [(sent.name, sent.content) for sent in uploads.sent] == [("upload.csv", b"from a pipe")] * 2


def test_tells_how_much_is_sent(httpserver: HTTPServer, client: Client) -> None:
    """The last call has all bytes of the file."""
    httpserver.expect_request("/api/validate").respond_with_json({})
    seen: list[tuple[int, int]] = []
    with pytest.raises(NoAnswer):  # the server's answer is none
        client.validate(io.BytesIO(b"x" * 300_000), on_progress=lambda sent, size: seen.append((sent, size)))
    assert seen == [(262_144, 300_000), (300_000, 300_000)]


def test_a_file_that_becomes_shorter_is_reported(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    """The client has promised its length to the server."""
    file = tmp_path / "a.csv"
    file.write_bytes(b"x" * 600_000)
    with pytest.raises(ApiError) as failure:
        client.submit(file, on_progress=lambda _sent, _size: os.truncate(file, 300_000))
    assert failure.value.code == "file_changed"


def test_watches_until_the_end(httpserver: HTTPServer, client: Client) -> None:
    """`watch` yields every status, including the last one; `wait` returns the last."""
    for status in ("pending", "processing", "cancelled", "cancelled"):
        httpserver.expect_ordered_request("/api/status/a").respond_with_json(
            {**STATUS, "status": status}, headers={"Retry-After": "0"}
        )
    assert [seen.status for seen in client.watch("a")] == ["pending", "processing", "cancelled"]
    assert client.wait("a").ended


def test_wait_ends_after_its_timeout(httpserver: HTTPServer, client: Client) -> None:
    """The request goes on."""
    httpserver.expect_request("/api/status/a").respond_with_json(STATUS, headers={"Retry-After": "0"})
    with pytest.raises(TimeoutError):
        client.wait("a", timeout=0)


PRODUCT = {"line": 2, "serialNumber": "1.", "productName": "Mug", "status": "pending", "images": []}


def test_reads_every_page_of_products(httpserver: HTTPServer, client: Client) -> None:
    """It follows the cursor of each page, and asks for no page before it is needed."""
    path = "/api/requests/a/products"
    first, second = {"limit": "500"}, {"limit": "500", "cursor": "x"}
    httpserver.expect_request(path, query_string=first).respond_with_json({"items": [PRODUCT], "nextCursor": "x"})
    httpserver.expect_request(path, query_string=second).respond_with_json(
        {"items": [{**PRODUCT, "line": 3}], "nextCursor": None}
    )
    products = client.products("a")
    assert next(products).line == 2
    assert len(httpserver.log) == 1
    assert [product.line for product in products] == [3]


def test_a_limit_ends_a_list(httpserver: HTTPServer, client: Client) -> None:
    """No more is asked for than is wanted."""
    query = {"limit": "2", "status": "failed"}
    page = {"items": [PRODUCT] * 2, "nextCursor": "x"}
    httpserver.expect_request("/api/requests/a/products", query_string=query).respond_with_json(page)
    assert len(list(client.products("a", status="failed", limit=2))) == 2
    assert len(httpserver.log) == 1


def test_answers_are_typed_values(httpserver: HTTPServer, client: Client) -> None:
    """Times are aware datetimes; what is missing or null is None; new members are only in `json`."""
    httpserver.expect_request("/api/status/a").respond_with_json({**STATUS, "novelty": 1, "reference": None})
    status = client.status("a")
    assert status.created_at == datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
    assert (status.reference, status.started_at, status.progress.images.total) == (None, None, 1)
    assert status.json["novelty"] == 1


def test_sends_its_key_and_nothing_of_netrc(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is in every call, and not in the repr. requests would send a password of ~/.netrc instead."""
    (tmp_path / ".netrc").write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    httpserver.expect_request("/api/status/a").respond_with_json(STATUS)
    with Client(httpserver.url_for("/"), key="imgproc_x") as client:
        client._transport._session.trust_env = True
        client.status("a")
        assert "imgproc_x" not in repr(client)
    with Client(httpserver.url_for("/")) as client:
        client._transport._session.trust_env = True
        client.status("a")
    sent = [request.headers.get("Authorization") for request, _ in httpserver.log]
    assert sent == ["Bearer imgproc_x", None]


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "localhost", "ftp://a", "http://", "http://a:port", "http://a:99999"]
)
def test_refuses_what_is_no_address(url: str) -> None:
    """The message has an example."""
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:8000"):
        Client(url)


@pytest.mark.parametrize("key", ["imgproc_ x", "imgproc_x\n", "ключ"])
def test_refuses_what_is_no_key(key: str) -> None:
    """A header could not carry it."""
    with pytest.raises(ValueError, match="copy it again"):
        Client("http://127.0.0.1", key=key)


def test_an_id_cannot_lead_elsewhere(httpserver: HTTPServer, client: Client) -> None:
    """It is one segment of the path."""
    httpserver.expect_request("/api/status/..%2Fkeys?x").respond_with_json(STATUS)
    with pytest.raises(ApiError):
        client.status("../keys?x")
    assert httpserver.log[0][0].environ["RAW_URI"] == "/api/status/..%2Fkeys%3Fx"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(Response("<h1>It works!</h1>"), "did not send this", id="another site"),
        pytest.param(Response("[]"), "did not send this", id="another JSON"),
        pytest.param(Response("{}"), "otherwise than", id="without our members"),
        pytest.param(Response("", status=404), "did not send this", id="another site's 404"),
        pytest.param(Response("", status=302, headers={"Location": "https://a/b"}), "https://a/b", id="a redirect"),
    ],
)
def test_an_address_of_something_else_is_reported(
    httpserver: HTTPServer, client: Client, answer: Response, said: str
) -> None:
    """A redirect is not followed, because it would turn an upload into a GET."""
    httpserver.expect_request("/api/status/a").respond_with_response(answer)
    with pytest.raises(NoAnswer, match=said):
        client.status("a")


def test_a_download_replaces_the_file_only_when_it_is_whole(httpserver: HTTPServer, tmp_path: Path) -> None:
    """A connection that breaks off leaves the earlier file, and no other."""
    httpserver.expect_request("/api/requests/a/output.csv").respond_with_handler(
        lambda _: Response(iter([b"half"]), headers={"Content-Length": "100"})
    )
    file = tmp_path / "out.csv"
    file.write_text("earlier")
    with Client(httpserver.url_for("/"), retries=1) as client, pytest.raises(NoAnswer, match="broke off"):
        client.download("a", file)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["earlier"]
    assert len(httpserver.log) == 2


def test_a_download_leaves_a_link(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    """The file it leads to is written."""
    httpserver.expect_request("/api/requests/a/output.csv").respond_with_data(b"a,b")
    (tmp_path / "latest.csv").symlink_to(tmp_path / "today.csv")
    client.download("a", tmp_path / "latest.csv")
    assert (tmp_path / "latest.csv").is_symlink()
    assert (tmp_path / "today.csv").read_bytes() == b"a,b"


@pytest.mark.parametrize(
    ("url", "used"), [("http://127.0.0.1:1", False), ("http://[::1]:1", False), ("http://imgproc.example", True)]
)
def test_uses_proxies_only_for_other_machines(url: str, used: bool) -> None:
    """No proxy reaches a stack on this machine."""
    with Client(url) as client:
        assert client._transport._session.trust_env is used


def test_finds_its_address_and_key_in_the_environment(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`url` and `key` take precedence; the earlier name of the key still works."""
    httpserver.expect_request("/api/status/a").respond_with_json(STATUS)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("IMGPROC_URL", httpserver.url_for("/"))
    for name, value in (("API_KEY", "imgproc_old"), ("IMGPROC_API_KEY", "imgproc_new")):
        monkeypatch.setenv(name, value)
        with Client.from_environment() as client:
            client.status("a")
    with Client.from_environment(key="imgproc_given", url="http://127.0.0.1:1") as client:
        assert client.url == "http://127.0.0.1:1"
    assert [request.headers["Authorization"] for request, _ in httpserver.log] == [
        "Bearer imgproc_old",
        "Bearer imgproc_new",
    ]


def test_a_download_follows_the_redirect_without_the_key(httpserver: HTTPServer, tmp_path: Path) -> None:
    """The bucket is another server."""
    with HTTPServer() as bucket:
        bucket.expect_request("/out.csv").respond_with_data(b"a,b\r\n")
        moved = Response("", status=302, headers={"Location": bucket.url_for("/out.csv")})
        httpserver.expect_request("/api/requests/a/failed.csv").respond_with_response(moved)
        with Client(httpserver.url_for("/"), key="imgproc_x") as client:
            out = io.BytesIO()
            assert client.download("a", out, file="failed.csv") == 5
            client.download("a", tmp_path / "out.csv", file="failed.csv")
        assert out.getvalue() == (tmp_path / "out.csv").read_bytes() == b"a,b\r\n"
        assert {request.headers.get("Authorization") for request, _ in bucket.log} == {None}


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
            "HTTP 422 UNPROCESSABLE ENTITY; imgproc did not send this, so check the address {url}.",
            id="another body",
        ),
    ],
)
def test_an_error_shows_the_details_of_the_api(
    httpserver: HTTPServer, client: Client, problem: object, expected: str
) -> None:
    """The problem takes one line, and each error of its list one more."""
    httpserver.expect_request("/api/upload", method="POST").respond_with_json(problem, status=422)
    with pytest.raises(ApiError) as refusal:
        client.submit(io.BytesIO(b"x"))
    assert str(refusal.value) == expected.replace("{url}", client.url)


def test_an_error_has_the_code_and_the_faults_of_the_api(httpserver: HTTPServer, client: Client) -> None:
    """Programs look at them."""
    fault = {"line": 3, "column": "Product Name", "code": "empty_product_name", "detail": "It is empty."}
    problem = {"title": "Bad", "code": "invalid_csv", "detail": "One row is bad.", "errors": [fault]}
    httpserver.expect_request("/api/upload", method="POST").respond_with_json(problem, status=422)
    with pytest.raises(ApiError) as refusal:
        client.submit(io.BytesIO(b"x"))
    error = refusal.value
    assert (error.code, error.status, error.detail) == ("invalid_csv", 422, "One row is bad.")
    assert (error.errors[0].line, error.errors[0].code, error.errors[0].place) == (
        3,
        "empty_product_name",
        "line 3, Product Name",
    )
