"""`POST /api/upload`: what it accepts, what it refuses and with which code, and that a refusal changes nothing."""

from __future__ import annotations

import gc
import io
import tracemalloc
import uuid
from collections.abc import Iterator
from typing import Any, cast

import pytest
from flask import Flask, current_app

from imgproc.db.models import ProcessingRequest
from tests.integration.api.answers import UNREACHABLE, UTC_TIME, AppFactory, problem, unavailable
from tests.integration.driver import configure, get, queued_jobs, row, rows, upload
from tests.support.csv_files import HEADER, csv_of

CSV = csv_of("https://shop.example/1.jpg,https://shop.example/2.jpg", "https://shop.example/3.jpg")
MIB = 1024 * 1024
# Werkzeug leaves the file of an abandoned body open, and its test client that of every large body it sends. Python
# warns when the garbage collector closes them.
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def post(body: Any, *, path: str = "/api/upload", app: Flask | None = None, **options: Any) -> Any:
    """Post a body as it is."""
    return (app or current_app).test_client().post(path, data=body, **options)


def csv_file(name: str = "products.csv", content: str | bytes = CSV) -> tuple[io.BytesIO, str]:
    """A file part."""
    return io.BytesIO(content.encode() if isinstance(content, str) else content), name


def multipart(disposition: bytes, *, end: bytes = b"\r\n--x--\r\n") -> dict[str, Any]:
    """A hand-written body with one part."""
    part = b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + CSV.encode() + end
    return {"data": part, "content_type": "multipart/form-data; boundary=x"}


@pytest.fixture
def left_open() -> Iterator[None]:
    """Collect the files that the test leaves open before the next test runs."""
    gc.freeze()  # the collection then looks only at what the test made
    yield
    gc.collect()


def test_accepts_a_file_and_says_where_its_status_is() -> None:
    """The 202 has exactly the members of the contract, `Location` is the status URL, and the plan is enqueued."""
    response = upload(CSV)
    body = response.json
    assert response.status_code == 202
    assert set(body) == {"requestId", "status", "statusUrl", "createdAt", "counts", "reading"}
    assert (body["status"], uuid.UUID(body["requestId"]).version) == ("pending", 4)
    assert body["counts"] == {"rows": 2, "products": 2, "images": 3, "skippedRows": 0}
    assert UTC_TIME.fullmatch(body["createdAt"])
    assert response.location == body["statusUrl"] == f"http://localhost/api/status/{body['requestId']}"
    assert get(body["statusUrl"])["requestId"] == body["requestId"]
    assert queued_jobs() == [f"plan-{body['requestId']}"]


@on_one_database
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("quality", value) for value in ("0", "96", "-1", "abc", "1.5", "5e1", "NaN", "1_0", "٥", " ", "9" * 5000)),  # noqa: RUF001 - the digit is the case
        *(("quality", value) for value in ("Smart", "smart!")),
        *(("scale", value) for value in ("0", "1.1", "-0.5", "nan", "inf", "-Infinity", "1e999", "0x1", "0,5", "½")),
        *(("format", value) for value in ("GIF", "tif", "image/gif", "jpg2", "\x00")),
        *(("invalidRows", value) for value in ("x", "SKIP")),
    ],
)
def test_refuses_an_option_out_of_bounds(option: str, value: str) -> None:
    """422 `invalid_option`, and `errors` names the option; nothing is accepted."""
    body = problem(upload(CSV, **cast("dict[str, Any]", {option: value})), 422, "invalid_option")
    assert [error["option"] for error in body["errors"]] == [option]
    assert rows(ProcessingRequest) == []


@on_one_database
def test_names_every_bad_option_at_once() -> None:
    """A caller need not find them one by one."""
    body = problem(upload(CSV, quality="0", scale="2", format="gif"), 422, "invalid_option")
    assert {error["option"] for error in body["errors"]} == {"quality", "scale", "format"}


@on_one_database
@pytest.mark.parametrize(
    ("option", "value", "read"),
    [
        pytest.param("quality", "1", 1, id="lowest quality"),
        pytest.param("quality", "95", 95, id="highest quality"),
        pytest.param("quality", "", 50, id="blank quality is the default"),
        pytest.param("quality", "smart", "smart", id="smart quality"),
        pytest.param("scale", "1", 1.0, id="largest scale"),
        pytest.param("scale", "1e-9", 1e-9, id="any scale above 0"),
        pytest.param("scale", ".5", 0.5, id="no zero before the point"),
        pytest.param("scale", "", 0.5, id="blank scale is the default"),
        *(pytest.param("format", name, name, id=name) for name in ("jpeg", "webp", "avif", "png", "keep")),
        *(pytest.param("format", name, "jpeg", id=name) for name in ("jpg", "JPEG", "JPG", ".jpg", "image/jpeg")),
        *(pytest.param("format", name, "webp", id=name) for name in ("WebP", ".webp", "image/webp")),
    ],
)
def test_accepts_an_option_within_bounds(option: str, value: str, read: object) -> None:
    """The status shows the value as it was parsed."""
    response = upload(CSV, **cast("dict[str, Any]", {option: value}))
    assert response.status_code == 202, response.text
    assert get(response.location)["options"][option] == read


@on_one_database
@pytest.mark.parametrize(
    ("option", "form"),
    [
        pytest.param("file", {"file": lambda: [csv_file(), csv_file("more.csv")]}, id="two files"),
        pytest.param("quality", {"file": csv_file, "quality": lambda: ["50", "60"]}, id="two qualities"),
    ],
)
def test_refuses_a_repeated_part(option: str, form: dict[str, Any]) -> None:
    """Accepting one of the two would silently drop the other."""
    body = problem(post({name: value() for name, value in form.items()}), 422, "invalid_option")
    assert [error["option"] for error in body["errors"]] == [option]


@on_one_database
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("nonsense", id="not a URL"),
        pytest.param("ftp://shop.example/hook", id="another scheme"),
        pytest.param("https:///hook", id="no host"),
        pytest.param("https://user:password@shop.example/", id="credentials"),
        pytest.param("https://shop.example/\x00", id="a control character"),
        pytest.param("http://10.0.0.1/hook", id="a private address"),
        pytest.param("http://169.254.169.254/latest", id="a metadata address"),
        pytest.param("https://shop.example/" + "a" * 2048, id="too long"),
        pytest.param(" ", id="a space"),
    ],
)
def test_refuses_a_webhook_url_we_cannot_post_to(url: str) -> None:
    """An upload and a validation both get 422 `invalid_webhook_url`."""
    problem(upload(CSV, webhookUrl=url), 422, "invalid_webhook_url")
    problem(post({"file": csv_file(), "webhookUrl": url}, path="/api/validate"), 422, "invalid_webhook_url")
    assert rows(ProcessingRequest) == []


@pytest.mark.usefixtures("left_open")
@on_one_database
@pytest.mark.parametrize("path", ["/api/upload", "/api/validate"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no body"),
        pytest.param({"json": {"file": "products.csv"}}, id="JSON"),
        pytest.param({"data": "{", "content_type": "application/json"}, id="broken JSON"),
        pytest.param({"data": CSV, "content_type": "application/x-www-form-urlencoded"}, id="a CSV labelled as a form"),
        pytest.param({"data": b"", "content_type": "text/csv"}, id="an empty bare file"),
        pytest.param({"data": {"file": CSV}}, id="a form without files"),
        pytest.param({"data": {"quality": "50"}}, id="only other parts"),
        pytest.param({"data": b"x", "content_type": "multipart/form-data"}, id="multipart without a boundary"),
        pytest.param({"data": b"x", "content_type": "multipart/form-data; boundary=x"}, id="garbage"),
        pytest.param(multipart(b'name="file"; filename="a.csv"', end=b""), id="cut short", marks=LEFT_OPEN),
        pytest.param(multipart(b'name="file"'), id="a part without a filename"),
        pytest.param(multipart(b'name="file"; filename=""'), id="a blank filename"),
        pytest.param(multipart(b'name="File"; filename="a.csv"'), id="a part of another name"),
    ],
)
def test_refuses_a_body_without_a_file(path: str, body: dict[str, Any]) -> None:
    """400 `missing_file` names the remedy; a form sends a blank filename where no file was chosen."""
    assert "multipart/form-data" in problem(current_app.test_client().post(path, **body), 400, "missing_file")["detail"]


@on_one_database
@pytest.mark.parametrize(
    "file",
    [
        pytest.param(("products.xlsx", b"PK\x03\x04"), id="an Excel workbook"),
        pytest.param(("products.csv", b"PK\x03\x04"), id="a workbook named .csv"),
        pytest.param(("products.csv", b"\x89PNG\r\n\x1a\n"), id="an image named .csv"),
        pytest.param(("products.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), id="a PDF named .csv"),
    ],
)
def test_refuses_a_file_of_another_type(file: tuple[str, bytes]) -> None:
    """The API answers 415 `unsupported_file_type`."""
    problem(post({"file": csv_file(*file)}), 415, "unsupported_file_type")


@on_one_database
@pytest.mark.parametrize("name", ["products.pdf", "products.xlsx", "products.csv (1)", "export.csv?x=1", "products"])
def test_the_name_of_a_file_does_not_decide_its_kind(name: str) -> None:
    """Browsers and programs name files as they like; the content decides."""
    assert post({"file": csv_file(name, CSV.encode())}).status_code == 202


@on_one_database
@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        pytest.param("", "empty_file", 1, id="an empty file"),
        pytest.param(f"{HEADER}\n\n", "no_rows", 1, id="a header alone"),
        pytest.param("S. No.,Product Name\n1,Mug\n", "missing_column", 1, id="no URL column"),
        pytest.param(f"{HEADER}\n1,Mug,ftp://shop.example/1.jpg\n", "invalid_url", 2, id="a bad URL"),
        pytest.param(f'{HEADER}\n1,"Mug,http://shop.example/1.jpg\n', "unterminated_quote", 2, id="an open quote"),
    ],
)
def test_refuses_a_bad_file_with_line_and_code(content: str, code: str, line: int) -> None:
    """Each error of a 422 `invalid_csv` has a line, a column, a code and the remedy."""
    (error,) = problem(upload(content), 422, "invalid_csv")["errors"]
    assert set(error) == {"line", "column", "code", "detail"}
    assert (error["code"], error["line"]) == (code, line)


@on_one_database
@pytest.mark.parametrize(("bad", "truncated"), [(100, False), (101, True)])
def test_reports_the_first_hundred_errors(bad: int, truncated: bool) -> None:
    """`errorsTruncated` says whether there are more."""
    body = problem(upload(csv_of(*["nonsense"] * bad)), 422, "invalid_csv")
    assert [error["line"] for error in body["errors"]] == list(range(2, 102))
    assert body.get("errorsTruncated", False) is truncated


@on_one_database
def test_reports_skipped_rows_with_the_answer() -> None:
    """With `invalidRows=skip` bad rows are counted and named; a file without a good row is refused."""
    response = upload(csv_of("nonsense", "https://shop.example/1.jpg"), invalidRows="skip")
    assert response.get_json()["counts"] == {"rows": 2, "products": 1, "images": 1, "skippedRows": 1}
    assert [error["line"] for error in response.get_json()["errors"]] == [2]
    problem(upload(csv_of("nonsense"), invalidRows="skip"), 422, "invalid_csv")


@LEFT_OPEN
@pytest.mark.usefixtures("left_open")
@on_one_database
@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"file": CSV + " " * 2000}, id="a large file"),
        pytest.param({"file": CSV + " " * 2 * MIB}, id="a large body"),
        pytest.param({"file": CSV, "webhookUrl": "a" * MIB}, id="another large part"),
        pytest.param({"file": CSV} | {f"part{number}": "" for number in range(2000)}, id="too many parts"),
    ],
)
def test_refuses_an_upload_that_is_too_large(make_app: AppFactory, form: dict[str, str]) -> None:
    """The API answers 413 `file_too_large`."""
    body = form | {"file": csv_file(content=form["file"])}
    problem(post(body, app=make_app(MAX_UPLOAD_BYTES="2000")), 413, "file_too_large")


@LEFT_OPEN
@pytest.mark.usefixtures("left_open")
@on_one_database
def test_a_large_file_stays_out_of_memory() -> None:
    """40 MiB are read from disk piece by piece."""
    line = f"1,{'Mug ' * 25_000},https://shop.example/1.jpg\n"
    form = {"file": csv_file(content=f"{HEADER}\n" + line * (40 * MIB // len(line)))}
    tracemalloc.start()
    try:
        response = post(form, path="/api/validate")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.get_json()["errorsTruncated"]
    assert peak < 10 * MIB


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param(rb"C:\\sales\\may.csv", "may.csv", id="a Windows path, escaped as in RFC 9110"),
        pytest.param(b"../../etc/may.csv", "may.csv", id="a path"),
        pytest.param(b"m\x00a\x01y\x7f.csv", "may.csv", id="control characters"),
        pytest.param("m\u202eay\U0001f600.csv".encode(), "may\U0001f600.csv", id="a change of text direction"),
        pytest.param(b"\x01", "upload.csv", id="no printable character"),
        pytest.param(b"a" * 300 + b".csv", "a" * 251 + ".csv", id="a long name"),
    ],
)
def test_keeps_only_the_printable_part_of_the_filename(given: bytes, shown: str) -> None:
    """Both databases store its last path segment, at most 255 characters."""
    response = current_app.test_client().post("/api/upload", **multipart(b'name="file"; filename="%b"' % given))
    assert get(response.location)["filename"] == shown


# -- idempotency keys ---------------------------------------------------------------------------------------------


def test_the_same_key_answers_the_first_request_again() -> None:
    """With the same file and options it gets the same id and URL, and `Idempotent-Replayed: true`."""
    first, again = (upload(CSV, quality="60", headers={"Idempotency-Key": "order 7"}) for _ in range(2))
    assert (again.status_code, again.json, again.location) == (202, first.json, first.location)
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert row(ProcessingRequest).id == first.get_json()["requestId"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"csv": csv_of("https://shop.example/9.jpg")}, id="another file"),
        pytest.param({"quality": "61"}, id="another quality"),
        pytest.param({"maxWidth": "800"}, id="another width"),
        pytest.param({"maxHeight": "800"}, id="another height"),
        pytest.param({"minSide": "500"}, id="another smallest side"),
        pytest.param({"larger": "source"}, id="the source where it is smaller"),
        pytest.param({"invalidRows": "skip"}, id="skipping bad rows"),
        pytest.param({"webhookUrl": "http://127.0.0.1/hook"}, id="another webhook"),
    ],
)
def test_a_key_reused_with_other_content_is_refused(other: dict[str, str]) -> None:
    """409 `idempotency_key_reused`; the first request does not change."""
    key = {"Idempotency-Key": "order 7"}
    upload(CSV, headers=key)
    problem(upload(**{"csv": CSV} | other, headers=key), 409, "idempotency_key_reused")
    row(ProcessingRequest)


@pytest.mark.parametrize("key", ["k", "~" * 255, 'a "quoted" key'])
def test_a_key_may_be_255_printable_characters(key: str) -> None:
    """One character is enough."""
    assert upload(CSV, headers={"Idempotency-Key": key}).status_code == 202


@on_one_database
@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "\x7f", "é", "a\xa0b"])
def test_refuses_any_other_key(key: str) -> None:
    """422 names the header; the bytes of a key that is not ASCII would depend on the client."""
    body = problem(upload(CSV, headers={"Idempotency-Key": key}), 422, "invalid_option")
    assert [error["option"] for error in body["errors"]] == ["Idempotency-Key"]


def test_without_a_key_every_upload_is_a_request() -> None:
    """Equal uploads are not deduplicated."""
    assert upload(CSV).get_json()["requestId"] != upload(CSV).get_json()["requestId"]


# -- validate -----------------------------------------------------------------------------------------------------


@on_one_database
def test_validate_says_how_the_file_is_read_and_changes_nothing() -> None:
    """The answer has the encoding, delimiter, header, mapped columns, counts and errors."""
    content = "Images;Name;No\nhttps://shop.example/1.jpg;Mug;1\nnonsense;Cup;2\n".encode("utf-16")
    body = post({"file": csv_file(content=content)}, path="/api/validate").json
    assert (body["valid"], body["encoding"], body["delimiter"]) == (False, "utf-16", ";")
    assert body["header"] == ["Images", "Name", "No"]
    assert body["columns"] == {"serialNumber": "No", "productName": "Name", "inputImageUrls": "Images"}
    assert body["counts"] == {"rows": 2, "products": 1, "images": 1, "skippedRows": 1}
    assert [(error["line"], error["code"]) for error in body["errors"]] == [(3, "invalid_url")]
    assert (rows(ProcessingRequest), queued_jobs()) == ([], [])


@on_one_database
@pytest.mark.parametrize(
    ("content", "valid"), [(CSV, True), ("", False), (HEADER, False), ("no,such,columns\n1,2,3\n", False)]
)
def test_validate_answers_for_good_and_bad_files_alike(content: str, valid: bool) -> None:
    """A bad file also gets 200, as the verdict is the answer."""
    body = post({"file": csv_file(content=content)}, path="/api/validate").json
    assert (body["valid"], bool(body["errors"])) == (valid, not valid)


@on_one_database
def test_validate_reads_the_options_of_an_upload() -> None:
    """It accepts smart quality, and refuses an option that an upload refuses."""
    assert post({"file": csv_file(), "quality": "smart"}, path="/api/validate").get_json()["valid"]
    body = problem(post({"file": csv_file(), "quality": "clever"}, path="/api/validate"), 422, "invalid_option")
    assert [error["option"] for error in body["errors"]] == ["quality"]


# -- services that are unavailable --------------------------------------------------------------------------------


@on_one_database
def test_accepts_an_upload_while_redis_is_down(make_app: AppFactory) -> None:
    """Redis only wakes workers: the sweeper enqueues the plan once Redis is back."""
    app = make_app(REDIS_URL=f"redis://{UNREACHABLE}/0")
    assert post({"file": csv_file()}, app=app).status_code == 202


@on_one_database
def test_nothing_is_accepted_without_the_object_store(make_app: AppFactory) -> None:
    """503 `storage_unavailable` has `Retry-After`, and no request is stored."""
    app = make_app(S3_ENDPOINT_URL=f"http://{UNREACHABLE}")
    unavailable(post({"file": csv_file()}, app=app), "storage_unavailable")
    assert app.test_client().get("/api/requests").get_json()["items"] == []


@on_one_database
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_nothing_is_accepted_without_the_database(make_app: AppFactory, headers: dict[str, str]) -> None:
    """503 `database_unavailable` has `Retry-After`."""
    app = make_app(DATABASE_URL=f"postgresql://postgres@{UNREACHABLE}/postgres")
    unavailable(post({"file": csv_file()}, app=app, headers=headers), "database_unavailable")


@on_one_database
def test_refuses_a_webhook_that_could_not_be_signed(make_app: AppFactory) -> None:
    """A server without a webhook secret refuses the URL, and accepts the file without one."""
    app = make_app(WEBHOOK_SECRET="")
    url = "https://shop.example/hook"
    problem(post({"file": csv_file(), "webhookUrl": url}, app=app), 422, "invalid_webhook_url")
    assert post({"file": csv_file()}, app=app).status_code == 202


# -- hosts and sizes ----------------------------------------------------------------------------------------------


@on_one_database
def test_links_use_the_host_of_the_call() -> None:
    """Headers that any caller can send, such as `X-Forwarded-Host`, change nothing."""
    forwarded = {"X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Proto": "https", "Forwarded": "host=x.example"}
    response = upload(CSV, headers={"Host": "imgproc.example:8080"} | forwarded)
    assert response.location.startswith("http://imgproc.example:8080/api/status/")


@on_one_database
@pytest.mark.parametrize("host", ["a b", "shop.example/../x", "shop.example:port", "é"])
def test_refuses_an_invalid_host(host: str) -> None:
    """RFC 9112, 3.2 asks for 400; a link to such a host would not work."""
    problem(upload(CSV, headers={"Host": host}), 400, "bad_request")


@on_one_database
def test_the_cap_of_a_file_is_inclusive() -> None:
    """A file of exactly that size is accepted."""
    configure(max_upload_bytes=len(CSV))
    assert upload(CSV).status_code == 202
    problem(upload(CSV + "\n"), 413, "file_too_large")
