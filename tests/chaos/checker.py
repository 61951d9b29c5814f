"""Compares what is there with what was sent: database, buckets, output CSV and the receiver's log.

It knows the wire contract and the tables, and nothing of the code that is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from tests.chaos import check_objects, check_rows, check_webhooks
from tests.chaos.case import Case, Defect, Index
from tests.chaos.facts import Facts
from tests.chaos.sending import ENDED

SECONDS_TO_END = 60.0  # after the last fault
MOST_MADE_AGAIN = 0.03  # of all images

Look = Callable[[Case], Iterator[Defect]]
OF_ENDED: tuple[Look, ...] = (
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
    """Every defect there is; a run must end with none."""
    index = Index(facts)
    cases = [Case(sent, facts, index) for sent in facts.sent]
    defects = [defect for case in cases for look in _looks(case) for defect in look(case)]
    for look in (_strangers, check_objects.without_a_row, check_webhooks.without_a_delivery, _made_again, _in_time):
        defects += look(facts, cases)
    return defects


def _looks(case: Case) -> tuple[Look, ...]:
    if case.acted("delete"):
        return check_rows.answers, check_rows.gone
    if case.request is None:
        return check_rows.answers, check_rows.accepted_once
    if case.request["status"] not in ENDED:
        return check_rows.answers, check_rows.ended
    return check_rows.answers, *OF_ENDED


def _strangers(facts: Facts, cases: list[Case]) -> Iterator[Defect]:
    """No request exists that nobody sent."""
    sent = {case.sent.upload.key for case in cases}
    for row in facts.requests:
        if row["idempotency_key"] not in sent:
            yield Defect("unknown_request", row["id"], "nobody has sent it")


def made_again(facts: Facts) -> int:
    """How many good images were downloaded once more than they had to be, over all of them."""
    places = Counter(place.path for sent in facts.sent for place in sent.upload.places if place.code is None)
    return sum(max(0, facts.asked[path] - count) for path, count in places.items())


def _made_again(facts: Facts, cases: list[Case]) -> Iterator[Defect]:
    images, again = sum(len(case.sent.upload.places) for case in cases), made_again(facts)
    if again > MOST_MADE_AGAIN * images:
        yield Defect("made_again", "images", f"{again} of {images} were made more than once")


def _in_time(facts: Facts, _cases: list[Case]) -> Iterator[Defect]:
    if facts.seconds_to_end > SECONDS_TO_END:
        yield Defect("late", "requests", f"the last one ended {facts.seconds_to_end:.0f} s after the last fault")
