"""Unknown options are refused with the nearest name, wrong values are explained, and broken forms are named."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import current_app

from imgproc.api.option_names import SYNONYMS, nearest
from imgproc.api.option_values import (
    explain_format,
    explain_invalid_rows,
    explain_larger,
    explain_quality,
    explain_scale,
    explain_side,
)
from imgproc.db.models import ProcessingRequest
from tests.integration.api.answers import problem
from tests.integration.driver import rows, upload
from tests.support.csv_files import csv_of

CSV = csv_of("https://shop.example/1.jpg")
UPLOAD = ["file", "webhookUrl", "quality", "scale", "format", "invalidRows"]
UPLOAD += ["columns", "encoding", "sheet", "outputFormat", "bom", "filename"]
UPLOAD += ["maxWidth", "maxHeight", "minSide", "larger"]

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]


def form(*parts: tuple[str, str], boundary: str = "x", newline: str = "\r\n", end: str = "--x--") -> dict[str, Any]:
    """A hand-written body; each part is the rest of its disposition and its content."""
    lines = [f"--x{newline}Content-Disposition: form-data; {name}{newline}{newline}{text}" for name, text in parts]
    body = newline.join([*lines, end, ""])
    return {"data": body.encode(errors="surrogateescape"), "content_type": f"multipart/form-data; boundary={boundary}"}


FILE = ('name="file"; filename="a.csv"', CSV)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("webhook_url", "webhookUrl"),
        ("webhook-url", "webhookUrl"),
        ("WebhookURL", "webhookUrl"),
        ("webhook", "webhookUrl"),
        ("callback_url", "webhookUrl"),
        ("webHookUlr", "webhookUrl"),
        ("Quality", "quality"),
        ("qualtiy", "quality"),
        ("jpeg_quality", "quality"),
        ("Scale", "scale"),
        ("resize", "scale"),
        ("output_format", "outputFormat"),
        ("max_width", "maxWidth"),
        ("width", "maxWidth"),
        ("MaxHeight", "maxHeight"),
        ("h", "maxHeight"),
        ("min-side", "minSide"),
        ("minSize", "minSide"),
        ("if_larger", "larger"),
        ("charset", "encoding"),
        ("worksheet", "sheet"),
        ("column_mapping", "columns"),
        ("BOM", "bom"),
        ("invalid_rows", "invalidRows"),
        ("skip_invalid", "invalidRows"),
        ("file_name", "filename"),
        ("files[]", "file"),
        ("zebra", None),
        ("", None),
        ("%$", None),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_name(name: str, meant: str | None) -> None:
    """In a form and in the query; the upload changes nothing."""
    assert nearest(name, UPLOAD) == meant
    client, parts = current_app.test_client(), {"file": (io.BytesIO(CSV.encode()), "a.csv"), name: "1"}
    for response in (
        client.post("/api/upload", data=parts),
        client.post("/api/validate", data=CSV, content_type="text/csv", query_string={name: "1"}),
    ):
        body = problem(response, 422, "unknown_option")
        assert body["errors"][0]["option"] == name
        assert (f"Did you mean {meant}?" in body["detail"]) is bool(meant)
    assert rows(ProcessingRequest) == []


def test_every_unknown_option_is_named_at_once_up_to_twenty() -> None:
    """A caller need not find them one by one, and a flood of names costs no time."""
    assert len(problem(upload(CSV, a="1", b="2"), 422, "unknown_option")["errors"]) == 2
    flood = "&".join(f"{'q' * 100}{number}" for number in range(200))
    response = current_app.test_client().get(f"/api/requests?{flood}")
    assert len(problem(response, 422, "unknown_option")["errors"]) == 20


def test_no_synonym_is_ambiguous_and_none_hides_an_option() -> None:
    """Within the options of an upload each other name means one."""
    names = [name for each in UPLOAD for name in SYNONYMS.get(each, ())]
    assert len(names) == len(set(names))
    assert set(names).isdisjoint(each.lower() for each in UPLOAD)


def test_options_in_the_query_of_a_form_are_read() -> None:
    """They count as parts, so that one given in both places is refused."""
    assert upload(CSV).status_code == 202
    sent = {"file": (io.BytesIO(CSV.encode()), "a.csv"), "scale": "1"}
    response = current_app.test_client().post("/api/upload?quality=30", data=sent)
    status = current_app.test_client().get(response.location).get_json()
    assert (status["options"]["quality"], status["options"]["scale"]) == (30, 1.0)
    sent = {"file": (io.BytesIO(CSV.encode()), "a.csv"), "quality": "1"}
    response = current_app.test_client().post("/api/upload?quality=30", data=sent)
    assert "once" in problem(response, 422, "invalid_option")["detail"]


# -- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *(("80%", "80"), ("80 %", "80"), ("0.8", "80"), ("0,8", "80"), (".8", "80"), ("80.0", "80"), ("75.6", "76")),
        *(("100", "95"), ("100%", "95"), ("999", "95"), ("high", "80"), ("HIGH", "80"), ("low", "30"), ("max", "95")),
        *(("Smart", "smart"), ("auto", "smart"), ("0", None), ("-5", None), ("x", None), ("", None), ("٥", None)),  # noqa: RUF001 - the digit is the case
    ],
)
def test_a_wrong_quality_is_explained(value: str, meant: str | None) -> None:
    """The detail says what to write, if the value tells."""
    assert (f"write {meant} for" in explain_quality(value)) is bool(meant)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *(("50%", "0.5"), ("50", "0.5"), ("0,5", "0.5"), ("1/2", "0.5"), ("12.5%", "0.125"), ("100", "1")),
        *(
            ("1.5", "1"),
            ("200%", "1"),
            ("2x", "1"),
            ("2", "1"),
            ("1/0", "1"),
            ("0", None),
            ("half", None),
            ("-1", None),
        ),
    ],
)
def test_a_wrong_scale_is_explained(value: str, meant: str | None) -> None:
    """A percentage and a decimal comma become the factor."""
    assert (f"write {meant} for" in explain_scale(value)) is bool(meant)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *(("800px", "800"), ("800 px", "800"), ("800 Pixels", "800"), ("800.0", "800"), ("1,600", "1600")),
        *(("1.600px", "1600"), ("1 600", "1600"), ("100000", "65535"), ("0", None), ("-5", None), ("0px", None)),
        *(("800x600", None), ("50%", None), ("wide", None), ("", None), ("12cm", None), ("1e3", None), ("٨٠٠", None)),
    ],
)
def test_a_wrong_number_of_pixels_is_explained(value: str, meant: str | None) -> None:
    """A unit, a decimal point and separators of thousands are left out."""
    text = explain_side(value)
    assert "whole number of pixels from 1 to 65535" in text
    assert (f"write {meant} for" in text) is bool(meant)
    assert ("given as scale" in text) is (value == "50%")


@pytest.mark.parametrize(
    ("value", "meant"), [("SOURCE", "source"), ("original", "source"), ("false", "keep"), ("x", None)]
)
def test_a_wrong_value_of_larger_is_explained(value: str, meant: str | None) -> None:
    """There are two values."""
    text = explain_larger(value)
    assert "keep or source" in text
    assert (f"write {meant} for" in text) is bool(meant)


@pytest.mark.parametrize(
    ("options", "option", "says"),
    [
        ({"maxWidth": "800px"}, "maxWidth", "write 800 for '800px'"),
        ({"maxHeight": "0"}, "maxHeight", "from 1 to 65535"),
        ({"maxWidth": "70000"}, "maxWidth", "write 65535 for '70000'"),
        ({"minSide": "1_0"}, "minSide", "from 1 to 65535"),
        ({"larger": "original"}, "larger", "write source for 'original'"),
        ({"minSide": "500", "maxWidth": "400"}, "minSide", "minSide=500 is more than maxWidth=400"),
        ({"minSide": "500", "maxHeight": "499"}, "minSide", "give a minSide up to 499"),
    ],
)
def test_a_size_that_cannot_be_used_is_refused(options: dict[str, str], option: str, says: str) -> None:
    """`errors` names the option; nothing is stored."""
    client = current_app.test_client()
    for path in ("/api/upload", "/api/validate"):
        response = client.post(path, data={"file": (io.BytesIO(CSV.encode()), "a.csv"), **options})
        (error,) = problem(response, 422, "invalid_option")["errors"]
        assert error["option"] == option
        assert says in error["detail"]
    assert rows(ProcessingRequest) == []


@pytest.mark.parametrize(
    ("value", "meant"), [("original", "keep"), ("jepg", "jpeg"), ("web", "webp"), ("tif", None), ("gif", None)]
)
def test_a_wrong_format_is_explained(value: str, meant: str | None) -> None:
    """The list of formats comes with the nearest of them."""
    text = explain_format(value)
    assert "jpeg, webp, avif, png, keep" in text
    assert (f"write {meant} for" in text) is bool(meant)


@pytest.mark.parametrize(("value", "meant"), [("SKIP", "skip"), ("true", "skip"), ("fail", "reject"), ("x", None)])
def test_a_wrong_value_of_invalid_rows_is_explained(value: str, meant: str | None) -> None:
    """The detail says what to write, if the value tells."""
    assert (f"write {meant} for" in explain_invalid_rows(value)) is bool(meant)


def test_the_explanation_reaches_the_caller() -> None:
    """Each bad option has its own, and a long value is shortened."""
    body = problem(upload(CSV, quality="80%", scale="50", format="x" * 500), 422, "invalid_option")
    details = {error["option"]: error["detail"] for error in body["errors"]}
    assert "write 80 for '80%'" in details["quality"]
    assert "write 0.5 for '50'" in details["scale"]
    assert len(details["format"]) < 200


@pytest.mark.parametrize("url", ["shop.example/hook", "localhost:5000/hook", "//shop.example/x", "192.168.0.9:5000/x"])
def test_a_webhook_url_without_a_scheme_is_explained(url: str) -> None:
    """The detail has the URL to write."""
    detail = problem(upload(CSV, webhookUrl=url), 422, "invalid_webhook_url")["detail"]
    assert f"write https://{url.lstrip('/')}." in detail


# -- forms that cannot be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(form(('name="csv"; filename="a.csv"', CSV)), "part named 'csv'", id="another name"),
        pytest.param(form(('name="files[]"; filename="a.csv"', CSV)), "part named 'files[]'", id="PHP's name"),
        pytest.param(form(('filename="a.csv"', CSV)), "name this part file", id="a part without a name"),
        pytest.param(form(('name="file"', CSV)), "is text", id="the file as text"),
        pytest.param(form(('name="file"', "products.csv")), "@ before the path", id="a path"),
        pytest.param(form(('name="file"; filename=""', "")), "no filename", id="no file chosen"),
        pytest.param(form(('name="quality"', "80")), "has no file", id="options only"),
        pytest.param(form(), "is empty", id="no part"),
        pytest.param(form(FILE, end=""), "cut short", id="no last boundary"),
        pytest.param(form(FILE, boundary="y"), "'y', does not occur", id="another boundary"),
        pytest.param(form(FILE, boundary=""), "no boundary", id="an empty boundary"),
        pytest.param(form(('name="file"; filename="\udcfc.csv"', CSV)), "not UTF-8", id="a filename in Latin-1"),
    ],
)
def test_a_form_without_a_file_is_explained(body: dict[str, Any], says: str) -> None:
    """400 `missing_file` names what is wrong with this form."""
    assert says in problem(current_app.test_client().post("/api/upload", **body), 400, "missing_file")["detail"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_form_with_lines_that_end_in_lf_is_read(newline: str) -> None:
    """Hand-written bodies often have them."""
    response = current_app.test_client().post("/api/validate", **form(FILE, newline=newline))
    assert response.get_json()["valid"]


def test_a_second_file_under_another_name_is_refused() -> None:
    """It would be dropped silently."""
    body = form(FILE, ('name="csv2"; filename="b.csv"', CSV))
    problem(current_app.test_client().post("/api/upload", **body), 422, "unknown_option")
