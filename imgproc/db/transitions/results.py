"""What a product's results change beyond its own row: the rows of its images and the counters of its request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from imgproc.db.batch import Batch
from imgproc.db.models import ProcessingRequest, ProductImage
from imgproc.db.statuses import ImageStatus
from imgproc.db.timeouts import is_outage
from imgproc.db.transitions.window import refill_is_due, release


@dataclass(frozen=True)
class MadeImage:
    """A made image: its two objects, the facts of both, and the host's validators (RFC 9110, 8.8).

    Each field is a column of `product_images`. `output_kept` says that the rendition has the pixels of the source;
    `likeness` is from 0 to 1, or None if it was not measured. `notes` are what else a caller should know of it, each a
    code and a detail, or None if there are none. `stages_ms` are the milliseconds of each stage of the last attempt.
    An `etag` of None says that no later request may reuse the image; an empty one, that the host gave none.
    """

    original_key: str
    output_key: str
    source_bytes: int
    source_width: int
    source_height: int
    source_format: str
    output_bytes: int
    output_width: int
    output_height: int
    output_format: str
    output_kept: bool
    likeness: float | None = None
    notes: list[dict[str, str]] | None = None
    etag: str | None = None
    last_modified: str | None = None
    duration_ms: int | None = None
    stages_ms: dict[str, int] | None = None


@dataclass(frozen=True)
class FailedImage:
    """Why an image has failed; each field is a column of `product_images`."""

    error_code: str
    error_detail: str | None = None
    error_retryable: bool | None = None
    stages_ms: dict[str, int] | None = None


@dataclass(frozen=True)
class ImageResult:
    """The result of one image in this attempt."""

    image_id: int
    outcome: MadeImage | FailedImage

    @property
    def status(self) -> ImageStatus:
        """The status that the image ends in."""
        return ImageStatus.COMPLETED if isinstance(self.outcome, MadeImage) else ImageStatus.FAILED


@dataclass(frozen=True)
class Counted:
    """A request after a product was counted: how many products have ended, and whether this one was postponed.

    `images` is how many images of the product ended.
    """

    request_id: str
    ended: int
    total: int
    postponed: bool
    images: int = 0


@dataclass(frozen=True)
class Settled:
    """What a product's end or postponement allows: products to enqueue, and the finalization once all have ended.

    `images` is how many of its images ended in this transition.
    """

    request_id: str
    released: tuple[int, ...]
    all_ended: bool
    images: int = 0


_SAVE_RESULT = sa.update(ProductImage).where(
    ProductImage.id == sa.bindparam("image_id"), ProductImage.status == ImageStatus.PENDING
)


def save_results(connection: Connection, results: Sequence[ImageResult]) -> None:
    """Save the results of images that have not ended yet. The caller holds the lease of their product."""
    for _, group in groupby(results, key=lambda result: result.status):
        rows = [{"image_id": result.image_id, "status": result.status, **vars(result.outcome)} for result in group]
        connection.execute(_SAVE_RESULT, rows)


_COUNTERS = (
    "products_completed",
    "products_failed",
    "images_completed",
    "images_failed",
    "source_bytes",
    "output_bytes",
)
# Built once, because every product uses it.
_COUNT = Batch(
    sa.update(ProcessingRequest)
    .where(ProcessingRequest.id == sa.bindparam("request", type_=ProcessingRequest.id.type))
    .values({name: getattr(ProcessingRequest, name) + sa.bindparam(f"more_{name}") for name in _COUNTERS})
    .returning(ProcessingRequest.products_ended.label("ended"), ProcessingRequest.products_total.label("total"))
)


def count(connection: Connection, request_id: str, results: Sequence[ImageResult], ended: dict[str, int]) -> Counted:
    """Add a product's results to the request's counters; `ended` counts the product itself and is empty if it waits.

    The same message ends the transaction, because every worker of the request waits for the lock on that row.
    """
    made = [result.outcome for result in results if isinstance(result.outcome, MadeImage)]
    counts = ended | {
        "images_completed": len(made),
        "images_failed": len(results) - len(made),
        "source_bytes": sum(image.source_bytes for image in made),
        "output_bytes": sum(image.output_bytes for image in made),
    }
    more = {f"more_{name}": counts.get(name, 0) for name in _COUNTERS}
    ((counted,),) = _COUNT.run(connection, {"request": request_id, **more})
    return Counted(request_id, counted["ended"], counted["total"], postponed=not ended, images=len(results))


def refill(counted: Counted, *, window: int) -> Settled:
    """Fill the request's window if a refill is due. If the database is away, the sweeper fills it.

    A postponed product leaves the window without ending, and only ends are counted, so its place is filled at once.
    """
    all_ended = counted.ended == counted.total
    is_due = counted.postponed or refill_is_due(counted.ended, window=window)
    released: tuple[int, ...] = ()
    if is_due and not all_ended:
        try:
            released = release(counted.request_id, window=window)
        except DBAPIError as error:  # the product is settled, and must not be settled again
            if not is_outage(error):
                raise
    return Settled(counted.request_id, released, all_ended, counted.images)
