"""The tables of requests and webhooks, with their constraints and indexes. `transitions/` changes their rows."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from imgproc.db.dialects import BigId, UtcDateTime, db_now
from imgproc.db.engine import Base
from imgproc.db.statuses import DeliveryStatus, ImageStatus, ProductStatus, RequestStatus


def _status(enum: type[Enum]) -> sa.Enum:
    return sa.Enum(enum, native_enum=False, create_constraint=True, length=24, name="status", values_callable=_values)


def _values(enum: type[Enum]) -> list[str]:
    return [member.value for member in enum]


def _counter() -> Mapped[int]:
    return mapped_column(sa.BigInteger, default=0, server_default="0", nullable=False)


def _partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of some rows, on either database. A database uses it only for statements with the same condition."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


WAITING = "waiting_host IS NOT NULL"


class ProcessingRequest(Base):
    """One uploaded CSV: its options, its progress and its result."""

    __tablename__ = "processing_requests"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        CheckConstraint("products_completed + products_failed + products_cancelled <= products_total", name="products"),
        CheckConstraint("images_completed + images_failed + images_cancelled <= images_total", name="images"),
        Index("ix_processing_requests_newest", "owner", "created_at", "id"),
        Index("ix_processing_requests_newest_of_status", "owner", "status", "created_at", "id"),
        _partial_index(
            "ix_processing_requests_open",
            "status",
            "lease_until",
            where="status IN ('pending', 'processing', 'finalizing')",
        ),
        _partial_index("ix_processing_requests_removed", "lease_until", where="removed_at IS NOT NULL"),
        Index("ix_processing_requests_finished", "finished_at"),
    )

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    owner: Mapped[str] = mapped_column(String(36), default="", server_default="")
    status: Mapped[RequestStatus] = mapped_column(_status(RequestStatus), default=RequestStatus.PENDING)
    filename: Mapped[str] = mapped_column(String(255))
    input_key: Mapped[str] = mapped_column(String(255))
    input_bytes: Mapped[int] = _counter()
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    skip_invalid: Mapped[bool] = mapped_column(default=False)
    file_options: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reading: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reference: Mapped[str | None] = mapped_column(Text)
    webhook_url: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    rows_total: Mapped[int] = _counter()
    rows_skipped: Mapped[int] = _counter()
    products_total: Mapped[int] = _counter()
    products_completed: Mapped[int] = _counter()
    products_failed: Mapped[int] = _counter()
    products_cancelled: Mapped[int] = _counter()
    images_total: Mapped[int] = _counter()
    images_completed: Mapped[int] = _counter()
    images_failed: Mapped[int] = _counter()
    images_cancelled: Mapped[int] = _counter()
    source_bytes: Mapped[int] = _counter()
    output_bytes: Mapped[int] = _counter()
    finalize_epoch: Mapped[int] = mapped_column(default=0, server_default="0")
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    alone: Mapped[bool] = mapped_column(server_default=sa.false())
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=db_now())
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    output_key: Mapped[str | None] = mapped_column(String(255))
    failed_key: Mapped[str | None] = mapped_column(String(255))
    csv_token: Mapped[str | None] = mapped_column(String(32))
    csv_private: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    api_url: Mapped[str | None] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(String(55))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)

    @hybrid_property
    def products_ended(self) -> int:
        """How many products have ended, well or not; on the class, the SQL for it."""
        return self.products_completed + self.products_failed + self.products_cancelled


class Product(Base):
    """One row of the CSV. Skipped rows are kept too, because the output CSV shows them."""

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("request_id", "row"),
        Index("ix_products_window", "request_id", "status", "row"),
        _partial_index("ix_products_in_flight", "request_id", where="status IN ('queued', 'processing')"),
        _partial_index("ix_products_leased", "lease_until", where="status = 'processing'"),
        _partial_index("ix_products_queued", "queued_at", where="status = 'queued'"),
        _partial_index("ix_products_waiting", "request_id", "not_before", where=WAITING),
        _partial_index("ix_products_waiting_due", "status", "not_before", where=WAITING),
        _partial_index("ix_products_waiting_of_host", "waiting_host", "status", "not_before", where=WAITING),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    request_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("processing_requests.id", ondelete="CASCADE")
    )
    row: Mapped[int]
    line: Mapped[int]
    serial_number: Mapped[str] = mapped_column(Text)
    product_name: Mapped[str] = mapped_column(Text)
    input_cell: Mapped[str] = mapped_column(Text)
    status: Mapped[ProductStatus] = mapped_column(_status(ProductStatus), default=ProductStatus.PENDING)
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    alone: Mapped[bool] = mapped_column(server_default=sa.false())
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    waiting_host: Mapped[str | None] = mapped_column(String(300))
    waiting_reason: Mapped[str | None] = mapped_column(String(16))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)


class ProductImage(Base):
    """One image of a product; `position` counts from 1 in the order of the cell."""

    __tablename__ = "product_images"
    __table_args__ = (
        UniqueConstraint("product_id", "position"),
        Index("ix_product_images_duplicates", "url_hash", "request_id", "status", "id"),
        _partial_index("ix_product_images_earlier", "url_hash", "id", where="etag IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    request_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    url_hash: Mapped[int | None] = mapped_column(sa.BigInteger)
    product_id: Mapped[int] = mapped_column(BigId, ForeignKey("products.id", ondelete="CASCADE"))
    position: Mapped[int]
    source_url: Mapped[str] = mapped_column(Text)
    status: Mapped[ImageStatus] = mapped_column(_status(ImageStatus), default=ImageStatus.PENDING)
    original_key: Mapped[str | None] = mapped_column(String(255))
    output_key: Mapped[str | None] = mapped_column(String(255))
    source_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    source_width: Mapped[int | None]
    source_height: Mapped[int | None]
    source_format: Mapped[str | None] = mapped_column(String(16))
    output_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    output_width: Mapped[int | None]
    output_height: Mapped[int | None]
    output_format: Mapped[str | None] = mapped_column(String(16))
    output_kept: Mapped[bool | None]
    likeness: Mapped[float | None] = mapped_column(sa.REAL)
    notes: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    etag: Mapped[str | None] = mapped_column(String(255))
    last_modified: Mapped[str | None] = mapped_column(String(64))
    duration_ms: Mapped[int | None]
    stages_ms: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    refusals: Mapped[int] = mapped_column(server_default="0")
    refused_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    host_answered: Mapped[bool | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    error_retryable: Mapped[bool | None]


class WebhookDelivery(Base):
    """One announcement of one end of a request, in the outbox. Its id is the `webhook-id` of every attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("request_id", "finalize_epoch"),
        _partial_index("ix_webhook_deliveries_due", "next_attempt_at", where="status IN ('pending', 'sending')"),
        _partial_index("ix_webhook_deliveries_sending", "lease_until", where="status = 'sending'"),
    )

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    request_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("processing_requests.id", ondelete="CASCADE")
    )
    finalize_epoch: Mapped[int]
    url: Mapped[str] = mapped_column(Text)
    receiver: Mapped[str | None] = mapped_column(String(300))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[DeliveryStatus] = mapped_column(_status(DeliveryStatus), default=DeliveryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    retries: Mapped[int] = mapped_column(default=0, server_default="0")
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    last_response_status: Mapped[int | None]
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=db_now())


class DeliveryAttempt(Base):
    """One POST of one delivery, and the response to it. The delivery's payload is its body."""

    __tablename__ = "delivery_attempts"
    __table_args__ = (UniqueConstraint("delivery_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    delivery_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("webhook_deliveries.id", ondelete="CASCADE")
    )
    number: Mapped[int]
    attempted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=db_now())
    request_headers: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    response_status: Mapped[int | None]
    response_headers: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    response_body: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    duration_ms: Mapped[int | None]
