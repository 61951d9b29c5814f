"""Reads of the products that wait for hosts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from imgproc.db.engine import db
from imgproc.db.models import Product
from imgproc.db.statuses import AT_LIMIT
from imgproc.db.transitions.window import waits_for_host


@dataclass(frozen=True)
class WaitingProducts:
    """How many products of a request wait for a host, until when the first of them waits, and why."""

    host: str
    products: int
    until: datetime
    reason: str


def waiting_products(request_id: str) -> list[WaitingProducts]:
    """The waiting products, by host. Those that are queued again count until they are claimed.

    They are few: a request may only have a few windows of them. If the host has refused some of them, their reason is
    shown.
    """
    statement = (
        sa.select(Product.waiting_host, Product.waiting_reason, Product.not_before)
        .where(waits_for_host(request_id))
        .order_by(Product.request_id, Product.not_before)
    )
    by_host: dict[str, list[Any]] = {}
    for row in db.session.execute(statement):
        by_host.setdefault(row.waiting_host, []).append(row)
    found = [
        WaitingProducts(
            host,
            len(rows),
            rows[0].not_before,
            next((row.waiting_reason for row in rows if row.waiting_reason != AT_LIMIT), AT_LIMIT),
        )
        for host, rows in by_host.items()
    ]
    return sorted(found, key=lambda each: (-each.products, each.host))
