"""The facts of a run without defects, made by hand; the checker's tests add defects to them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

from tests.chaos.callers import Sent
from tests.chaos.facts import Facts, Row, Stored, expected
from tests.chaos.pictures import digest
from tests.chaos.uploads import HEADER, Line, Place, Upload
from tests.support.receiver import Receipt

TOKEN = "0123456789abcdef" * 2
IMAGE_HOSTS, PUBLIC = ("http://host.example", "http://other.example"), "http://public.example/outputs"
# The pictures of each upload, one string a line, and the action that follows the upload.
UPLOADS: dict[str, tuple[list[str], str | None]] = {
    "plain": (["chelsea.jpg rocket.webp", "coffee.png"], None),
    "broken": (["missing.jpg chelsea.jpg", "astronaut.jpg"], None),
    "hopeless": (["page.jpg"], None),
    "cancelled": (["coffee.jpg", "chelsea.jpg rocket.webp"], "cancel"),
    "retried": (["cut.jpg astronaut.jpg", "coffee.png"], "retry"),
    "deleted": (["rocket.webp"], "delete"),
}


def finished() -> Facts:
    """Facts without a defect; tests may change every part of them."""
    facts = Facts([], IMAGE_HOSTS, PUBLIC, seconds_to_end=3.0)
    for key, (lines, action) in UPLOADS.items():
        sent = Sent(Upload(key, 0.0, _lines(key, lines), action), acted=action is not None)
        sent.answers.append(f"id-{key}")
        facts.sent.append(sent)
        if action == "delete":
            facts.received.append(Receipt("gone", {"data": {"requestId": f"id-{key}"}}, valid=True, accepted=True))
        else:
            _add_request(facts, sent)
        facts.asked.update(place.path for place in sent.upload.places)
    return facts


def _lines(key: str, lines: list[str]) -> tuple[Line, ...]:
    return tuple(
        Line(f"{row}.", f"SKU {row}", tuple(_place(name, f"file={key}&row={row}") for name in line.split()))
        for row, line in enumerate(lines, start=1)
    )


def _place(name: str, query: str) -> Place:
    return Place(name, f"/{name}?{query}", host=len(name) % len(IMAGE_HOSTS))


def _add_request(facts: Facts, sent: Sent) -> None:
    request_id, ends = sent.answers[0], Counter[str]()
    for row, line in enumerate(sent.upload.lines, start=1):
        cancelled = sent.upload.action == "cancel" and row == 2
        codes = [None if sent.upload.action == "retry" else place.code for place in line.places]
        status = _end_of(cancelled=cancelled, failed=any(codes))
        ends[f"products_{status}"] += 1
        product_id = len(facts.products) + 1
        names = {"serial_number": line.serial_number, "product_name": line.product_name}
        attempt = {"attempt": 1, "id": product_id, "request_id": request_id, "row": row, "status": status}
        facts.products.append(names | attempt)
        for position, (place, code) in enumerate(zip(line.places, codes, strict=True), start=1):
            facts.images.append(_image(facts, f"{request_id}/{row}/{position}", place, code, cancelled=cancelled))
            facts.images[-1] |= {"product_id": product_id, "position": position}
            ends[f"images_{facts.images[-1]['status']}"] += 1
    _end(facts, sent, ends)


def _end_of(*, cancelled: bool, failed: bool) -> str:
    """The status in which a product or an image ends."""
    if cancelled:
        return "cancelled"
    return "failed" if failed else "completed"


def _image(facts: Facts, slot: str, place: Place, code: str | None, *, cancelled: bool) -> Row:
    image: Row = {"source_url": place.url(IMAGE_HOSTS), "error_code": "cancelled" if cancelled else code}
    image["status"] = _end_of(cancelled=cancelled, failed=code is not None)
    made = expected(place.picture)
    keys = {"original": f"{slot}.jpg", "output": f"{slot}-sku.jpg"} if image["status"] == "completed" else {}
    for side, bucket, stored in (("source", "originals", made.original), ("output", "outputs", made.rendition)):
        key = keys.get("original" if side == "source" else side)
        image["original_key" if side == "source" else "output_key"] = key
        size = stored.picture or (0, 0)
        facts_of_side = (stored.bytes, *size) if key else (None, None, None)
        image |= dict(zip((f"{side}_{name}" for name in ("bytes", "width", "height")), facts_of_side, strict=True))
        if key:
            facts.objects[f"{bucket}/{key}"] = stored
    return image


def _end(facts: Facts, sent: Sent, ends: Counter[str]) -> None:
    """Add the request's row, its CSVs and its deliveries."""
    request_id = sent.answers[0]
    images = [image for image in facts.images if image["source_url"].find(f"file={sent.upload.key}&") > 0]
    wrong = ends["products_failed"] + ends["products_cancelled"]
    row: Row = {"id": request_id, "idempotency_key": sent.upload.key, "finished_at": "now", "lease_token": None}
    for name, count in (("products", len(sent.upload.lines)), ("images", len(images))):
        row[f"{name}_total"] = count
        row |= {f"{name}_{end}": ends[f"{name}_{end}"] for end in ("completed", "failed", "cancelled")}
    for side in ("source_bytes", "output_bytes"):
        row[side] = sum(image[side] or 0 for image in images)
    row["status"] = _end_of(cancelled=bool(ends["products_cancelled"]), failed=bool(ends["images_failed"]))
    if row["status"] == "failed" and ends["images_completed"]:
        row["status"] = "completed_with_errors"
    row |= {"input_key": f"{request_id}/input.csv", "output_key": f"{request_id}/{TOKEN}/output.csv"}
    row |= {"failed_key": f"{request_id}/{TOKEN}/failed.csv" if wrong else None, "finalize_epoch": 1}
    facts.requests.append(row)
    _store_csvs(facts, sent, row)
    if sent.upload.action == "retry":
        row["finalize_epoch"] = 2
        _announce(facts, row | {"status": "completed_with_errors"}, epoch=1)
    _announce(facts, row, epoch=row["finalize_epoch"])


def _store_csvs(facts: Facts, sent: Sent, row: Row) -> None:
    products = [product for product in facts.products if product["request_id"] == row["id"]]
    output, failed = [[*HEADER, "Output Image Urls"]], [[*HEADER, "Error"]]
    for line, product in zip(sent.upload.lines, products, strict=True):
        keys = [image["output_key"] for image in facts.images if image["product_id"] == product["id"]]
        cells = [line.serial_number, line.product_name, ",".join(place.url(IMAGE_HOSTS) for place in line.places)]
        output.append([*cells, ",".join(f"{PUBLIC}/{key}" if key else "" for key in keys)])
        if product["status"] in {"failed", "cancelled"}:
            failed.append([*cells, "It did not work."])
    _store(facts, f"originals/{row['input_key']}", sent.upload.csv(IMAGE_HOSTS))
    _store(facts, f"outputs/{row['output_key']}", _csv(output))
    if row["failed_key"]:
        _store(facts, f"outputs/{row['failed_key']}", _csv(failed))


def _csv(lines: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    return out.getvalue().encode()


def _store(facts: Facts, key: str, content: bytes) -> None:
    facts.texts[key] = content
    facts.objects[key] = Stored(len(content), digest(content))


def _announce(facts: Facts, row: Row, *, epoch: int) -> None:
    """Add a delivery that the receiver refused once and then accepted."""
    names = ("total", "completed", "failed")
    data: dict[str, Any] = {"requestId": row["id"], "status": row["status"]}
    data["progress"] = {of: {name: row[f"{of}_{name}"] for name in names} for of in ("products", "images")}
    data |= {f"{name}CsvUrl": row[f"{name}_key"] and f"{PUBLIC}/{row[f'{name}_key']}" for name in ("output", "failed")}
    payload = {"type": f"request.{row['status']}", "data": data}
    delivery_id = f"delivery-{row['id']}-{epoch}"
    delivery = {"id": delivery_id, "request_id": row["id"], "finalize_epoch": epoch, "status": "delivered"}
    facts.deliveries.append(delivery | {"payload": payload})
    for accepted in (False, True):
        facts.received.append(Receipt(delivery_id, payload, valid=True, accepted=accepted))
