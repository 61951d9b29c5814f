"""Who can read a request's CSVs: those who know their URLs, or only the API's caller; an image URL reveals nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, current_app

from imgproc.api.api_keys import create_key
from imgproc.db import reads
from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import finalization
from imgproc.journey import jobs, output_files
from imgproc.journey.services import services
from tests.integration.driver import (
    burst,
    configure,
    drain,
    get,
    planned,
    post,
    products_of,
    row,
    rows,
    status_of,
    submit,
    upload,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")

PUBLIC = "http://public.example/outputs/"
TOKEN = "[0-9a-f]{32}"
SECRET = "s3cr3t-V4lue"


def ended(shop: ImageHost, **options: str) -> str:
    """A request with one completed and one failed image; its id."""
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"]), **options)
    drain(request_id)
    return request_id


def last_webhook(shop: ImageHost) -> dict[str, Any]:
    """The data of the last webhook."""
    data: dict[str, Any] = json.loads(shop.announcements[-1].body)["data"]
    return data


def key_of(url: str) -> str:
    """The key of a public URL."""
    assert url.startswith(PUBLIC)
    return url.removeprefix(PUBLIC)


# -- public -------------------------------------------------------------------------------------------------------


def test_the_key_of_a_csv_does_not_follow_from_an_image_url(shop: ImageHost, objects: ObjectStore) -> None:
    """It has 128 random bits of its own; the status, the webhook and the API's redirect give the URL."""
    one, two = (ended(shop, webhookUrl=f"{shop.url}/webhook") for _ in range(2))
    tokens = set()
    for request_id in (one, two):
        status = status_of(request_id)
        for name in ("output", "failed"):
            key = key_of(status[f"{name}CsvUrl"])
            found = re.fullmatch(rf"{request_id}/({TOKEN})/{name}\.csv", key)
            assert found, key
            tokens.add(found[1])
            assert objects.get("outputs", key)
            redirect = current_app.test_client().get(f"/api/requests/{request_id}/{name}.csv")
            assert (redirect.status_code, redirect.location) == (302, status[f"{name}CsvUrl"])
            assert redirect.headers["Cache-Control"] == "no-store"
        images = [image["outputUrl"] for product in products_of(request_id) for image in product["images"]]
        assert not [url for url in images for token in tokens if url and token in url]
    assert len(tokens) == 2
    assert last_webhook(shop)["outputCsvUrl"] == status_of(two)["outputCsvUrl"]
    assert last_webhook(shop)["failedCsvUrl"] == status_of(two)["failedCsvUrl"]


def test_no_csv_has_a_guessable_key(shop: ImageHost, objects: ObjectStore) -> None:
    """Only images have keys made of the request's id, rows and names."""
    request_id = ended(shop)
    guessable = [f"{request_id}/{name}.csv" for name in ("output", "failed", "input")]
    public = [key.removeprefix("outputs/") for key in objects.keys(request_id) if key.startswith("outputs/")]
    assert len(public) == 3
    assert not set(public) & set(guessable)


def test_a_finalizer_that_runs_again_writes_the_same_objects(shop: ImageHost, objects: ObjectStore) -> None:
    """It runs again after a crash before its last statement, or after a retry; the URLs of the webhook stay valid."""
    request_id = ended(shop)
    first, keys = status_of(request_id), objects.keys(request_id)
    with transaction() as connection:  # as if its last statement had been lost
        connection.execute(sa.update(ProcessingRequest).values(status="finalizing", finished_at=None))
    jobs.finalize(request_id, 1)
    again = status_of(request_id)
    assert (again["outputCsvUrl"], again["failedCsvUrl"]) == (first["outputCsvUrl"], first["failedCsvUrl"])
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    drain(request_id)
    assert status_of(request_id)["outputCsvUrl"] == first["outputCsvUrl"]
    assert objects.keys(request_id) == keys


def test_the_first_claim_of_a_finalization_decides_the_key() -> None:
    """A superseded finalizer and its successor write to the same key."""
    planned(products=1)
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).values(status="finalizing", finalize_epoch=1))
    request_id, tokens = row(ProcessingRequest).id, []
    for _ in range(3):
        assert finalization.claim_finalize(request_id, epoch=1, token="mine", lease_seconds=30)
        tokens.append(row(ProcessingRequest).csv_token)
    assert len(set(tokens)) == 1
    assert re.fullmatch(TOKEN, tokens[0])


def test_an_older_request_keeps_its_csvs_until_it_ends_again(shop: ImageHost, objects: ObjectStore) -> None:
    """Its old links work; a retry gives its CSVs keys that cannot be guessed, and deletes the old ones."""
    request_id = ended(shop)
    old = {f"{name}_key": f"{request_id}/{name}.csv" for name in ("output", "failed")}
    for key in old.values():
        services().store.put_csv(key, [b"old"], private=False)
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).values(csv_token=None, api_url=None, **old))
    assert status_of(request_id)["outputCsvUrl"] == f"{PUBLIC}{request_id}/output.csv"
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    drain(request_id)
    assert re.fullmatch(f"{request_id}/{TOKEN}/output.csv", key_of(status_of(request_id)["outputCsvUrl"]))
    assert not {f"outputs/{key}" for key in old.values()} & set(objects.keys(request_id))


# -- private ------------------------------------------------------------------------------------------------------


def test_only_the_api_serves_private_csvs(shop: ImageHost, objects: ObjectStore) -> None:
    """They are in the private bucket; status and webhook give links of the API, which need the caller's key."""
    configure(csv_access="private")
    headers = {"X-API-Key": create_key("shop")}
    file = csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"])
    answer = upload(file, headers=headers, webhookUrl=f"{shop.url}/webhook")
    request_id = answer.get_json()["requestId"]
    work()
    assert [key for key in objects.keys(request_id) if key.startswith("outputs/") and key.endswith(".csv")] == []

    ask = current_app.test_client().get
    status = ask(f"/api/status/{request_id}", headers=headers).get_json()
    for name, column in (("output", "Output Image Urls"), ("failed", "Error")):
        link = f"http://localhost/api/requests/{request_id}/{name}.csv"
        assert status[f"{name}CsvUrl"] == last_webhook(shop)[f"{name}CsvUrl"] == link
        file_ = ask(link, headers=headers)
        assert (file_.status_code, file_.content_type) == (200, "text/csv; charset=utf-8")
        assert file_.text.splitlines()[0] == f"S. No.,Product Name,Input Image Urls,{column}"
        assert file_.headers["Content-Disposition"] == f'attachment; filename="products-{name}.csv"'
        assert file_.headers["Cache-Control"] == "private, no-store"
        assert file_.headers["X-Robots-Tag"] == "noindex"
        assert file_.headers["Referrer-Policy"] == "no-referrer"
        for stranger in ({}, {"X-API-Key": create_key("other")}):
            assert ask(link, headers=stranger).get_json()["code"] == "request_not_found"
    configure(api_keys_required=True)
    assert ask(status["outputCsvUrl"]).status_code == 401


def test_a_large_private_csv_is_streamed() -> None:
    """The web process never holds the whole file."""
    planned(products=1)
    request_id, size = row(ProcessingRequest).id, 5_000_000
    services().store.put_csv(f"{request_id}/x/output.csv", [b"x" * 1000] * (size // 1000), private=True)
    ended_ = {"status": "completed", "output_key": f"{request_id}/x/output.csv", "csv_private": True}
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).values(**ended_))
    response = current_app.test_client().get(f"/api/requests/{request_id}/output.csv")
    pieces = [len(piece) for piece in response.iter_encoded()]
    response.close()
    assert (sum(pieces), max(pieces) <= 262_144) == (size, True)


def test_a_missing_private_csv_is_not_found() -> None:
    """The API answers 404, not with a truncated file."""
    request_id = planned(products=1)
    gone = {"output_key": f"{request_id}/x/output.csv", "failed_key": f"{request_id}/x/failed.csv"}
    with transaction() as connection:
        connection.execute(sa.update(ProcessingRequest).values(status="failed", csv_private=True, **gone))
    for name, code in (("output", "no_output"), ("failed", "nothing_failed")):
        response = current_app.test_client().get(f"/api/requests/{request_id}/{name}.csv")
        assert (response.status_code, response.get_json()["code"]) == (404, code)


@pytest.mark.parametrize(("before", "after"), [("public", "private"), ("private", "public")])
def test_a_retry_moves_the_csvs_to_the_bucket_of_the_setting(
    shop: ImageHost, objects: ObjectStore, before: str, after: str
) -> None:
    """Until then the links lead to the old bucket; afterwards no CSV is left there."""
    configure(csv_access=before)
    request_id = ended(shop)
    url = status_of(request_id)["outputCsvUrl"]
    configure(csv_access=after)
    assert status_of(request_id)["outputCsvUrl"] == url
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    drain(request_id)
    assert status_of(request_id)["outputCsvUrl"] != url
    csvs = [key for key in objects.keys(request_id) if key.endswith(("output.csv", "failed.csv"))]
    bucket = {"public": "outputs", "private": "originals"}[after]
    assert {key.partition("/")[0] for key in csvs} == {bucket}
    assert len(csvs) == 2


def test_deleting_a_request_deletes_its_private_csvs(app: Flask, shop: ImageHost, objects: ObjectStore) -> None:
    """All objects of a request have one prefix, in either bucket."""
    configure(csv_access="private")
    request_id = ended(shop)
    assert len([key for key in objects.keys(request_id) if key.endswith(".csv")]) == 3
    assert app.test_client().delete(f"/api/requests/{request_id}").status_code == 204
    assert objects.keys(request_id) == []


def test_an_unavailable_store_is_reported_before_a_byte_is_sent(shop: ImageHost, objects: ObjectStore) -> None:
    """The API answers 503, not with a truncated file."""
    configure(csv_access="private")
    request_id = ended(shop)
    with objects.away():
        response = current_app.test_client().get(f"/api/requests/{request_id}/output.csv")
    assert (response.status_code, response.get_json()["code"]) == (503, "storage_unavailable")


# -- credentials in URLs ------------------------------------------------------------------------------------------

SIGNED = f"missing.jpg?X-Amz-Credential=AKIA&X-Amz-Signature={SECRET}&w=100"


def test_the_failed_csv_can_be_uploaded_again_with_its_urls(shop: ImageHost, objects: ObjectStore) -> None:
    """The URL cell keeps the caller's signature; the error text never contains it."""
    request_id = submit(csv_of(f"{shop.url}/{SIGNED}"))
    failed = objects.get("outputs", key_of(drain(request_id)["failedCsvUrl"])).decode()
    header, line = failed.splitlines()
    assert f"{shop.url}/{SIGNED}" in line
    assert SECRET not in line.replace(f"{shop.url}/{SIGNED}", "")
    again = submit(failed)
    drain(again)
    (product,) = products_of(again)
    assert product["images"][0]["sourceUrl"] == f"{shop.url}/{SIGNED}"
    assert header.endswith(",Error")


def test_csvs_show_no_credentials_where_the_settings_say_so(shop: ImageHost, objects: ObjectStore) -> None:
    """Both CSVs are redacted; downloads use the given URL, and the products of the API show it."""
    configure(csv_url_credentials="redact")
    good = f"{shop.url}/chelsea.jpg?token={SECRET}&w=1"
    request_id = submit(csv_of([good, f"{shop.url}/{SIGNED}"]))
    status = drain(request_id)
    assert status["progress"]["images"] == {"total": 2, "completed": 1, "failed": 1}
    for name in ("output", "failed"):
        shown = objects.get("outputs", key_of(status[f"{name}CsvUrl"])).decode()
        assert SECRET not in shown
        assert f"{shop.url}/chelsea.jpg?token=REDACTED&w=1" in shown
        assert "X-Amz-Signature=REDACTED&w=100" in shown
    assert products_of(request_id)[0]["images"][0]["sourceUrl"] == good


def test_a_stored_error_is_redacted_when_it_is_written(shop: ImageHost, objects: ObjectStore) -> None:
    """Rows of older releases may contain credentials."""
    request_id = ended(shop)
    request = reads.get_request(request_id)
    assert request is not None
    with transaction() as connection:
        statement = "UPDATE product_images SET error_detail = :text WHERE error_detail IS NOT NULL"
        connection.execute(sa.text(statement), {"text": f"http://u:{SECRET}@h/?sig={SECRET} did not answer."})
    files = output_files.write_csvs(services(), request, lambda: None)
    assert files.failed_key
    failed = objects.get("outputs", files.failed_key).decode()
    assert SECRET not in failed
    assert "http://REDACTED@h/?sig=REDACTED did not answer." in failed


def test_a_refused_url_is_shown_without_its_credentials(shop: ImageHost) -> None:
    """This holds for the answer to the upload and for the error of a skipped row."""
    file = csv_of(f"ftp://u:{SECRET}@shop.example/a.jpg?token={SECRET}", f"{shop.url}/chelsea.jpg")
    refused = upload(file)
    assert refused.status_code == 422
    assert "REDACTED" in refused.text
    assert SECRET not in refused.text
    request_id = submit(file, invalidRows="skip")
    burst()
    assert SECRET not in json.dumps([product["error"] for product in products_of(request_id)])
    assert len(rows(ProcessingRequest)) == 1
    assert get(f"/api/status/{request_id}")["status"] == "completed"
