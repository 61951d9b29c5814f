"""Checks the rows: one request per upload, one product per line, one image per URL; statuses and counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.callers import ENDED
from tests.chaos.case import Case, Defect
from tests.chaos.facts import Row
from tests.chaos.uploads import Line


def answers(case: Case) -> Iterator[Defect]:
    """The caller got the same answer each time it sent the file, and the answer names the stored request."""
    ids = sorted(set(case.sent.answers))
    if not ids:
        yield case.defect("not_accepted", "was never answered 202")
    elif len(ids) > 1:
        yield case.defect("accepted_twice", f"one key was answered {ids}")
    elif case.request is not None and ids != [case.id]:
        yield case.defect("lost", f"was answered {ids}, but another is stored")
    for refusal in case.sent.refusals:
        yield case.defect("refused", refusal)


def accepted_once(case: Case) -> Iterator[Defect]:
    """The upload made exactly one request."""
    if len(case.requests) > 1:
        yield case.defect("accepted_twice", f"{len(case.requests)} requests exist")
    elif not case.requests and case.sent.answers:
        yield case.defect("lost", f"was answered {case.sent.answers[0]}, but no such request exists")


def gone(case: Case) -> Iterator[Defect]:
    """A deleted request leaves no row; `without_a_row` finds its objects if any are left."""
    if case.requests:
        yield case.defect("not_deleted", f"its row is still there: {case.requests[0]['status']}")


def ended(case: Case) -> Iterator[Defect]:
    """The request has ended, and no worker holds its lease."""
    request = case.request or {}
    if request["status"] not in ENDED:
        counts = Counter(row["status"] for row in case.products)
        yield case.defect("not_ended", f"is {request['status']}; products: {dict(counts)}")
    elif request["finished_at"] is None or request["lease_token"] is not None:
        yield case.defect("not_ended", "has ended without a time, or with its lease still held")


def rows(case: Case) -> Iterator[Defect]:
    """The products match the uploaded lines, in order."""
    if [row["row"] for row in case.products] != list(range(1, len(case.lines) + 1)):
        yield case.defect("lost", f"{len(case.products)} products of {len(case.lines)} lines")
        return
    for line, product, images in zip(case.lines, case.products, case.images, strict=True):
        if (product["serial_number"], product["product_name"]) != (line.serial_number, line.product_name):
            yield case.defect("mismatched_row", f"row {product['row']} holds {product['serial_number']}")
        elif [image["source_url"] for image in images] != case.urls(line):
            yield case.defect("mismatched_row", f"row {product['row']} has other images than the upload")
        elif not (case.acted("cancel") and product["status"] == "cancelled"):
            yield from _end_of_product(case, line, product, images)


def _end_of_product(case: Case, line: Line, product: Row, images: list[Row]) -> Iterator[Defect]:
    codes = case.codes(line)
    wanted = [("failed" if code else "completed", code) for code in codes]
    found = [(image["status"], image["error_code"]) for image in images]
    if found != wanted:
        yield case.defect("wrong_end", f"the images of row {product['row']} ended {found} instead of {wanted}")
    end = "failed" if any(codes) else "completed"
    if product["status"] != end:
        yield case.defect("wrong_end", f"row {product['row']} is {product['status']} instead of {end}")


def counters(case: Case) -> Iterator[Defect]:
    """The counters of the request match its rows."""
    request = case.request or {}
    images = [image for group in case.images for image in group]
    for name, counted in (("products", case.products), ("images", images)):
        statuses = Counter(row["status"] for row in counted)
        counts = {"total": len(counted), **{end: statuses[end] for end in ("completed", "failed", "cancelled")}}
        kept = {end: request[f"{name}_{end}"] for end in counts}
        if kept != counts:
            yield case.defect("wrong_counter", f"{name} are counted {kept}, but are {counts}")
    for side in ("source_bytes", "output_bytes"):
        total = sum(image[side] or 0 for image in images)
        if request[side] != total:
            yield case.defect("wrong_counter", f"{side} is {request[side]}, but its images add up to {total}")


def status(case: Case) -> Iterator[Defect]:
    """The status of the request follows from its images."""
    images = Counter(image["status"] for group in case.images for image in group)
    wanted = "completed"
    if any(row["status"] == "cancelled" for row in case.products):
        wanted = "cancelled"
    elif images["failed"]:
        wanted = "completed_with_errors" if images["completed"] else "failed"
    if (case.request or {})["status"] != wanted:
        yield case.defect("wrong_end", f"is {(case.request or {})['status']}, but its images make it {wanted}")
