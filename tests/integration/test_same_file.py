"""The same file out: uploads with other columns, several rows a product and bad rows, through the whole journey."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest
from flask import current_app

from imgproc.journey.services import services
from tests.integration.driver import configure, drain, get, post, products_of, status_of, submit, upload, work
from tests.support.image_host import ImageHost
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")


def stored(objects: ObjectStore, url: str | None) -> bytes:
    """The object at a public URL."""
    assert url
    return objects.get("outputs", url.removeprefix(f"{services().settings.s3_public_url}/"))


def lines_of(data: bytes) -> list[list[str]]:
    """The cells of a CSV."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def outputs_of(request_id: str) -> list[list[str | None]]:
    """The output URLs of each product."""
    return [[image["outputUrl"] for image in product["images"]] for product in products_of(request_id)]


def shopify(shop: ImageHost) -> str:
    """A small export of Shopify: one product on three rows, one without an image on its second row, one on one row."""
    good, other, missing = f"{shop.url}/chelsea.jpg", f"{shop.url}/coffee.png", f"{shop.url}/missing.jpg"
    return (
        "Handle,Title,Body (HTML),Vendor,Image Src,Image Position,Status\r\n"
        f'mug,Mug,"<p>A mug, ""blue""</p>",We,{good},1,active\r\n'
        f"mug,,,,{missing},2,\r\n"
        f"mug,,,,{other},3,\r\n"
        f"cup,Cup,=1+1,We,{good},1,draft\r\n"
        "cup,,,,,,\r\n"
    )


def test_all_columns_and_rows_come_back_with_one_column_more(objects: ObjectStore, shop: ImageHost) -> None:
    """Each row has the slots of its own images; a formula is guarded, and nothing else is changed."""
    text = shopify(shop)
    request_id = submit(text)
    status = drain(request_id)
    assert status["status"] == "completed_with_errors"
    before, after = lines_of(text.encode()), lines_of(stored(objects, status["outputCsvUrl"]))
    (one, failed, three), (four,) = outputs_of(request_id)
    assert failed is None
    assert after[0] == [*before[0], "Output Image Urls"]
    assert [line[-1] for line in after[1:]] == [one, "", three, four, ""]
    assert after[4][2] == "'=1+1"
    after[4][2] = "=1+1"
    assert [line[:-1] for line in after] == before


def test_the_failed_file_of_a_product_on_several_rows_is_an_upload(objects: ObjectStore, shop: ImageHost) -> None:
    """It has the failed row, and the first row of its product, which has the name; all columns are there."""
    status = drain(submit(shopify(shop)))
    failed = stored(objects, status["failedCsvUrl"])
    header, first, second = lines_of(failed)
    assert header[-2:] == ["Status", "Error"]
    assert (first[1], first[-1]) == ("Mug", "")
    assert second[0] == "mug"
    assert "404" in second[-1]

    shop.script["/missing.jpg"] = [shop.answer("/chelsea.jpg")]
    request_id = submit(failed.decode())
    again = drain(request_id)
    assert (again["status"], again["progress"]["images"]["completed"]) == ("completed", 2)
    assert [product["productName"] for product in products_of(request_id)] == ["Mug"]


def test_the_output_file_uploaded_again_gets_new_outputs_in_the_place_of_the_old(
    objects: ObjectStore, shop: ImageHost
) -> None:
    """It means the same products, and has no second column of outputs."""
    first = stored(objects, drain(submit(shopify(shop)))["outputCsvUrl"])
    request_id = submit(first.decode())
    second = stored(objects, drain(request_id)["outputCsvUrl"])
    before, after = lines_of(first), lines_of(second)
    assert after[0] == before[0]
    assert [line[:-1] for line in after] == [line[:-1] for line in before]
    assert [bool(line[-1]) for line in after[1:]] == [True, False, True, True, False]
    assert request_id in after[1][-1]


def test_skipped_rows_are_in_both_files(objects: ObjectStore, shop: ImageHost) -> None:
    """Each is where it was, with all its cells; the failed file has it with its fault, also if no image failed."""
    good = f"{shop.url}/chelsea.jpg"
    text = (
        f"Price;SKU;Title;Photos\r\n1,20;A;Mug;{good}\r\n3,40;B;;{good}\r\n5,60;C;Cup;ftp://x/1.jpg\r\n"
        f"7,80;D;Pot;{good};red\r\n9,00;E;Pan;{good}\r\n"
    )
    status = drain(submit(text, invalidRows="skip"))
    assert status["status"] == "completed"
    after = lines_of(stored(objects, status["outputCsvUrl"]))
    assert [(line[0], bool(line[-1])) for line in after[1:]] == [
        ("1,20", True),
        ("3,40", False),
        ("5,60", False),
        ("7,80", False),
        ("9,00", True),
    ]
    assert {len(line) for line in after} == {5}
    failed = lines_of(stored(objects, status["failedCsvUrl"]))
    assert failed[0] == ["Price", "SKU", "Title", "Photos", "Error"]
    assert [line[1] for line in failed[1:]] == ["B", "C", "D"]
    assert all(line[-1].endswith(".") for line in failed[1:])


def test_a_cancelled_request_has_all_rows_in_both_files(objects: ObjectStore, shop: ImageHost) -> None:
    """What was done has its outputs; the failed file has the rest."""
    good = f"{shop.url}/chelsea.jpg"
    request_id = submit("id,title,image_link,price\n" + "".join(f"{n},Mug,{good}?{n},1.00\n" for n in range(1, 5)))
    work(most=2)
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    status = drain(request_id)
    assert status["status"] == "cancelled"
    after = lines_of(stored(objects, status["outputCsvUrl"]))
    assert [line[0] for line in after] == ["id", "1", "2", "3", "4"]
    done = sum(bool(line[-1]) for line in after[1:])
    assert done == status["progress"]["images"]["completed"] < 4
    failed = lines_of(stored(objects, status["failedCsvUrl"]))
    assert failed[0] == ["id", "title", "image_link", "price", "Error"]
    assert len(failed) - 1 == 4 - done


@pytest.mark.parametrize(
    ("encoding", "bom", "marked"),
    [
        pytest.param("utf-8", None, False, id="UTF-8"),
        pytest.param("utf-8-sig", None, True, id="UTF-8 with a mark"),
        pytest.param("utf-16", None, True, id="UTF-16"),
        pytest.param("cp1252", None, True, id="Windows-1252"),
        pytest.param("utf-8", "true", True, id="asked for"),
        pytest.param("utf-8-sig", "false", False, id="not wanted"),
    ],
)
def test_a_byte_order_mark_tells_excel_that_the_file_is_utf_8(
    objects: ObjectStore, shop: ImageHost, encoding: str, bom: str | None, *, marked: bool
) -> None:
    """By default both files have one if the input had one, or was not UTF-8."""
    names = "Crème brûlée", "Théière émaillée", "Fenêtre cintrée", "Poêle à crêpes", "Sécateur à crémaillère"
    rows = "".join(f"{n}.,{name},{shop.url}/missing.jpg\r\n" for n, name in enumerate(names, 1))
    data = f"S. No.,Product Name,Input Image Urls\r\n{rows}".encode(encoding)
    options: dict[str, Any] = {"bom": bom} if bom else {}
    response = upload(data, **options)
    status = drain(response.get_json()["requestId"])
    for name in ("outputCsvUrl", "failedCsvUrl"):
        data = stored(objects, status[name])
        assert data.startswith(b"\xef\xbb\xbf") == marked
        assert [line[1] for line in lines_of(data)[1:]] == list(names)


def test_a_workbook_is_stored_beside_the_csv(objects: ObjectStore, shop: ImageHost) -> None:
    """The status, its links and the webhook have its address, and it is saved under a name after the upload."""
    request_id = submit(shopify(shop), outputFormat="xlsx", webhookUrl=f"{shop.url}/webhook")
    assert status_of(request_id)["outputXlsxUrl"] is None
    status = drain(request_id)
    parts = zipfile.ZipFile(io.BytesIO(stored(objects, status["outputXlsxUrl"])))
    assert b"Output Image Urls" in parts.read("xl/worksheets/sheet1.xml")
    assert stored(objects, status["outputCsvUrl"])
    redirect = current_app.test_client().get(status["links"]["outputXlsx"])
    assert (redirect.status_code, redirect.location) == (302, status["outputXlsxUrl"])
    assert f'"outputXlsxUrl":"{status["outputXlsxUrl"]}"' in shop.announcements[-1].body.decode().replace(" ", "")


def test_without_a_workbook_its_address_says_so(shop: ImageHost) -> None:
    """The status has none, and the call is answered 404 with the remedy."""
    status = drain(submit(shopify(shop)))
    assert (status["outputXlsxUrl"], "outputXlsx" in status["links"]) == (None, False)
    answer = current_app.test_client().get(f"/api/requests/{status['requestId']}/output.xlsx")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "no_output")
    assert "outputFormat=xlsx" in answer.get_json()["detail"]


def test_private_files_are_named_after_the_upload(shop: ImageHost) -> None:
    """The header is that of RFC 6266, and each file has its own type."""
    configure(csv_access="private")
    request_id = submit(shopify(shop), outputFormat="xlsx", filename="Frühling.csv")
    status = drain(request_id)
    client = current_app.test_client()
    for path, kind, name in (
        ("output.csv", "text/csv; charset=utf-8", "Fr%C3%BChling-output.csv"),
        ("failed.csv", "text/csv; charset=utf-8", "Fr%C3%BChling-failed.csv"),
        (
            "output.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "Fr%C3%BChling-output.xlsx",
        ),
    ):
        answer = client.get(f"/api/requests/{request_id}/{path}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["Content-Disposition"].endswith(f"filename*=UTF-8''{name}")
    assert status["outputXlsxUrl"].endswith(f"/api/requests/{request_id}/output.xlsx")


def test_columns_are_read_as_the_upload_says_until_the_end(objects: ObjectStore, shop: ImageHost) -> None:
    """The plan and the finalization read the file with the same options as the check did."""
    good = f"{shop.url}/chelsea.jpg"
    text = f"Kürzel,Was,Wo,Image\n1,Becher,{good},https://other/x.jpg\n2,Tasse,{shop.url}/missing.jpg,https://other/x.jpg\n"
    columns = '{"serialNumber": "Kürzel", "productName": ["Was"], "inputImageUrls": ["Wo"]}'
    request_id = submit(text, columns=columns)
    status = drain(request_id)
    after = lines_of(stored(objects, status["outputCsvUrl"]))
    assert after[0] == ["Kürzel", "Was", "Wo", "Image", "Output Image Urls"]
    assert [bool(line[-1]) for line in after[1:]] == [True, False]
    assert [product["productName"] for product in products_of(request_id)] == ["Becher", "Tasse"]
    assert status["reading"]["columns"]["inputImageUrls"] == ["Wo"]


def test_credentials_are_redacted_in_every_column(objects: ObjectStore, shop: ImageHost) -> None:
    """With CSV_URL_CREDENTIALS=redact they are, in both files, also in columns that are not read."""
    configure(csv_url_credentials="redact")
    text = f"id,title,image_link,link\n1,Mug,{shop.url}/missing.jpg?token=s3cr3t,https://shop/?sig=s3cr3t\n"
    status = drain(submit(text))
    for name in ("outputCsvUrl", "failedCsvUrl"):
        data = stored(objects, status[name])
        assert b"s3cr3t" not in data
        assert data.count(b"REDACTED") >= 2


def test_where_the_input_is_gone_the_output_has_our_columns(objects: ObjectStore, shop: ImageHost) -> None:
    """A retry finds images, and loses none of them, though an operator has emptied the bucket of originals."""
    request_id = submit(shopify(shop))
    drain(request_id)
    services().store._s3().delete_object(Bucket="originals", Key=f"{request_id}/input.csv")
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    status = drain(request_id)
    after = lines_of(stored(objects, status["outputCsvUrl"]))
    assert after[0] == ["S. No.", "Product Name", "Input Image Urls", "Output Image Urls"]
    assert [line[0] for line in after[1:]] == ["mug", "cup"]
    assert after[1][3].count("http") == 2


def test_a_retry_fills_the_slots_of_the_rows(objects: ObjectStore, shop: ImageHost) -> None:
    """The file under the same address has all outputs, and no failed file is left."""
    request_id = submit(shopify(shop))
    drain(request_id)
    shop.script["/missing.jpg"] = [shop.answer("/chelsea.jpg")]
    post(f"/api/requests/{request_id}/retry")
    status: dict[str, Any] = drain(request_id)
    assert (status["status"], status["failedCsvUrl"]) == ("completed", None)
    after = lines_of(stored(objects, get(f"/api/status/{request_id}")["outputCsvUrl"]))
    assert [bool(line[-1]) for line in after[1:]] == [True, True, True, True, False]
