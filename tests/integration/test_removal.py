"""Requests are removed by hand or by retention without a trace, even if workers race the removal or die."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from flask import Flask

from imgproc.db.models import DeliveryAttempt, ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.db.transitions import removal as transitions
from imgproc.db.transitions import reservations
from imgproc.journey import delete as removal
from imgproc.journey import output_files
from imgproc.journey.services import services
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.driver import (
    OPTIONS,
    configure,
    drain,
    get,
    pass_time,
    planned,
    post,
    queued_jobs,
    row,
    rows,
    submit,
    upload,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")

TABLES = (ProcessingRequest, Product, ProductImage, WebhookDelivery, DeliveryAttempt)
DAY = 86_400


def delete(app: Flask, request_id: str) -> int:
    """Delete the request through the API; the HTTP status."""
    return app.test_client().delete(f"/api/requests/{request_id}").status_code


def counts() -> list[int]:
    """The number of rows in each table."""
    return [len(rows(table)) for table in TABLES]


def sweep_to_the_end() -> None:
    """Let the sweeper remove what is due, now and again when no late put can arrive any more."""
    for _ in range(3):
        removal.remove_due()
        pass_time(transitions.LAST_PUT_SECONDS)


def test_deleting_removes_rows_and_objects(app: Flask, shop: ImageHost, objects: ObjectStore) -> None:
    """Only this request is removed, and permanently."""
    csv_ = csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"])
    kept, gone = [submit(csv_, webhookUrl=f"{shop.url}/webhook") for _ in range(2)]
    drain(gone)
    drain(kept)
    assert len(objects.keys(gone)) == 5
    assert delete(app, gone) == 204
    for method, path in (("get", f"/api/status/{gone}"), ("delete", f"/api/requests/{gone}")):
        assert getattr(app.test_client(), method)(path).json["code"] == "request_not_found"
    assert (len(objects.keys(gone)), len(objects.keys(kept))) == (0, 5)
    assert counts() == [1, 1, 2, 1, 1]


def test_a_deleted_request_is_not_found(app: Flask, shop: ImageHost) -> None:
    """Its row may stay for a while, but no list, action or idempotency key finds it."""
    key = {"Idempotency-Key": "monday"}
    csv_ = csv_of(f"{shop.url}/chelsea.jpg")
    request_id = upload(csv_, headers=key).json["requestId"]
    assert delete(app, request_id) == 204
    assert row(ProcessingRequest).id == request_id
    assert get("/api/requests")["items"] == []
    assert [post(f"/api/requests/{request_id}/{action}").status_code for action in ("cancel", "retry")] == [404, 404]
    assert upload(csv_, headers=key).json["requestId"] != request_id


def test_deleting_stops_a_running_request(app: Flask, shop: ImageHost) -> None:
    """The jobs still in Redis find nothing to claim, and no webhook is sent."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3), webhookUrl=f"{shop.url}/webhook")
    work(most=2)
    assert delete(app, request_id) == 204
    assert len(queued_jobs()) == 2
    work()
    sweeper.sweep()
    work()
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (1, 0)
    assert redis_client().llen("rq:queue:express") == 0


@pytest.mark.parametrize("put", ["put_original", "put_rendition"])
def test_a_delete_while_a_worker_stores_leaves_nothing(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch, put: str
) -> None:
    """The worker finds its lease lost and deletes the object it has just stored."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    store = services().store
    really = getattr(store, put)

    def delete_then_put(*arguments: Any, **options: Any) -> None:
        assert removal.remove(services(), request_id)
        really(*arguments, **options)
        assert objects.keys(request_id) != []

    monkeypatch.setattr(store, put, delete_then_put)
    work()
    assert objects.keys(request_id) == []
    sweep_to_the_end()
    assert counts() == [0] * 5


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_a_delete_while_the_output_csv_is_stored_leaves_nothing(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    """A CSV that is stored late is deleted as well, in either bucket."""
    configure(csv_access="private" if private else "public")
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    write_csvs = output_files.write_csvs

    def write_after_delete(*arguments: Any) -> Any:
        written = write_csvs(*arguments)
        assert removal.remove(services(), request_id)
        services().store.put_csv(f"{request_id}/c0ffee/output.csv", [b"late"], private=private)
        return written

    monkeypatch.setattr(output_files, "write_csvs", write_after_delete)
    work()
    sweep_to_the_end()
    assert (objects.keys(request_id), counts(), shop.asked["/webhook"]) == ([], [0] * 5, 0)


def test_an_object_that_a_killed_worker_stored_is_deleted_later(
    app: Flask, shop: ImageHost, objects: ObjectStore
) -> None:
    """Only the sweeper can clean up; it looks once more when no late put can arrive any more."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    delete(app, request_id)
    services().store.put_original(f"{request_id}/1/1.jpg", b"late", content_type="image/jpeg")
    sweep_to_the_end()
    assert (objects.keys(request_id), counts()) == ([], [0] * 5)


def test_a_store_that_is_down_delays_a_removal(app: Flask, shop: ImageHost, objects: ObjectStore) -> None:
    """The request disappears at once, and its objects are deleted when the store is back."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    drain(request_id)
    with objects.away():
        assert delete(app, request_id) == 204
    assert len(objects.keys(request_id)) == 4
    removal.remove_due()
    assert (objects.keys(request_id), counts()) == ([], [0] * 5)


def test_a_large_request_is_removed_in_steps(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a short transaction, however many rows there are."""
    monkeypatch.setattr(removal, "ROWS_A_STEP", 4)
    request_id = planned(products=10, images=2)
    assert delete(app, request_id) == 204
    left = [counts()[1:3]]
    while left[-1] != [0, 0]:
        removal.remove_due()
        left.append(counts()[1:3])
    assert left == [[6, 12], [2, 4], [0, 0]]
    sweep_to_the_end()
    assert counts() == [0] * 5


# -- uploads that were never accepted -----------------------------------------------------------------------------


def test_an_upload_whose_web_process_died_leaves_nothing(objects: ObjectStore) -> None:
    """The row is saved before the file, so the sweeper finds the file and deletes it within the hour."""
    request_id = str(uuid.uuid4())
    reservations.reserve(id=request_id, filename="a.csv", input_key="", options=OPTIONS, fingerprint="")
    services().store.put_input(request_id, io.BytesIO(b"stored, but never accepted"))
    assert get("/api/requests")["items"] == []
    removal.remove_due()
    assert objects.keys(request_id) != []
    pass_time(reservations.UPLOAD_SECONDS)
    removal.remove_due()
    assert (objects.keys(request_id), rows(ProcessingRequest)) == ([], [])


def test_an_upload_that_took_too_long_is_not_accepted() -> None:
    """Its file may already be deleted, so the upload is refused."""
    request_id = str(uuid.uuid4())
    reservations.reserve(id=request_id, filename="a.csv", input_key="", options=OPTIONS, fingerprint="")
    pass_time(reservations.UPLOAD_SECONDS)
    with pytest.raises(reservations.ReservationLost):
        reservations.accept(request_id, idempotency_key=None)


# -- retention ----------------------------------------------------------------------------------------------------


def test_old_requests_are_removed_after_the_retention_time(shop: ImageHost, objects: ObjectStore) -> None:
    """Their age counts from their end; a running request stays, and by default every request stays."""
    old = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    drain(old)
    running = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    pass_time(8 * DAY)
    young = submit(csv_of(f"{shop.url}/rocket.webp"))
    drain(young)
    running_status = get(f"/api/status/{running}")["status"]
    removal.remove_due()
    assert len(rows(ProcessingRequest)) == 3
    configure(retention_days=7)
    removal.remove_due()
    left = {request.id for request in rows(ProcessingRequest)}
    assert (old in left, objects.keys(old)) == (False, [])
    assert {young} <= left
    assert running_status == "completed" or running in left


def test_the_age_of_a_retried_request_counts_from_its_new_end(shop: ImageHost) -> None:
    """While the request runs again it has no end, so it is not old."""
    request_id = submit(csv_of(f"{shop.url}/missing.jpg"))
    drain(request_id)
    pass_time(8 * DAY)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    configure(retention_days=7)
    removal.remove_due()
    drain(request_id)
    removal.remove_due()
    assert [request.id for request in rows(ProcessingRequest)] == [request_id]
