"""One upload with everything that belongs to it, and the defects that the checks find in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.chaos.callers import Sent
from tests.chaos.facts import Facts, Row
from tests.chaos.uploads import Line


@dataclass(frozen=True)
class Defect:
    """One violated expectation: its kind, the request or object concerned, and the details."""

    kind: str
    where: str
    detail: str


class Index:
    """The rows, grouped by their parent."""

    def __init__(self, facts: Facts) -> None:
        self.requests = _by(facts.requests, "idempotency_key")
        self.products = _by(facts.products, "request_id")
        self.images = _by(facts.images, "product_id")
        self.deliveries = _by(facts.deliveries, "request_id")


def _by(rows: Iterable[Row], column: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found


class Case:
    """One upload and its rows in order; `request` is None unless there is exactly one."""

    def __init__(self, sent: Sent, facts: Facts, index: Index) -> None:
        self.sent, self.facts = sent, facts
        self.lines = sent.upload.lines
        self.requests = index.requests[sent.upload.key]
        self.request: Row | None = self.requests[0] if len(self.requests) == 1 else None
        self.id: str = self.request["id"] if self.request else ""
        self.products = sorted(index.products[self.id], key=lambda row: row["row"])
        self.images = [sorted(index.images[row["id"]], key=lambda image: image["position"]) for row in self.products]
        self.deliveries = sorted(index.deliveries[self.id], key=lambda row: row["finalize_epoch"])

    def acted(self, action: str) -> bool:
        """Whether the caller did this action after the upload."""
        return self.sent.acted and self.sent.upload.action == action

    def urls(self, line: Line) -> list[str]:
        """The source URLs of a line."""
        return [place.url(self.facts.image_hosts) for place in line.places]

    def codes(self, line: Line) -> list[str | None]:
        """The expected result of each image of a line: an error code, or None for success."""
        return [None if self.acted("retry") else place.code for place in line.places]

    def defect(self, kind: str, detail: str) -> Defect:
        """A defect in this upload."""
        return Defect(kind, f"{self.sent.upload.key} {self.id}", detail)
