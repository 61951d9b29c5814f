"""The dispatch window: how many products of a request may be queued or processing, and which come next."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.extensions import transaction
from imgproc.models import ProcessingRequest, Product, ProductStatus, RequestStatus, db_now

IN_FLIGHT = (ProductStatus.QUEUED, ProductStatus.PROCESSING)


def release(request_id: str, *, window: int) -> tuple[int, ...]:
    """Move pending products of a request into its dispatch window; their ids, to be rung."""
    lock = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.status == RequestStatus.PROCESSING)
        .where(ProcessingRequest.cancel_requested_at.is_(None))
        .with_for_update()
    )
    with transaction() as connection:
        if connection.execute(lock).one_or_none() is None:
            return ()
        return fill_window(connection, request_id, window=window)


def fill_window(connection: Connection, request_id: str, *, window: int) -> tuple[int, ...]:
    """The same inside the transaction of a caller that holds the request's row."""
    return tuple(sorted(connection.execute(_FILL, {"of": request_id, "window": window}).scalars()))


def _filling() -> sa.Executable:
    """As many pending products as there is room for become queued; built once, because every product asks for it."""
    product, window = Product, sa.bindparam("window", type_=sa.Integer)
    ours = product.request_id == sa.bindparam("of", type_=product.request_id.type)
    in_flight = sa.select(sa.func.count()).where(ours, product.status.in_(IN_FLIGHT)).scalar_subquery()
    due = (
        sa.select(product.id)
        .where(ours, product.status == ProductStatus.PENDING)
        .where(sa.or_(product.not_before.is_(None), product.not_before <= db_now()))
        .order_by(product.row)
        .limit(sa.case((in_flight < window, window - in_flight), else_=0))
    )
    return (
        sa.update(product)
        .where(product.id.in_(due), product.status == ProductStatus.PENDING)
        .values(status=ProductStatus.QUEUED, queued_at=db_now())
        .returning(product.id)
    )


_FILL = _filling()
