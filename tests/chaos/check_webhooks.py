"""Checks the webhooks: each end of a request has one delivery, and the receiver accepted each delivery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.chaos.case import Case, Defect
from tests.chaos.facts import Facts, Row


def ends(case: Case) -> Iterator[Defect]:
    """Each end of a request has one delivery; a retried request ends twice."""
    wanted, found = (2 if case.acted("retry") else 1), len(case.deliveries)
    if found > wanted:
        yield case.defect("duplicate_finalization", f"{found} deliveries for {wanted} ends")
    elif found < wanted:
        yield case.defect("missed_webhook", f"{found} deliveries for {wanted} ends")
    else:
        yield from _last_payload(case, case.deliveries[-1]["payload"])


def _last_payload(case: Case, payload: dict[str, Any]) -> Iterator[Defect]:
    request, data = case.request or {}, payload["data"]
    urls = [request[name] and f"{case.facts.public_url}/{request[name]}" for name in ("output_key", "failed_key")]
    wanted = [f"request.{request['status']}", case.id, request["status"], *urls]
    found = [payload["type"], data["requestId"], data["status"], data["outputCsvUrl"], data["failedCsvUrl"]]
    if found != wanted:
        yield case.defect("mismatched_webhook", f"announces {found} instead of {wanted}")
    for name in ("products", "images"):
        counts = {end: request[f"{name}_{end}"] for end in ("total", "completed", "failed")}
        if data["progress"][name] != counts:
            yield case.defect("mismatched_webhook", f"announces {name} {data['progress'][name]} instead of {counts}")


def deliveries(case: Case) -> Iterator[Defect]:
    """Each delivery is marked delivered, and the receiver accepted it complete and with a valid signature."""
    for delivery in case.deliveries:
        if delivery["status"] != "delivered":
            yield case.defect("missed_webhook", f"{delivery['id']} is {delivery['status']}")
        yield from _receipts(case, delivery)


def _receipts(case: Case, delivery: Row) -> Iterator[Defect]:
    received = [receipt for receipt in case.facts.received if receipt.webhook_id == delivery["id"]]
    if not any(receipt.accepted and receipt.valid for receipt in received):
        yield case.defect("missed_webhook", f"the receiver never accepted {delivery['id']}")
    if not all(receipt.valid for receipt in received):
        yield case.defect("mismatched_webhook", f"{delivery['id']} came with a wrong signature")
    if any(receipt.payload != delivery["payload"] for receipt in received):
        yield case.defect("mismatched_webhook", f"{delivery['id']} came with a payload other than its row's")


def without_a_delivery(facts: Facts, cases: list[Case]) -> Iterator[Defect]:
    """Every webhook that the receiver got has a delivery row, unless its request was deleted since."""
    known = {row["id"] for row in facts.deliveries}
    deleted = {answer for case in cases if case.acted("delete") for answer in case.sent.answers}
    for receipt in facts.received:
        if receipt.webhook_id not in known and receipt.payload["data"]["requestId"] not in deleted:
            yield Defect("unknown_webhook", receipt.webhook_id, "has no delivery row")
