"""Checks the buckets: two objects for each completed image, matching CSVs, and no other object."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from tests.chaos.case import Case, Defect
from tests.chaos.facts import Facts, Row, Stored, expected
from tests.chaos.uploads import HEADER

CSV_TOKEN = "[0-9a-f]{32}"


def pictures(case: Case) -> Iterator[Defect]:
    """Each completed image has its original and its rendition, with the expected bytes."""
    for line, product, images in zip(case.lines, case.products, case.images, strict=False):
        for place, image in zip(line.places, images, strict=False):
            if image["status"] == "completed":
                wanted, slot = expected(place.picture), f"{case.id}/{product['row']}/{image['position']}"
                yield from _picture(case, image, "source", f"originals/{image['original_key']}", slot, wanted.original)
                yield from _picture(case, image, "output", f"outputs/{image['output_key']}", slot, wanted.rendition)


def _picture(case: Case, image: Row, side: str, key: str, slot: str, wanted: Stored) -> Iterator[Defect]:
    found = case.facts.objects.get(key)
    row = Stored(image[f"{side}_bytes"], wanted.digest, (image[f"{side}_width"], image[f"{side}_height"]))
    if not re.match(rf"\w+/{re.escape(slot)}[.-]", key):
        yield case.defect("mismatched_object", f"{key} is not under {slot}")
    elif found is None:
        yield case.defect("missing_object", key)
    elif found != wanted or row != wanted:
        yield case.defect("mismatched_object", f"{key} is {found}; its row says {row}; expected {wanted}")


def input_csv(case: Case) -> Iterator[Defect]:
    """The uploaded file is stored unchanged."""
    key = f"originals/{(case.request or {})['input_key']}"
    if key not in case.facts.texts:
        yield case.defect("missing_object", key)
    elif case.facts.texts[key] != case.sent.upload.csv(case.facts.image_hosts):
        yield case.defect("mismatched_object", f"{key} is not the file that was sent")


def output_csv(case: Case) -> Iterator[Defect]:
    """The output CSV has a line for each uploaded line and a slot for each URL; failed images have an empty slot."""
    lines = [[*HEADER, "Output Image Urls"]]
    for line, images in zip(case.lines, case.images, strict=False):
        keys = [image["output_key"] if image["status"] == "completed" else None for image in images]
        slots = [f"{case.facts.public_url}/{key}" if key else "" for key in keys]
        lines.append([line.serial_number, line.product_name, ",".join(case.urls(line)), ",".join(slots)])
    yield from _compare(case, "output", lines)


def failed_csv(case: Case) -> Iterator[Defect]:
    """The failed CSV has the lines of products that did not complete; there is none if all completed."""
    pairs = zip(case.lines, case.products, strict=False)
    failed = [line for line, product in pairs if product["status"] in {"failed", "cancelled"}]
    lines = [[line.serial_number, line.product_name, ",".join(case.urls(line))] for line in failed]
    if failed:
        yield from _compare(case, "failed", [list(HEADER), *lines])
    elif (case.request or {})["failed_key"] is not None:
        yield case.defect("mismatched_csv", "has a failed CSV, but no product failed")


def _compare(case: Case, name: str, wanted: list[list[str]]) -> Iterator[Defect]:
    """Compare a CSV line by line; columns after the expected ones are ignored."""
    key = str((case.request or {})[f"{name}_key"])
    content = case.facts.texts.get(f"outputs/{key}")
    if not re.fullmatch(rf"{re.escape(case.id)}/{CSV_TOKEN}/{name}\.csv", key) or content is None:
        yield case.defect("missing_object", f"the {name} CSV; its row says {key}")
        return
    found = [line[: len(wanted[0])] for line in csv.reader(io.StringIO(content.decode(), newline=""))]
    if len(found) != len(wanted):
        yield case.defect("mismatched_csv", f"{key} has {len(found)} lines instead of {len(wanted)}")
    for number, (line, right) in enumerate(zip(found, wanted, strict=False), start=1):
        if line != right:
            yield case.defect("mismatched_csv", f"{key}, line {number}: {line} instead of {right}")


def without_a_row(facts: Facts, cases: list[Case]) -> Iterator[Defect]:
    """Every object in a bucket belongs to a row.

    An upload that dies between storing its file and inserting its row leaves the file behind. So there may be one such
    file for each upload that failed or ran beside a duplicate of itself.
    """
    explained = {f"originals/{row['input_key']}" for row in facts.requests}
    explained |= {f"outputs/{row[name]}" for row in facts.requests for name in ("output_key", "failed_key")}
    explained |= {f"originals/{row['original_key']}" for row in facts.images}
    explained |= {f"outputs/{row['output_key']}" for row in facts.images}
    explained |= _earlier_failed_csvs(cases)
    unexplained = {key for key in facts.objects if key not in explained and not _is_of_cancelled_request(key, cases)}
    known = {row["id"] for row in facts.requests} | {answer for case in cases for answer in case.sent.answers}
    abandoned = {key for key in unexplained if key.endswith("/input.csv") and key.split("/")[1] not in known}
    if len(abandoned) > sum(case.sent.failures + max(0, len(case.sent.answers) - 1) for case in cases):
        yield Defect("object_without_row", "originals", f"{len(abandoned)} files of uploads that were never accepted")
    for key in sorted(unexplained - abandoned):
        yield Defect("object_without_row", key, "no row explains it")


def _earlier_failed_csvs(cases: list[Case]) -> set[str]:
    """The failed CSVs of the first end of retried requests: they stay, because a webhook announced their URL."""
    outputs = [str((case.request or {}).get("output_key")) for case in cases if case.acted("retry")]
    return {f"outputs/{key.rpartition('/')[0]}/failed.csv" for key in outputs}


def _is_of_cancelled_request(key: str, cases: list[Case]) -> bool:
    """True for an image of a cancelled request: a worker may have stored it just before it died."""
    _, request_id, *rest = key.split("/")
    cancelled = {case.id for case in cases if case.acted("cancel")}
    return request_id in cancelled and len(rest) == 2 and rest[0].isdecimal()
