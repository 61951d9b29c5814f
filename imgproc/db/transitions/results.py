"""What the results of a product change beside its own row: those of its images, and the counters of its request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from imgproc.db.batch import Batch
from imgproc.db.models import ImageStatus, ProcessingRequest, ProductImage
from imgproc.db.timeouts import is_outage
from imgproc.db.transitions.window import is_due, release


@dataclass(frozen=True)
class MadeImage:
    """A made image: its two objects, the facts of both, and the host's validators (RFC 9110, 8.8).

    Each field is a column of `product_images`. `output_kept` says that the rendition has the pixels of the source.
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
    etag: str | None = None
    last_modified: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class FailedImage:
    """Why an image has failed; each field is a column of `product_images`."""

    error_code: str
    error_detail: str | None = None
    error_retryable: bool | None = None


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
class Settled:
    """What settling a product brought about: the products to ring next, and whether the request may be finalized."""

    request_id: str
    released: tuple[int, ...]
    all_ended: bool


_SAVE_RESULT = sa.update(ProductImage).where(
    ProductImage.id == sa.bindparam("image_id"), ProductImage.status == ImageStatus.PENDING
)


def save_results(connection: Connection, results: Sequence[ImageResult]) -> None:
    """Save the results of images that are still pending; the caller holds the lease of their product."""
    for _, alike in groupby(results, key=lambda result: result.status):
        rows = [{"image_id": result.image_id, "status": result.status, **vars(result.outcome)} for result in alike]
        connection.execute(_SAVE_RESULT, rows)


def _counting() -> sa.Executable:
    """Adds to every counter; built once, because every product ends with it."""
    request = ProcessingRequest
    ended = request.products_completed + request.products_failed + request.products_cancelled
    return (
        sa.update(request)
        .where(request.id == sa.bindparam("of", type_=request.id.type))
        .values({name: getattr(request, name) + sa.bindparam(f"more_{name}") for name in _COUNTERS})
        .returning(ended.label("ended"), request.products_total)
    )


_COUNTERS = (
    "products_completed",
    "products_failed",
    "images_completed",
    "images_failed",
    "source_bytes",
    "output_bytes",
)
_COUNT = Batch(_counting())


def count(
    connection: Connection, request_id: str, results: Sequence[ImageResult], ends: dict[str, int]
) -> dict[str, Any]:
    """Add a product's results to the request's counters; `ends` counts the product itself where it has ended.

    The same message ends the transaction, because every worker at the request waits for that row.
    """
    made = [result.outcome for result in results if isinstance(result.outcome, MadeImage)]
    counts = ends | {
        "images_completed": len(made),
        "images_failed": len(results) - len(made),
        "source_bytes": sum(image.source_bytes for image in made),
        "output_bytes": sum(image.output_bytes for image in made),
    }
    more = {f"more_{name}": counts.get(name, 0) for name in _COUNTERS}
    ((counted,),) = _COUNT.run(connection, {"of": request_id, **more})
    return {"request_id": request_id, "put_off": not ends, **counted}


def refill(counted: dict[str, Any], *, window: int) -> Settled:
    """Fill the request's window where it is time for that; where we cannot, the sweeper does.

    A postponed product leaves a place that no other product's end may fill, so it is filled at once.
    """
    request_id, ended = counted["request_id"], counted["ended"]
    all_ended = ended == counted["products_total"]
    is_time = counted["put_off"] or is_due(ended, window=window)
    released: tuple[int, ...] = ()
    if is_time and not all_ended:
        try:
            released = release(request_id, window=window)
        except DBAPIError as error:  # the product is settled already, which must not be tried again
            if not is_outage(error):
                raise
    return Settled(request_id, released, all_ended)
