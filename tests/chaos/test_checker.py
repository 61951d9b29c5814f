"""The checker finds no defect in a correct run, and finds every kind of defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.facts import Facts, Row
from tests.chaos.finished import TOKEN, finished

Spoil = Callable[[Facts], object]

OUTPUT = f"outputs/id-plain/{TOKEN}/output.csv"


def test_finds_no_defect_in_a_correct_run() -> None:
    """The run has completed, partly failed, failed, cancelled, retried and deleted requests."""
    assert check(finished()) == []


def request(facts: Facts, key: str = "plain") -> Row:
    """The request of an upload, by its idempotency key."""
    return next(row for row in facts.requests if row["idempotency_key"] == key)


def only(rows: list[Row], request_id: str = "id-plain") -> list[Row]:
    """The rows that belong to a request."""
    return [row for row in rows if row.get("request_id") == request_id]


def drop(rows: list[Any], chosen: Callable[[Any], bool]) -> None:
    """Remove the chosen rows."""
    rows[:] = [row for row in rows if not chosen(row)]


def copy_of(row: Row, **changes: Any) -> Row:
    """A copy of the row with changes."""
    return row | changes


def change_text(facts: Facts, key: str, old: bytes, new: bytes) -> None:
    """Replace a part of a CSV."""
    assert old in facts.texts[key]
    facts.texts[key] = facts.texts[key].replace(old, new)


def receipts(facts: Facts, **changes: Any) -> None:
    """Change the webhooks that the receiver got for the plain upload."""
    facts.received[:] = [
        replace(each, **changes) if each.webhook_id == "delivery-id-plain-1" else each for each in facts.received
    ]


SPOILT: dict[str, tuple[str, Spoil]] = {
    # an upload and its request
    "a request is gone": ("lost", lambda f: drop(f.requests, lambda row: row["id"] == "id-plain")),
    "an upload was never accepted": ("not_accepted", lambda f: f.sent[0].answers.clear()),
    "two answers to one key": ("accepted_twice", lambda f: f.sent[0].answers.append("id-other")),
    "two requests of one key": ("accepted_twice", lambda f: f.requests.append(copy_of(request(f), id="other"))),
    "the answer names another request": ("lost", lambda f: f.sent[0].answers.__setitem__(0, "id-other")),
    "an unknown request": ("unknown_request", lambda f: f.requests.append(copy_of(request(f), idempotency_key="?"))),
    "an upload was refused": ("refused", lambda f: f.sent[0].refusals.append("500")),
    "a request is stuck": ("not_ended", lambda f: request(f).update(status="finalizing")),
    "an ended request is still leased": ("not_ended", lambda f: request(f).update(lease_token="a")),
    "a deleted request is still there": (
        "not_deleted",
        lambda f: f.requests.append(copy_of(request(f), id="id-deleted", idempotency_key="deleted")),
    ),
    # its rows
    "a product is gone": ("lost", lambda f: f.products.remove(only(f.products)[1])),
    "a product is there twice": ("lost", lambda f: f.products.append(copy_of(only(f.products)[1], id=99))),
    "products are in the wrong order": ("mismatched_row", lambda f: only(f.products)[0].update(serial_number="2.")),
    "an image is gone": ("mismatched_row", lambda f: f.images.pop(0)),
    "images are in the wrong order": ("mismatched_row", lambda f: f.images[0].update(position=3)),
    "a good image failed": ("wrong_end", lambda f: f.images[0].update(status="failed", error_code="timeout")),
    "a good image lost workers": ("wrong_end", lambda f: f.images[0].update(status="failed", error_code="worker_lost")),
    "an image never ended": ("wrong_end", lambda f: f.images[0].update(status="pending")),
    "a product never ended": ("wrong_end", lambda f: only(f.products)[0].update(status="processing")),
    "a request has another end": ("wrong_end", lambda f: request(f, "broken").update(status="completed")),
    "a product is counted twice": ("wrong_counter", lambda f: request(f).update(products_completed=3)),
    "an image is counted twice": ("wrong_counter", lambda f: request(f).update(images_completed=4)),
    "bytes are counted twice": ("wrong_counter", lambda f: request(f).update(output_bytes=1)),
    # its objects
    "the input is gone": ("missing_object", lambda f: f.texts.pop("originals/id-plain/input.csv")),
    "an original is gone": ("missing_object", lambda f: f.objects.pop("originals/id-plain/1/1.jpg")),
    "a rendition is gone": ("missing_object", lambda f: f.objects.pop("outputs/id-plain/1/1-sku.jpg")),
    "a rendition shows another picture": (
        "mismatched_object",
        lambda f: f.objects.update({"outputs/id-plain/1/1-sku.jpg": f.objects["outputs/id-plain/1/2-sku.jpg"]}),
    ),
    "a rendition is cut": (
        "mismatched_object",
        lambda f: f.objects.update(
            {"outputs/id-plain/1/1-sku.jpg": replace(f.objects["outputs/id-plain/1/1-sku.jpg"], picture=None)}
        ),
    ),
    "a row has another size": ("mismatched_object", lambda f: f.images[0].update(output_width=1)),
    "a slot has the rendition of another image": (
        "mismatched_object",
        lambda f: f.images[0].update(output_key="id-plain/1/2-sku.jpg"),
    ),
    "an object without a row": (
        "object_without_row",
        lambda f: f.objects.update({"outputs/id-plain/9/9-sku.jpg": f.objects["outputs/id-plain/1/1-sku.jpg"]}),
    ),
    "an object of a deleted request": (
        "object_without_row",
        lambda f: f.objects.update({"outputs/id-deleted/1/1-sku.jpg": f.objects["outputs/id-plain/1/1-sku.jpg"]}),
    ),
    "the input of a deleted request": (
        "object_without_row",
        lambda f: f.objects.update({"originals/id-deleted/input.csv": f.objects["originals/id-plain/input.csv"]}),
    ),
    "a file that no caller uploaded": (
        "object_without_row",
        lambda f: f.objects.update({"originals/?/input.csv": f.objects["originals/id-plain/input.csv"]}),
    ),
    # its CSVs
    "the output CSV is gone": ("missing_object", lambda f: f.texts.pop(OUTPUT)),
    "a slot is empty": (
        "mismatched_csv",
        lambda f: change_text(f, OUTPUT, b"http://public.example/outputs/id-plain/1/1", b""),
    ),
    "a line is gone": (
        "mismatched_csv",
        lambda f: change_text(
            f, OUTPUT, f.texts[OUTPUT].splitlines(keepends=True)[-1], b""
        ),
    ),
    "a failed line is missing": (
        "mismatched_csv",
        lambda f: change_text(f, f"outputs/id-broken/{TOKEN}/failed.csv", b"1.", b"2."),
    ),
    "a failed CSV although no product failed": (
        "mismatched_csv",
        lambda f: request(f).update(failed_key=f"id-plain/{TOKEN}/failed.csv"),
    ),
    # its end
    "an end was announced twice": (
        "duplicate_finalization",
        lambda f: f.deliveries.append(copy_of(only(f.deliveries)[0], id="second", finalize_epoch=2)),
    ),
    "an end was not announced": ("missed_webhook", lambda f: f.deliveries.remove(only(f.deliveries)[0])),
    "a second end was not announced": (
        "missed_webhook",
        lambda f: f.deliveries.remove(only(f.deliveries, "id-retried")[1]),
    ),
    "a delivery was given up": ("missed_webhook", lambda f: only(f.deliveries)[0].update(status="failed")),
    "the receiver got nothing": ("missed_webhook", lambda f: f.received.clear()),
    "the receiver accepted nothing": ("missed_webhook", lambda f: receipts(f, accepted=False)),
    "a signature is wrong": ("mismatched_webhook", lambda f: receipts(f, valid=False)),
    "another payload arrived": ("mismatched_webhook", lambda f: receipts(f, payload={"data": {"requestId": ""}})),
    "an announcement has another status": (
        "mismatched_webhook",
        lambda f: only(f.deliveries)[0]["payload"]["data"].update(status="failed"),
    ),
    "an announcement has other counts": (
        "mismatched_webhook",
        lambda f: only(f.deliveries)[0]["payload"]["data"]["progress"]["images"].update(completed=0),
    ),
    "the receiver got an unknown webhook": (
        "unknown_webhook",
        lambda f: f.received.append(replace(f.received[0], webhook_id="?")),
    ),
    # the run
    "too many images were made again": ("made_again", lambda f: f.asked.update([f.sent[0].upload.places[0].path] * 2)),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "spoil"), SPOILT.values(), ids=SPOILT)
def test_finds_each_kind_of_defect(kind: str, spoil: Spoil) -> None:
    """The checker names the kind of a defect that is added to a correct run."""
    facts = finished()
    spoil(facts)
    assert kind in {defect.kind for defect in check(facts)}


def test_finds_a_run_that_ended_late() -> None:
    """Every request must end within a minute of the last fault."""
    facts = replace(finished(), seconds_to_end=61.0)
    assert [defect.kind for defect in check(facts)] == ["late"]


def test_excuses_the_files_of_uploads_that_failed() -> None:
    """An upload that dies between storing its file and inserting its row leaves the file; the caller sends it again."""
    facts = finished()
    facts.objects["originals/abandoned/input.csv"] = facts.objects["originals/id-plain/input.csv"]
    facts.sent[0].failures += 1
    assert check(facts) == []


def test_excuses_what_a_cancelled_request_had_stored() -> None:
    """A worker may store an image of a cancelled product and then die."""
    facts = finished()
    facts.objects["originals/id-cancelled/2/1.jpg"] = facts.objects["originals/id-plain/1/1.jpg"]
    assert check(facts) == []
