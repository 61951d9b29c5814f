"""Compares the database, the buckets, the CSVs and the receiver's log with the uploads.

It knows the wire contract and the tables, but uses none of the code that it checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from tests.chaos import check_objects, check_rows, check_webhooks
from tests.chaos.callers import ENDED
from tests.chaos.case import Case, Defect, Index
from tests.chaos.facts import Facts

SECONDS_TO_END = 60.0  # after the last fault
# A process that dies repeats what its dozen products had downloaded: runs of 64 faults and 300 images had 6 to 7%.
MOST_MADE_AGAIN = 0.1  # of all images

Check = Callable[[Case], Iterator[Defect]]
CHECKS_OF_ENDED: tuple[Check, ...] = (
    check_rows.ended,
    check_rows.rows,
    check_rows.counters,
    check_rows.status,
    check_objects.input_csv,
    check_objects.pictures,
    check_objects.output_csv,
    check_objects.failed_csv,
    check_webhooks.ends,
    check_webhooks.deliveries,
)


def check(facts: Facts) -> list[Defect]:
    """All defects; a run must end with none."""
    index = Index(facts)
    cases = [Case(sent, facts, index) for sent in facts.sent]
    defects = [defect for case in cases for check_case in _checks_of(case) for defect in check_case(case)]
    for check_all in (
        _unknown_requests,
        check_objects.without_a_row,
        check_webhooks.without_a_delivery,
        _made_again,
        _in_time,
    ):
        defects += check_all(facts, cases)
    return defects


def _checks_of(case: Case) -> tuple[Check, ...]:
    if case.acted("delete"):
        return check_rows.answers, check_rows.gone
    if case.request is None:
        return check_rows.answers, check_rows.accepted_once
    if case.request["status"] not in ENDED:
        return check_rows.answers, check_rows.ended
    return check_rows.answers, *CHECKS_OF_ENDED


def _unknown_requests(facts: Facts, cases: list[Case]) -> Iterator[Defect]:
    """Every request comes from an upload of the run."""
    sent = {case.sent.upload.key for case in cases}
    for row in facts.requests:
        if row["idempotency_key"] not in sent:
            yield Defect("unknown_request", row["id"], "no caller sent it")


def made_again(facts: Facts) -> int:
    """How many downloads of good images there were beyond one for each image."""
    places = Counter(place.path for sent in facts.sent for place in sent.upload.places if place.code is None)
    return sum(max(0, facts.asked[path] - count) for path, count in places.items())


def _made_again(facts: Facts, cases: list[Case]) -> Iterator[Defect]:
    images, again = sum(len(case.sent.upload.places) for case in cases), made_again(facts)
    if again > MOST_MADE_AGAIN * images:
        yield Defect("made_again", "images", f"{again} extra downloads for {images} images")


def _in_time(facts: Facts, _cases: list[Case]) -> Iterator[Defect]:
    if facts.seconds_to_end > SECONDS_TO_END:
        yield Defect("late", "requests", f"the last one ended {facts.seconds_to_end:.0f} s after the last fault")
