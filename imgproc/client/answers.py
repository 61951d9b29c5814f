"""What the API answers, as typed values. Names are those of the JSON, in snake case.

Each keeps the JSON itself in `json`, also the members that this version does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imgproc.client.api_errors import Fault

Json = dict[str, Any]

ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What all answers have."""

    json: Json = field(repr=False, compare=False)


@dataclass(frozen=True)
class Page:
    """A page of a list, and where the next one begins."""

    items: tuple[Json, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class FileCounts:
    """What a file holds."""

    rows: int
    products: int
    images: int
    skipped_rows: int


@dataclass(frozen=True, kw_only=True)
class Accepted(Answer):
    """An upload that was accepted. `reading` says how the file was read, `errors` which rows are skipped."""

    request_id: str
    status: str
    status_url: str
    created_at: datetime
    counts: FileCounts
    reading: Json | None = None
    errors: tuple[Fault, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Validation(Answer):
    """How a file would be read, and every error in it."""

    valid: bool
    filename: str
    encoding: str | None
    delimiter: str | None
    header: tuple[str, ...]
    columns: dict[str, str]
    reading: Json | None
    counts: FileCounts
    errors: tuple[Fault, ...]
    errors_truncated: bool


@dataclass(frozen=True)
class Counts:
    """How many there are, and how many have ended each way."""

    total: int
    completed: int
    failed: int


@dataclass(frozen=True)
class Progress:
    """How far a request is. `percent` is of the images; `eta_seconds` is None while nothing is known."""

    percent: int
    eta_seconds: int | None
    products: Counts
    images: Counts


@dataclass(frozen=True)
class Bytes:
    """Bytes of the originals and of what was made of them."""

    source: int
    output: int
    saved_percent: float | None


@dataclass(frozen=True)
class Reason:
    """Why something failed: a stable code, and what to do."""

    code: str
    detail: str
    retryable: bool | None = None


@dataclass(frozen=True)
class Webhook:
    """The delivery of the webhook of a request: its status and its attempts."""

    url: str
    status: str
    attempts: int
    last_response_status: int | None
    next_attempt_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """A host that products wait for, until when at least, and why."""

    host: str
    products: int
    until: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Request(Answer):
    """A processing request. A list leaves out `waiting`, `webhook` and `reading`."""

    request_id: str
    status: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    filename: str
    reference: str | None
    options: Json
    progress: Progress
    bytes: Bytes
    output_csv_url: str | None
    failed_csv_url: str | None
    output_xlsx_url: str | None
    error: Reason | None
    waiting: tuple[Waiting, ...] = ()
    webhook: Webhook | None = None
    reading: Json | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless you ask for it."""
        return self.status in ENDED


@dataclass(frozen=True, kw_only=True)
class Started(Answer):
    """An action that was accepted."""

    request_id: str
    status: str
    status_url: str


@dataclass(frozen=True)
class Picture:
    """The size and the format of one encoded image."""

    bytes: int
    width: int
    height: int
    format: str
    kept: bool | None = None


@dataclass(frozen=True)
class Image:
    """One image of a product. `likeness` is 1 where the output looks like the source, if it was measured."""

    position: int
    source_url: str
    output_url: str | None
    original_url: str | None
    status: str
    error: Reason | None
    source: Picture | None
    output: Picture | None
    duration_ms: int | None
    likeness: float | None = None
    stages_ms: Json | None = None


@dataclass(frozen=True, kw_only=True)
class Product(Answer):
    """One row of the file. `error` says why a row was skipped."""

    line: int
    serial_number: str
    product_name: str
    status: str
    error: Reason | None
    images: tuple[Image, ...]


@dataclass(frozen=True)
class Attempt:
    """One POST to a webhook: `request` is what was sent, `response` what came back, `note` what is doubtful."""

    number: int
    attempted_at: datetime
    response_status: int | None
    error: Reason | None
    duration_ms: int | None
    request: Json | None
    response: Json | None
    note: str | None


@dataclass(frozen=True, kw_only=True)
class Delivery(Answer):
    """One webhook with its attempts, the oldest first."""

    id: str
    url: str
    type: str
    status: str
    created_at: datetime
    next_attempt_at: datetime | None
    last_response_status: int | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, kw_only=True)
class Ping(Answer):
    """What came back from a webhook's receiver that was tested; `note` is what is doubtful about it."""

    delivered: bool
    duration_ms: int
    error: Reason | None
    request: Json | None
    response: Json | None
    note: str | None
