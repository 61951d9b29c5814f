"""Deleting requests, and what becomes of them in the end: nothing is left behind, whoever races it or dies."""

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
from imgproc.journey import outcome
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
    """Delete it through the API; the status of the answer."""
    return app.test_client().delete(f"/api/requests/{request_id}").status_code


def counts() -> list[int]:
    """How many rows each table has."""
    return [len(rows(table)) for table in TABLES]


def sweep_to_the_end() -> None:
    """Let the sweeper remove what is due, now and after the time of late puts."""
    for _ in range(3):
        removal.remove_due()
        pass_time(transitions.LAST_PUT_SECONDS)


def test_deleting_removes_rows_and_objects(app: Flask, shop: ImageHost, objects: ObjectStore) -> None:
    """Of this request alone, and for good."""
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


def test_nobody_sees_a_removed_request(app: Flask, shop: ImageHost) -> None:
    """Though its row stays a while where work was under way: no list, no action, no key knows it any more."""
    key = {"Idempotency-Key": "monday"}
    csv_ = csv_of(f"{shop.url}/chelsea.jpg")
    request_id = upload(csv_, headers=key).json["requestId"]
    assert delete(app, request_id) == 204
    assert row(ProcessingRequest).id == request_id
    assert get("/api/requests")["items"] == []
    assert [post(f"/api/requests/{request_id}/{action}").status_code for action in ("cancel", "retry")] == [404, 404]
    assert upload(csv_, headers=key).json["requestId"] != request_id


def test_deleting_stops_what_is_under_way(app: Flask, shop: ImageHost) -> None:
    """The rings still in Redis find nothing to claim, and nothing is announced."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3), webhookUrl=f"{shop.url}/webhook")
    work(most=2)
    assert delete(app, request_id) == 204
    assert len(queued_jobs()) == 2
    work()
    sweeper.sweep()
    work()
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (1, 0)
    assert redis_client().llen("rq:queue:control") == 0


@pytest.mark.parametrize("put", ["put_original", "put_rendition"])
def test_a_delete_while_a_worker_stores_leaves_nothing(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch, put: str
) -> None:
    """The worker finds its lease lost, and deletes what it has just stored."""
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
    """A finalizer is a worker like any other, whichever bucket its CSVs go to."""
    configure(csv_access="private" if private else "public")
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    write_csvs = outcome.write_csvs

    def write_after_delete(*arguments: Any) -> Any:
        written = write_csvs(*arguments)
        assert removal.remove(services(), request_id)
        services().store.put_csv(f"{request_id}/c0ffee/output.csv", [b"late"], private=private)
        return written

    monkeypatch.setattr(outcome, "write_csvs", write_after_delete)
    work()
    sweep_to_the_end()
    assert (objects.keys(request_id), counts(), shop.asked["/webhook"]) == ([], [0] * 5, 0)


def test_what_a_worker_stored_before_it_was_killed_is_deleted_later(
    app: Flask, shop: ImageHost, objects: ObjectStore
) -> None:
    """Nobody is left to clear up but the sweeper, which looks once more when nothing can come any more."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    delete(app, request_id)
    services().store.put_original(f"{request_id}/1/1.jpg", b"late", content_type="image/jpeg")
    sweep_to_the_end()
    assert (objects.keys(request_id), counts()) == ([], [0] * 5)


def test_a_store_that_is_away_delays_a_removal(app: Flask, shop: ImageHost, objects: ObjectStore) -> None:
    """The request is out of sight at once, and its objects go when the store is back."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    drain(request_id)
    with objects.away():
        assert delete(app, request_id) == 204
    assert len(objects.keys(request_id)) == 4
    removal.remove_due()
    assert (objects.keys(request_id), counts()) == ([], [0] * 5)


def test_a_large_request_goes_in_steps(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a short transaction, however many rows there are; two sweepers may take them together."""
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
    """Its row is there before its file, so the file is found and deleted within the hour."""
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
    """Its file may be gone already, so 503 rather than a promise that cannot be kept."""
    request_id = str(uuid.uuid4())
    reservations.reserve(id=request_id, filename="a.csv", input_key="", options=OPTIONS, fingerprint="")
    pass_time(reservations.UPLOAD_SECONDS)
    with pytest.raises(reservations.ReservationLost):
        reservations.accept(request_id, idempotency_key=None)


# -- retention ----------------------------------------------------------------------------------------------------


def test_old_requests_are_removed_where_the_settings_say_so(shop: ImageHost, objects: ObjectStore) -> None:
    """Counted from their end; what is under way stays, however old, and so does everything by default."""
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


def test_a_retried_request_counts_from_its_new_end(shop: ImageHost) -> None:
    """While it is under way again it has no end."""
    request_id = submit(csv_of(f"{shop.url}/missing.jpg"))
    drain(request_id)
    pass_time(8 * DAY)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    configure(retention_days=7)
    removal.remove_due()
    drain(request_id)
    removal.remove_due()
    assert [request.id for request in rows(ProcessingRequest)] == [request_id]
