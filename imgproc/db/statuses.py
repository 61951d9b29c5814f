"""The statuses of requests, products, images and deliveries, and the groups of them that statements ask for."""

from __future__ import annotations

from enum import Enum


class RequestStatus(str, Enum):
    """Where a processing request stands; the last four are final."""

    PENDING = "pending"
    PROCESSING = "processing"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ProductStatus(str, Enum):
    """`pending` waits in the database, `queued` has a job in Redis, `processing` is leased; the rest are final."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class ImageStatus(str, Enum):
    """Where an image stands; all but the first are final."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryStatus(str, Enum):
    """`pending` waits for its next attempt, `sending` is leased; `delivered` and `failed` are final."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


ENDED = (
    RequestStatus.COMPLETED,
    RequestStatus.COMPLETED_WITH_ERRORS,
    RequestStatus.FAILED,
    RequestStatus.CANCELLED,
)
OPEN = tuple(status for status in RequestStatus if status not in ENDED)
UNFINALIZED = (RequestStatus.PENDING, RequestStatus.PROCESSING)
AT_LIMIT = "limit"  # why a product waits for a host that refused none of its images
IN_FLIGHT = (ProductStatus.QUEUED, ProductStatus.PROCESSING)
UNDELIVERED = (DeliveryStatus.PENDING, DeliveryStatus.SENDING)
