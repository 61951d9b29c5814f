"""A file sent as the body itself: its types and names, options in the query, compression, and what is refused."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import pytest
from flask import current_app

from imgproc.db.models import ProcessingRequest
from tests.integration.api.answers import AppFactory, problem
from tests.integration.driver import get, row, rows
from tests.support.csv_files import HEADER, csv_of

CSV = csv_of("https://shop.example/1.jpg", "https://shop.example/2.jpg")
MIB = 1024 * 1024
TSV = f"{HEADER}\n1,Mug,https://shop.example/1.jpg\n".replace(",", "\t")

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]


def send(
    body: str | bytes,
    *,
    path: str = "/api/upload",
    kind: str | None = "text/csv",
    headers: dict[str, str] | None = None,
) -> Any:
    """Post a bare body; `kind` is its Content-Type."""
    return current_app.test_client().post(path, data=body, content_type=kind, headers=headers)


@pytest.mark.parametrize(
    "kind",
    [
        "text/csv",
        "text/csv; charset=utf-8",
        "TEXT/CSV;header=present",
        "text/plain",
        "text/x-csv",
        "application/csv",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/zip",
        "application/octet-stream",
        None,
    ],
)
def test_a_bare_file_is_accepted_and_validated(kind: str | None) -> None:
    """Clients label the same CSV in many ways; some do not label it at all."""
    response = send(CSV, kind=kind)
    assert response.status_code == 202, response.text
    assert response.json["counts"]["products"] == 2
    assert send(CSV, kind=kind, path="/api/validate").json["valid"]
    assert row(ProcessingRequest).input_bytes == len(CSV)


JAPANESE = f"{HEADER}\n1,日本,https://shop.example/1.jpg\n".encode("shift_jis")


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [("text/csv", None), ("text/csv; charset=Shift_JIS", "cp932"), ('text/csv; charset="nonsense"', None)],
)
def test_the_charset_of_the_content_type_decides_where_the_file_does_not(kind: str, encoding: str | None) -> None:
    """A file of a few letters may be read in two ways."""
    found = send(JAPANESE, kind=kind, path="/api/validate").json
    assert found["encoding"] == encoding
    assert found["valid"] == (encoding is not None)


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii", "utf-16", "koi8-r"])
def test_the_bytes_of_the_file_count_before_the_charset(charset: str) -> None:
    """Clients name charsets that their users never chose."""
    body = f"{HEADER}\n1,Mütze für den Frühling,https://shop.example/1.jpg\n".encode()
    assert send(body, kind=f"text/csv; charset={charset}", path="/api/validate").json["encoding"] == "utf-8"


def test_the_charset_of_the_part_decides_too() -> None:
    """A form names it beside the file."""
    form = {"file": (io.BytesIO(JAPANESE), "a.csv", "text/csv; charset=shift_jis")}
    found: Any = current_app.test_client().post("/api/validate", data=form).json
    assert (found["encoding"], found["valid"]) == ("cp932", True)


def test_tab_separated_values_are_accepted() -> None:
    """The reader finds the delimiter."""
    assert send(TSV, kind="text/tab-separated-values", path="/api/validate").json["delimiter"] == "\t"


def test_the_options_are_in_the_query() -> None:
    """They mean what the parts of a form mean."""
    response = send(CSV, path="/api/upload?quality=80&format=image/webp&scale=1&invalidRows=skip&webhookUrl=")
    assert get(response.location)["options"] == {"quality": 80, "scale": 1.0, "format": "webp"}


def test_a_form_and_a_bare_file_are_the_same_upload() -> None:
    """An Idempotency-Key knows the second as a repetition of the first."""
    key = {"Idempotency-Key": "spring"}
    first = send(CSV, path="/api/upload?quality=80", headers=key)
    form = {"file": (io.BytesIO(CSV.encode()), "products.csv"), "quality": "80"}
    again = current_app.test_client().post("/api/upload", data=form, headers=key)
    assert (again.status_code, again.json) == (202, first.json)


@pytest.mark.parametrize(
    ("path", "disposition", "name"),
    [
        pytest.param("", None, "upload.csv", id="no name"),
        pytest.param("?filename=may.csv", None, "may.csv", id="in the query"),
        pytest.param("", 'attachment; filename="may.csv"', "may.csv", id="in the header"),
        pytest.param("", "attachment; filename*=UTF-8''M%C3%BCtzen.csv", "Mützen.csv", id="extended, as in RFC 8187"),
        pytest.param("", 'attachment; filename="Mützen.csv"', "Mützen.csv", id="UTF-8 as it is"),
        pytest.param("?filename=may.csv", 'attachment; filename="june.csv"', "may.csv", id="the query wins"),
        pytest.param("?filename=../../may.csv", None, "may.csv", id="a path"),
    ],
)
def test_the_name_comes_from_the_query_or_the_header(path: str, disposition: str | None, name: str) -> None:
    """Without one it is upload.csv."""
    headers = {"Content-Disposition": disposition.encode().decode("latin-1")} if disposition else None
    assert send(CSV, path=f"/api/validate{path}", headers=headers).json["filename"] == name


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("application/pdf", "text/csv"),
        ("image/png", "text/csv"),
        ("text/html", "text/csv"),
        ("multipart/mixed; boundary=x", "multipart/form-data"),
    ],
)
def test_a_body_of_another_type_is_refused_with_the_remedy(kind: str, says: str) -> None:
    """415 `unsupported_file_type` says what to send."""
    assert says in problem(send(CSV, kind=kind), 415, "unsupported_file_type")["detail"]


def test_a_workbook_labelled_as_a_csv_is_refused_by_its_content() -> None:
    """The label decides nothing where the bytes say otherwise."""
    problem(send(b"PK\x03\x04" + b"\0" * 100, kind="application/octet-stream"), 415, "unsupported_file_type")


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        pytest.param("application/x-www-form-urlencoded", CSV, "-H 'Content-Type: text/csv'", id="curl --data-binary"),
        pytest.param("application/x-www-form-urlencoded", CSV + "&\n" * MIB, "-H 'Content-Type", id="a large one"),
        pytest.param("application/x-www-form-urlencoded", CSV.replace("\n", ""), "removes the line", id="curl -d"),
        pytest.param("application/json", '{"file": "UHJvZHVjdA=="}', "base64", id="base64 in JSON"),
        pytest.param("application/vnd.api+json", '{"url": "https://shop.example/p.csv"}', "JSON", id="another JSON"),
        pytest.param("text/csv", "", "empty", id="an empty body"),
        pytest.param(None, "", "empty", id="no body"),
        pytest.param("text/csv", '--x\r\nContent-Disposition: form-data; name="file"', "is a form", id="a form"),
        pytest.param("multipart/form-data", "x", "no boundary", id="no boundary"),
        pytest.param("multipart/form-data; boundary=x", "", "is empty", id="an empty form"),
        pytest.param("multipart/form-data; boundary=x", "--y\r\n", "does not occur", id="another boundary"),
    ],
)
def test_a_body_without_a_file_is_explained(kind: str | None, body: str, says: str) -> None:
    """400 `missing_file` names what came instead, and both ways that work."""
    detail = problem(send(body, kind=kind), 400, "missing_file")["detail"]
    assert says in detail
    assert "multipart/form-data" in detail
    assert "text/csv" in detail


@pytest.mark.parametrize("headers", [{"Transfer-Encoding": "chunked"}, {"Content-Encoding": "gzip"}])
def test_an_empty_body_is_explained_however_it_is_sent(headers: dict[str, str]) -> None:
    """Neither is taken for a body of a wrong type."""
    assert "is empty" in problem(send("", headers=headers), 400, "missing_file")["detail"]


def test_the_cap_of_a_bare_file_is_inclusive(make_app: AppFactory) -> None:
    """One byte more is refused, as in a form."""
    client = make_app(MAX_UPLOAD_BYTES=str(len(CSV))).test_client()
    assert client.post("/api/validate", data=CSV, content_type="text/csv").status_code == 200
    problem(client.post("/api/validate", data=CSV + "\n", content_type="text/csv"), 413, "file_too_large")


# -- Content-Encoding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity", ""])
def test_a_compressed_body_is_decompressed(coding: str) -> None:
    """The stored file is the plain one."""
    body = gzip.compress(CSV.encode()) if "gzip" in coding.lower() else CSV.encode()
    response = send(body, headers={"Content-Encoding": coding})
    assert response.json["counts"]["products"] == 2
    assert row(ProcessingRequest).input_bytes == len(CSV)


def test_a_compressed_form_is_decompressed() -> None:
    """The coding covers the whole body, boundaries included (RFC 9110, 8.4)."""
    part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n{CSV}\r\n--x--\r\n'
    kind, body = "multipart/form-data; boundary=x", gzip.compress(part.encode())
    assert send(body, kind=kind, headers={"Content-Encoding": "gzip"}).status_code == 202


def test_members_of_a_compressed_body_are_joined() -> None:
    """pigz and `cat a.gz b.gz` make such files (RFC 1952, 2.2)."""
    half = len(CSV) // 2
    body = gzip.compress(CSV[:half].encode()) + gzip.compress(CSV[half:].encode())
    assert send(body, headers={"Content-Encoding": "gzip"}).json["counts"]["products"] == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(CSV.encode(), "the body is not", id="not compressed"),
        pytest.param(zlib.compress(CSV.encode()), "the body is not", id="deflate"),
        pytest.param(gzip.compress(CSV.encode())[:-9], "ends too early", id="cut short"),
        pytest.param(gzip.compress(CSV.encode())[:5], "ends too early", id="cut in its header"),
        pytest.param(gzip.compress(CSV.encode()) + b"more", "the body is not", id="bytes behind it"),
        pytest.param(gzip.compress(b"") * 20_000, "members", id="too many members"),
    ],
)
def test_a_body_that_is_no_gzip_is_refused(body: bytes, says: str) -> None:
    """400, and nothing is accepted."""
    assert says in problem(send(body, headers={"Content-Encoding": "gzip"}), 400, "bad_request")["detail"]
    assert rows(ProcessingRequest) == []


@pytest.mark.parametrize("kind", ["text/csv", "multipart/form-data; boundary=x"])
def test_a_gzip_bomb_is_refused_by_its_size(make_app: AppFactory, kind: str) -> None:
    """64 MiB from 64 KiB stop at the limit of an upload."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    bomb = gzip.compress((head if "multipart" in kind else b"") + b"a" * 64 * MIB)
    client = make_app(MAX_UPLOAD_BYTES=str(MIB)).test_client()
    response = client.post("/api/validate", data=bomb, content_type=kind, headers={"Content-Encoding": "gzip"})
    problem(response, 413, "file_too_large")


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "aws-chunked"])
def test_another_coding_is_refused(coding: str) -> None:
    """415 says which one works, in `Accept-Encoding` too (RFC 7694)."""
    response = send(CSV, headers={"Content-Encoding": coding})
    assert "gzip" in problem(response, 415, "unsupported_file_type")["detail"]
    assert response.headers["Accept-Encoding"] == "gzip, identity"
