"""The dispatch window: how many products of a request may be queued or processing, and which are next."""

from __future__ import annotations

import sqlalchemy as sa

from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import IN_FLIGHT, ProductStatus, RequestStatus

REFILLS = 8  # per window of products; releasing them one by one would take a statement and a job for each


def of_status(status: ProductStatus, *, after_row: int = 0) -> sa.ColumnElement[bool]:
    """SQL: a request's products of one status beyond a row, to be ordered by status and row.

    Only `ix_products_window` has them in this order. For `status = …` ordered by row PostgreSQL may read all rows in
    order and skip those with another status, which costs more as more products end. The comparison is `>=`, because
    for `>` PostgreSQL expects almost no rows and sorts them.
    """
    place = sa.tuple_(sa.literal(status, Product.status.type), sa.literal(after_row + 1, Product.row.type))
    return sa.and_(sa.tuple_(Product.status, Product.row) >= place, Product.status <= status)


def release(request_id: str, *, window: int) -> tuple[int, ...]:
    """Move pending products of a request into its dispatch window. Returns their ids, to be enqueued."""
    with single_statement() as connection:
        _, filled = _LOCK_AND_FILL.run(connection, {"request": request_id, "window": window})
    return tuple(sorted(row["id"] for row in filled))


def refill_is_due(ended: int, *, window: int) -> bool:
    """Whether to fill a request's window after `ended` of its products have ended."""
    return ended % max(1, window // REFILLS) == 0


def _fill() -> sa.Executable:
    """Queue as many pending products as the window has room for.

    A statement before it must lock the request's row: this statement does not see changes made while it waits.
    """
    window = sa.bindparam("window", type_=sa.Integer, literal_execute=True)
    of_request = Product.request_id == sa.bindparam("request", type_=Product.request_id.type)
    # Literals, because a database uses a partial index only for a statement that repeats its condition.
    statuses: sa.BindParameter[ProductStatus] = sa.bindparam(
        "in_flight", IN_FLIGHT, expanding=True, literal_execute=True
    )
    in_flight = sa.select(sa.func.count()).where(of_request, Product.status.in_(statuses)).scalar_subquery()
    room = sa.case((in_flight < window, window - in_flight), else_=0)
    next_ones = (
        sa.select(Product.id)
        .where(of_request, of_status(ProductStatus.PENDING))
        .where(sa.or_(Product.not_before.is_(None), Product.not_before <= db_now()))
        .order_by(Product.status, Product.row)
        .limit(window)  # PostgreSQL cannot know how much room there is, and would plan to read all products
        .subquery()
    )
    due = sa.select(next_ones.c.id).limit(room)
    is_processing = (
        sa.exists()
        .where(ProcessingRequest.id == sa.bindparam("request", type_=ProcessingRequest.id.type))
        .where(ProcessingRequest.status == RequestStatus.PROCESSING, ProcessingRequest.cancel_requested_at.is_(None))
    )
    return (
        sa.update(Product)
        .where(is_processing, Product.id.in_(due), Product.status == ProductStatus.PENDING)
        .values(status=ProductStatus.QUEUED, queued_at=db_now())
        .returning(Product.id)
    )


_LOCK = (
    sa.select(ProcessingRequest.id)
    .where(ProcessingRequest.id == sa.bindparam("request", type_=ProcessingRequest.id.type))
    .with_for_update()
)
_LOCK_AND_FILL = Batch(_LOCK, _fill())  # built once, because every product uses it
