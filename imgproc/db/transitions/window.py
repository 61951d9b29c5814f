"""The dispatch window: how many products of a request may be queued or processing, and which come next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now
from imgproc.db.engine import db, single_statement
from imgproc.db.models import ProcessingRequest, Product, ProductStatus, RequestStatus

REFILLS = 8  # of a window, while all of it ends: to let products in one by one takes a statement and a ring for each
IN_FLIGHT = (ProductStatus.QUEUED, ProductStatus.PROCESSING)


def of_status(status: ProductStatus, *, after_row: int = 0) -> sa.ColumnElement[bool]:
    """SQL: a request's products of one status beyond a row, to be ordered by status and row.

    Only `ix_products_window` has them in this order. Where `status = …` is ordered by row, PostgreSQL may follow the
    rows instead and pass by all that have another status, which costs more the more have ended. It is `>=` because by
    `>` PostgreSQL expects next to no rows, and would sort them.
    """
    place = sa.tuple_(sa.literal(status, Product.status.type), sa.literal(after_row + 1, Product.row.type))
    return sa.and_(sa.tuple_(Product.status, Product.row) >= place, Product.status <= status)


def release(request_id: str, *, window: int) -> tuple[int, ...]:
    """Move pending products of a request into its dispatch window; their ids, to be rung."""
    with single_statement() as connection:
        _, filled = _LOCK_AND_FILL.run(connection, {"of": request_id, "window": window})
    return tuple(sorted(row["id"] for row in filled))


def is_due(ended: int, *, window: int) -> bool:
    """Whether to fill the window of a request now that so many of its products have ended."""
    return ended % max(1, window // REFILLS) == 0


def first_of_owners(product_ids: Sequence[int], *, most: int) -> set[int]:
    """Those of the products that are among the first `most` their owner has queued or processing.

    Of ids that come together the earlier ones count first; an id that is no product's is not among them.
    """
    product, request = Product, ProcessingRequest
    of_each = sa.select(request.owner, product.id).join(request).where(product.id.in_(product_ids)).order_by(product.id)
    of_owner: defaultdict[str, list[int]] = defaultdict(list)
    first: set[int] = set()
    with db.engine.connect() as connection:
        for owner, product_id in connection.execute(of_each):
            of_owner[owner].append(product_id)
        for owner, ids in of_owner.items():
            some = (
                sa.select(product.id)
                .join(request)
                .where(request.owner == owner, request.status == RequestStatus.PROCESSING)
                .where(product.status.in_(IN_FLIGHT))
                .limit(most + len(ids))
            )
            under_way = connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
            first.update(ids[: max(0, most + len(ids) - under_way)])
    return first


def _filling() -> sa.Executable:
    """As many pending products as there is room for become queued; built once, because every product asks for it.

    The request's row must be locked by a statement before it: this one does not see what is changed while it waits.
    """
    product, window = Product, sa.bindparam("window", type_=sa.Integer, literal_execute=True)
    ours = product.request_id == sa.bindparam("of", type_=product.request_id.type)
    # Written out, because a partial index serves only a statement that says what it holds.
    statuses: sa.BindParameter[ProductStatus] = sa.bindparam(
        "in_flight", IN_FLIGHT, expanding=True, literal_execute=True
    )
    in_flight = sa.select(sa.func.count()).where(ours, product.status.in_(statuses)).scalar_subquery()
    room = sa.case((in_flight < window, window - in_flight), else_=0)
    next_ones = (
        sa.select(product.id)
        .where(ours, of_status(ProductStatus.PENDING))
        .where(sa.or_(product.not_before.is_(None), product.not_before <= db_now()))
        .order_by(product.status, product.row)
        .limit(window)  # PostgreSQL cannot know how much room there is, and would read all products to be sure
        .subquery()
    )
    due = sa.select(next_ones.c.id).limit(room)
    request = ProcessingRequest
    goes_on = (
        sa.exists()
        .where(request.id == sa.bindparam("of", type_=request.id.type))
        .where(request.status == RequestStatus.PROCESSING, request.cancel_requested_at.is_(None))
    )
    return (
        sa.update(product)
        .where(goes_on, product.id.in_(due), product.status == ProductStatus.PENDING)
        .values(status=ProductStatus.QUEUED, queued_at=db_now())
        .returning(product.id)
    )


_FILL = _filling()
_LOCK = (
    sa.select(ProcessingRequest.id)
    .where(ProcessingRequest.id == sa.bindparam("of", type_=ProcessingRequest.id.type))
    .with_for_update()
)
_LOCK_AND_FILL = Batch(_LOCK, _FILL)
