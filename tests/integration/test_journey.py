"""The whole journey through the API: upload a CSV, run the queue, read everything back."""

from __future__ import annotations

import csv
import io

import pytest
from flask import current_app
from PIL import Image
from standardwebhooks import Webhook

from imgproc.db.models import ProcessingRequest
from imgproc.journey.services import services
from tests.integration.driver import at_once, codes_of, drain, get, products_of, rows, status_of, submit, upload
from tests.support.csv_files import HEADER, csv_of
from tests.support.http_server import Answer
from tests.support.image_host import REFUSED, SIZES, ImageHost
from tests.support.photographs import photo_file
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")


def output(objects: ObjectStore, url: str) -> bytes:
    """The object at a public URL."""
    base = f"{services().settings.s3_public_url}/"
    assert url.startswith(base)
    return objects.get("outputs", url.removeprefix(base))


def test_a_csv_becomes_a_csv_of_compressed_images(objects: ObjectStore, shop: ImageHost) -> None:
    """Every output URL leads to a JPEG of half the width and height, and the status adds up their bytes."""
    names = list(SIZES)
    response = upload(csv_of([f"{shop.url}/{name}" for name in names], f"{shop.url}/astronaut.jpg"))
    body = response.json
    assert (response.status_code, body["status"], response.location) == (202, "pending", body["statusUrl"])
    assert body["counts"] == {"rows": 2, "products": 2, "images": 5, "skippedRows": 0}

    status = drain(body["requestId"])
    assert (status["status"], status["progress"]["percent"], status["failedCsvUrl"]) == ("completed", 100, None)
    assert status["progress"]["images"] == {"total": 5, "completed": 5, "failed": 0}
    first, second = products_of(body["requestId"])
    for name, image in zip([*names, "astronaut.jpg"], first["images"] + second["images"], strict=True):
        rendition = output(objects, image["outputUrl"])
        with Image.open(io.BytesIO(rendition)) as picture:
            picture.load()
        half = tuple((side - 1) // 2 if side % 2 else side // 2 for side in SIZES[name])
        assert (picture.format, picture.size) == ("JPEG", half)
        facts = {"width": half[0], "height": half[1], "format": "jpeg", "kept": False}
        assert image["output"] == {"bytes": len(rendition), **facts}
        assert objects.get("originals", image["originalUrl"].removeprefix("s3://originals/"))
    assert status["bytes"]["output"] == sum(image["output"]["bytes"] for image in first["images"] + second["images"])


def test_smart_quality_reports_what_it_kept(objects: ObjectStore, shop: ImageHost) -> None:
    """A source that encoding would not shrink keeps its pixels and loses its metadata; the status names the quality."""
    poor = io.BytesIO()
    with Image.open(io.BytesIO(photo_file("coffee.png"))) as picture:
        picture.resize((320, 240)).save(poor, "JPEG", quality=3, optimize=True, comment=b"secret")
    small = shop.says("/poor.jpg", Answer(body=poor.getvalue()))
    request_id = submit(csv_of([f"{shop.url}/astronaut.jpg", small]), quality="smart")
    status = drain(request_id)
    assert (status["status"], status["options"]["quality"]) == ("completed", "smart")
    made, kept = products_of(request_id)[0]["images"]
    assert (made["output"]["kept"], made["output"]["width"]) == (False, 256)
    assert (kept["output"]["kept"], kept["output"]["width"]) == (True, 320)
    rendition = output(objects, kept["outputUrl"])
    assert len(rendition) == kept["output"]["bytes"] < kept["source"]["bytes"]
    assert b"secret" not in rendition


def test_the_output_csv_has_a_slot_for_every_url_in_order(objects: ObjectStore, shop: ImageHost) -> None:
    """The file is RFC 4180 with CRLF; a failed image leaves its slot empty."""
    good, missing = f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"
    request_id = submit(csv_of([good, missing, good], missing, good, duplicates=True))
    status = drain(request_id)
    assert status["status"] == "completed_with_errors"
    made = f"http://public.example/outputs/{request_id}"
    assert output(objects, status["outputCsvUrl"]).decode() == (
        f"{HEADER},Output Image Urls\r\n"
        f'1.,SKU 1,"{good},{missing},{good}","{made}/1/1-sku-1.jpg,,{made}/1/3-sku-1.jpg"\r\n'
        f"2.,SKU 2,{missing},\r\n"
        f"3.,SKU 3,{good},{made}/3/1-sku-3.jpg\r\n"
    )


def test_the_failed_csv_can_be_uploaded_again(objects: ObjectStore, shop: ImageHost) -> None:
    """It has the failed rows and their errors; once the host serves the image, they succeed."""
    good, missing = f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"
    status = drain(submit(csv_of(good, [good, missing], good, duplicates=True)))
    failed = output(objects, status["failedCsvUrl"]).decode()
    (line,) = csv.DictReader(io.StringIO(failed))
    assert (line["S. No."], line["Product Name"], line["Input Image Urls"]) == ("2.", "SKU 2", f"{good},{missing}")
    assert line["Error"].startswith("Image 2: ")
    assert "404" in line["Error"]

    shop.script["/missing.jpg"] = [shop.answer("/chelsea.jpg")]
    again = drain(submit(failed))
    assert (again["status"], again["progress"]["images"]["completed"]) == ("completed", 2)


def test_each_failure_has_its_own_code(shop: ImageHost) -> None:
    """A bad image does not affect the others, and its detail is a sentence."""
    expected = {
        f"{shop.url}/missing.jpg": "http_404",
        f"{shop.url}/forbidden.jpg": "http_403",
        f"{shop.url}/broken.jpg": "http_500",
        f"{shop.url}/page.jpg": "not_an_image",
        f"{shop.url}/cut.jpg": "truncated_image",
        f"{shop.url}/iphone.heic": "corrupt_image",
        f"{shop.url}/slow.jpg": "timeout",
        f"{shop.url}/coffee.png": None,
        REFUSED: "host_unavailable",
        "http://10.0.0.1/inside.jpg": "forbidden_address",
    }
    request_id = submit(csv_of(list(expected), f"{shop.url}/coffee.png"))
    status = drain(request_id)
    assert status["status"] == "completed_with_errors"
    assert status["progress"]["images"] == {"total": 11, "completed": 2, "failed": 9}
    assert codes_of(request_id) == [list(expected.values()), [None]]
    first, _ = products_of(request_id)
    assert all(image["error"]["detail"].endswith(".") for image in first["images"] if image["error"])


def test_a_request_whose_images_all_fail_has_failed(objects: ObjectStore, shop: ImageHost) -> None:
    """Its status is `failed` with an error, and it still has an output CSV."""
    status = drain(submit(csv_of(f"{shop.url}/missing.jpg")))
    assert (status["status"], status["error"]["code"]) == ("failed", "no_image_succeeded")
    assert output(objects, status["outputCsvUrl"]).endswith(b"/missing.jpg,\r\n")


def test_the_webhook_reports_the_end_once_and_signed(shop: ImageHost) -> None:
    """The reference library of Standard Webhooks verifies it, and its data equal the status."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    status = drain(request_id)
    (announcement,) = shop.announcements
    secret = services().settings.webhook_secret or ""
    payload = Webhook(secret).verify(announcement.body, dict(announcement.headers))
    assert payload["type"] == "request.completed"
    same = ("status", "progress", "bytes", "filename", "reference", "createdAt", "finishedAt", "error")
    assert payload["data"] == {
        "requestId": request_id,
        "statusUrl": status["links"]["self"],
        "failures": {},
        **{name: status[name] for name in (*same, "outputCsvUrl", "failedCsvUrl")},
    }
    assert (status["webhook"]["status"], status["webhook"]["lastResponseStatus"]) == ("delivered", 200)


def test_skipped_rows_keep_their_line_in_the_output(objects: ObjectStore, shop: ImageHost) -> None:
    """With `invalidRows=skip` a bad row is reported, not processed, and has no output URLs."""
    good = f"{shop.url}/chelsea.jpg"
    response = upload(
        f"{HEADER}\n1.,Mug,{good}\n1.,Copy,{good}\n3.,No link,ftp://x\n4.,Cup,{good}\n", invalidRows="skip"
    )
    assert response.get_json()["counts"] == {"rows": 4, "products": 2, "images": 2, "skippedRows": 2}
    assert [error["line"] for error in response.get_json()["errors"]] == [3, 4]
    request_id = response.get_json()["requestId"]
    status = drain(request_id)
    assert status["status"] == "completed"
    assert [product["status"] for product in products_of(request_id)] == [
        "completed",
        "skipped",
        "skipped",
        "completed",
    ]
    lines = list(csv.reader(io.StringIO(output(objects, status["outputCsvUrl"]).decode())))
    assert [(line[1], line[2], bool(line[3])) for line in lines[1:]] == [
        ("Mug", good, True),
        ("Copy", good, False),
        ("No link", "ftp://x", False),
        ("Cup", good, True),
    ]


def test_a_file_with_a_bad_row_is_refused_whole(objects: ObjectStore, shop: ImageHost) -> None:
    """By default nothing is accepted or stored, and the error names the row."""
    before = objects.keys("*")
    response = upload(f"{HEADER}\n1.,Mug,{shop.url}/chelsea.jpg\n2.,,{shop.url}/chelsea.jpg\n")
    assert (response.status_code, response.get_json()["code"]) == (422, "invalid_csv")
    assert [error["line"] for error in response.get_json()["errors"]] == [3]
    assert (rows(ProcessingRequest), objects.keys("*")) == ([], before)


@pytest.mark.parametrize(
    ("options", "found", "size", "extension"),
    [
        pytest.param({"format": "webp"}, "WEBP", (300, 200), "webp", id="webp"),
        pytest.param({"format": "avif"}, "AVIF", (300, 200), "avif", id="avif"),
        pytest.param({"format": "png"}, "PNG", (300, 200), "png", id="png"),
        pytest.param({"format": "keep"}, "PNG", (300, 200), "png", id="keep"),
        pytest.param({"scale": "0.25", "quality": "20"}, "JPEG", (150, 100), "jpg", id="a quarter"),
        pytest.param({"scale": "1"}, "JPEG", (600, 400), "jpg", id="full size"),
    ],
)
def test_options_decide_the_format_size_and_name(
    objects: ObjectStore, shop: ImageHost, options: dict[str, str], found: str, size: tuple[int, int], extension: str
) -> None:
    """Format, scale and quality reach the encoder, and the object has the extension of its format."""
    request_id = submit(csv_of(f"{shop.url}/coffee.png"), **options)
    status = drain(request_id)
    asked = {name: type(status["options"][name])(value) for name, value in options.items()}
    assert status["options"] == {"quality": 50, "scale": 0.5, "format": "jpeg"} | asked
    ((image,),) = [product["images"] for product in products_of(request_id)]
    assert image["outputUrl"].endswith(f".{extension}")
    with Image.open(io.BytesIO(output(objects, image["outputUrl"]))) as picture:
        assert (picture.format, picture.size) == (found, size)


def test_the_same_idempotency_key_answers_the_first_request_again(shop: ImageHost) -> None:
    """The same upload is accepted once; with another file or other options the key is refused."""
    key = {"Idempotency-Key": "order-7"}
    csv_ = csv_of(f"{shop.url}/chelsea.jpg")
    first, second = upload(csv_, headers=key), upload(csv_, headers=key)
    assert second.get_json()["requestId"] == first.get_json()["requestId"]
    assert (second.status_code, second.headers["Idempotent-Replayed"]) == (202, "true")
    assert "Idempotent-Replayed" not in first.headers
    for other in (upload(csv_ + "\n", headers=key), upload(csv_, headers=key, quality="60")):
        assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_key_reused")
    assert upload(csv_).get_json()["requestId"] != first.get_json()["requestId"]
    assert len(rows(ProcessingRequest)) == 2


def test_two_uploads_with_one_key_at_once_are_one_request(objects: ObjectStore, shop: ImageHost) -> None:
    """The second upload gets the answer of the first, and leaves no file."""
    csv_ = csv_of(f"{shop.url}/chelsea.jpg")
    for race in range(5):
        before = objects.keys("*")
        answers = at_once(*[lambda: upload(csv_, headers={"Idempotency-Key": f"race-{race}"})] * 2)  # noqa: B023 - called within the round
        assert [answer.status_code for answer in answers] == [202, 202]
        (request_id,) = {answer.get_json()["requestId"] for answer in answers}
        assert set(objects.keys("*")) - set(before) == {f"originals/{request_id}/input.csv"}
    assert len(get("/api/requests")["items"]) == 5


def test_a_status_that_has_not_changed_is_not_sent_again(shop: ImageHost) -> None:
    """`If-None-Match` gets 304 until the status changes."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    client, path = current_app.test_client(), f"/api/status/{request_id}"
    pending = client.get(path)
    assert pending.headers["Retry-After"]
    assert client.get(path, headers={"If-None-Match": pending.headers["ETag"]}).status_code == 304
    drain(request_id)
    ended = client.get(path, headers={"If-None-Match": pending.headers["ETag"]})
    assert (ended.status_code, ended.get_json()["status"]) == (200, "completed")
    assert "Retry-After" not in ended.headers
    assert status_of(request_id) == ended.json
