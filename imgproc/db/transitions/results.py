"""What the results of a product change beside its own row: those of its images, and the counters of its request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
class ImageResult:
    """What became of one image in this attempt; `values` are columns of `product_images`."""

    image_id: int
    status: ImageStatus
    values: dict[str, Any] = field(default_factory=dict)


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
    """Write what became of images that had not ended yet; the caller holds their product."""
    for _, alike in groupby(results, key=lambda result: result.values.keys()):
        rows = [{"image_id": result.image_id, "status": result.status, **result.values} for result in alike]
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
    done = [result for result in results if result.status is ImageStatus.COMPLETED]
    counts = ends | {
        "images_completed": len(done),
        "images_failed": len(results) - len(done),
        "source_bytes": sum(result.values["source_bytes"] for result in done),
        "output_bytes": sum(result.values["output_bytes"] for result in done),
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
