"""How a file was read, in the answers of the API, and the options that say how to read and to write it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import current_app

from imgproc.db.models import ProcessingRequest
from imgproc.journey.reading import MAX_SHOWN_BYTES, MAX_STORED_BYTES
from tests.integration.api.answers import problem
from tests.integration.driver import row, status_of, upload
from tests.support.csv_files import HEADER, csv_of

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]

URL = "https://shop.example/1.jpg"
CSV = csv_of(URL)


def validate(content: str | bytes, **options: Any) -> Any:
    """The answer of `/api/validate`."""
    data = content.encode() if isinstance(content, str) else content
    form = {"file": (io.BytesIO(data), "products.csv"), **options}
    return current_app.test_client().post("/api/validate", data=form)


def reading_of(content: str | bytes, **options: Any) -> dict[str, Any]:
    """The reading in all three answers, which are alike."""
    checked = validate(content, **options).get_json()["reading"]
    answer = upload(content, **options).get_json()
    assert answer["reading"] == checked
    assert status_of(answer["requestId"])["reading"] == checked
    found: dict[str, Any] = checked
    return found


def test_the_reading_says_what_a_person_has_to_confirm() -> None:
    """Kind, encoding, delimiter, line of the header, columns used and not used, notes, and the first rows."""
    found = reading_of(
        f"My shop\nPrice;SKU;Title;Image 1;Image 2\n9,90;A;Mug;{URL};https://shop.example/2.jpg\n1,20;B;Cup;{URL};\n"
    )
    notes = {note.pop("code"): note for note in found.pop("notes")}
    assert notes["lines_above_header"] == {"line": 1, "detail": "Line 1 is above the header and not read."}
    assert "image_columns_joined" in notes
    assert found == {
        "kind": "csv",
        "sheet": None,
        "encoding": "utf-8",
        "delimiter": ";",
        "headerLine": 2,
        "columns": {"serialNumber": "SKU", "productName": "Title", "inputImageUrls": ["Image 1", "Image 2"]},
        "unused": ["Price"],
        "rows": [
            {"line": 3, "serialNumber": "A", "productName": "Mug", "urls": [URL, "https://shop.example/2.jpg"]},
            {"line": 4, "serialNumber": "B", "productName": "Cup", "urls": [URL]},
        ],
    }


def test_the_reading_has_the_first_twenty_rows() -> None:
    """A file of any length is confirmed by its beginning, in plain blocks and row by row."""
    for end in ("", "x,,\n"):
        body = f"{HEADER}\n" + "".join(f"{n},Mug,{URL}\n" for n in range(1, 500)) + end
        rows = validate(body, invalidRows="skip").get_json()["reading"]["rows"]
        assert [each["line"] for each in rows] == list(range(2, 22))


def test_the_reading_stays_small() -> None:
    """An answer has at most 256 KiB of it, and the status, which is polled, at most 16 KiB."""
    url = "https://shop.example/" + "x" * 8000
    long = f"{HEADER}\n" + "".join(f"{n},Mug,{url} {url}\n" for n in range(1, 25))
    wide = ",".join([HEADER, *("é" * 90 + str(n) for n in range(900))]) + f"\n1,Mug,{URL}{',' * 900}\n"
    for content in (long, wide):
        answer = upload(content).get_json()
        assert len(json.dumps(answer["reading"])) <= MAX_SHOWN_BYTES
        assert answer["reading"]["rows"]
        stored = status_of(answer["requestId"])["reading"]
        assert len(json.dumps(stored)) <= 4 * MAX_STORED_BYTES
        assert stored["rows"] == []
        assert stored["columns"] == answer["reading"]["columns"]
    assert (answer["reading"]["unused"][-1], stored["unused"][-1]) == ("… and 801 more",) * 2


def test_a_file_that_cannot_be_read_has_no_reading() -> None:
    """The errors say why."""
    body = validate("no,such,columns\n1,2,3\n").get_json()
    assert (body["reading"], body["valid"]) == (None, False)


def test_bad_rows_are_in_the_reading_too() -> None:
    """They show what is in which column."""
    (first,) = validate(f"{HEADER}\n1,{URL},Mug\n").get_json()["reading"]["rows"]
    assert first["productName"] == URL


def test_an_answer_that_is_repeated_has_the_reading_again() -> None:
    """The same key with the same file and options gives the same request."""
    headers = {"Idempotency-Key": "a"}
    one, two = (upload(CSV, headers=headers, bom="true").get_json() for _ in range(2))
    assert one["reading"] == two["reading"]


@pytest.mark.parametrize(
    "other",
    [
        {"columns": '{"productName": "Product Name"}'},
        {"encoding": "utf-8"},
        {"sheet": "Sheet1"},
        {"outputFormat": "xlsx"},
        {"bom": "true"},
        {"bom": "false"},
    ],
    ids=str,
)
def test_a_key_with_other_options_of_the_file_is_refused(other: dict[str, Any]) -> None:
    """They make another upload of the same bytes; without them the fingerprint is that of earlier versions."""
    headers = {"Idempotency-Key": "a"}
    assert upload(CSV, headers=headers).status_code == 202
    problem(upload(CSV, headers=headers, **other), 409, "idempotency_key_reused")
    assert upload(CSV, headers=headers, outputFormat="csv").status_code == 202


@pytest.mark.parametrize(
    ("columns", "images"),
    [
        pytest.param('{"serialNumber": "A", "productName": "B", "inputImageUrls": ["D", "C"]}', ["D", "C"], id="all"),
        pytest.param(
            '{"serialNumber": ["a"], "productName": ["b "], "inputImageUrls": "C"}', ["C"], id="other spelling"
        ),
    ],
)
def test_columns_say_which_are_ours(columns: str, images: list[str]) -> None:
    """A heading, or a list of headings whose images are one list in this order."""
    found = reading_of(f"A,B,C,D\n1,Mug,{URL},https://shop.example/2.jpg\n", columns=columns)
    assert found["columns"] == {"serialNumber": "A", "productName": "B", "inputImageUrls": images}


def test_columns_may_name_some_and_leave_the_others_to_the_reader() -> None:
    """Only what the file does not tell has to be said."""
    found = reading_of(f"SKU,Was,Image\n1,Becher,{URL}\n", columns='{"productName": "Was"}')
    assert found["columns"] == {"serialNumber": "SKU", "productName": "Was", "inputImageUrls": ["Image"]}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        pytest.param("SKU", 'Give a JSON object such as {"serialNumber"', id="no JSON"),
        pytest.param("[]", "Give a JSON object", id="a list"),
        pytest.param("{}", "Give a JSON object", id="nothing"),
        pytest.param("[" * 100_000, "Give a JSON object", id="deep"),
        pytest.param('{"serial_number": "A"}', "write serialNumber; the columns are", id="a key of another spelling"),
        pytest.param('{"sku": "A"}', "write serialNumber; the columns are", id="a key of another name"),
        pytest.param('{"zebra": "A"}', "the columns are serialNumber, productName, inputImageUrls", id="no such key"),
        pytest.param('{"productName": 1}', "Give productName as a heading", id="a number"),
        pytest.param('{"productName": ""}', "Give productName as a heading", id="a blank heading"),
        pytest.param('{"inputImageUrls": []}', "Give inputImageUrls as a heading", id="no heading"),
        pytest.param('{"productName": ["A", "B"]}', "only inputImageUrls may have several", id="two names"),
        pytest.param('{"productName": "\\ud800"}', "no text", id="half a character"),
        pytest.param('{"productName": "\\u0000"}', "Give productName as a heading", id="NUL"),
    ],
)
def test_columns_that_cannot_be_used_are_explained(columns: str, says: str) -> None:
    """422 `invalid_option` says what to write."""
    body = problem(upload(CSV, columns=columns), 422, "invalid_option")
    assert says in body["detail"]
    assert body["errors"][0]["option"] == "columns"


def test_a_heading_that_the_file_does_not_have_is_explained_with_the_nearest() -> None:
    """The header is shown, too."""
    columns = '{"serialNumber": "SKU", "productName": "Bezeichnug", "inputImageUrls": "Bild"}'
    body = problem(upload(f"SKU,Bezeichnung,Bild\n1,Mug,{URL}\n", columns=columns), 422, "invalid_csv")
    assert "There is no column 'Bezeichnug'; write 'Bezeichnung'" in body["detail"]
    assert "SKU, Bezeichnung, Bild" in body["detail"]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("encoding", "utf-88", "write utf-8."),
        ("encoding", "windows1525", "windows-125"),
        ("encoding", "zebra", "give one such as utf-8"),
        ("encoding", "rot13", "There is no encoding 'rot13'"),
        ("encoding", "idna", "There is no encoding 'idna'"),
        ("outputFormat", "excel", "write xlsx for 'excel'"),
        ("outputFormat", "XLS", "write xlsx for 'XLS'"),
        ("outputFormat", "jpeg", "the option format"),
        ("outputFormat", "pdf", "Give csv or xlsx, not 'pdf'"),
        ("bom", "yes", "write true for 'yes'"),
        ("bom", "0", "write false for '0'"),
        ("bom", "maybe", "Give true or false, not 'maybe'"),
        ("sheet", "x" * 300, "255"),
    ],
)
def test_other_values_are_explained_with_the_nearest(option: str, value: Any, says: str) -> None:
    """In a form, and in the query of a bare file."""
    client = current_app.test_client()
    bare = client.post("/api/validate", data=CSV, content_type="text/csv", query_string={option: value})
    for response in (upload(CSV, **{option: value}), bare):
        body = problem(response, 422, "invalid_option")
        assert says in body["detail"]
        assert body["errors"][0]["option"] == option


@pytest.mark.parametrize("name", ["windows-1252", "CP1252", "Windows 1252", "cp-1252", "ANSI"])
def test_an_encoding_has_many_names(name: str) -> None:
    """Those of Python, of IANA and of programs."""
    data = f"{HEADER}\n1.,Café,{URL}\n".encode("cp1252")
    found = reading_of(data, encoding=name)
    assert (found["encoding"], found["rows"][0]["productName"]) == ("windows-1252", "Café")


def test_the_encoding_that_is_given_is_used() -> None:
    """The same bytes are other letters in it."""
    data = f"{HEADER}\n1.,Żółw,{URL}\n".encode("cp1250")
    assert reading_of(data, encoding="cp1250")["rows"][0]["productName"] == "Żółw"


def test_options_of_the_file_are_stored_as_they_were_given() -> None:
    """The plan and the finalization read them; what was not given is not there."""
    upload(CSV, encoding="utf8", bom="FALSE", outputFormat="xlsx", columns='{"productName": "Product Name"}')
    assert row(ProcessingRequest).file_options == {
        "encoding": "utf-8",
        "bom": False,
        "outputFormat": "xlsx",
        "columns": {"productName": ["Product Name"]},
    }


def test_options_of_a_bare_file_are_in_the_query() -> None:
    """This holds for all options."""
    query = {"outputFormat": "xlsx", "bom": "true", "columns": '{"productName": "Was"}'}
    body = f"SKU,Was,Image\n1,Becher,{URL}\n"
    response = current_app.test_client().post("/api/upload", data=body, content_type="text/csv", query_string=query)
    assert response.status_code == 202, response.text
    assert row(ProcessingRequest).file_options["outputFormat"] == "xlsx"
