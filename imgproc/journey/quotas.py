"""The quotas of an owner: requests, bytes and webhooks that are under way."""

from __future__ import annotations

from imgproc.core.errors import QuotaExceeded
from imgproc.db import reads
from imgproc.journey.services import Services


def require_room(services: Services, owner: str, *, size: int) -> None:
    """Check both quotas before a file of `size` bytes is read, or processed again.

    Simultaneous requests may pass the check together. For the bytes of uploads `reserve` checks again.

    Raises:
        QuotaExceeded: the owner has MAX_OPEN_REQUESTS open, or would have more than MAX_OPEN_BYTES.
    """
    most = services.settings.max_open_requests
    if reads.count_open(owner) >= most:
        raise QuotaExceeded(f"{most:,} requests are under way already; wait until some have ended, or cancel some.")
    if reads.count_open_bytes(owner) + size > services.settings.max_open_bytes:
        raise bytes_exceeded(services)


def bytes_exceeded(services: Services) -> QuotaExceeded:
    """The refusal of a file that would exceed MAX_OPEN_BYTES."""
    most = services.settings.max_open_bytes
    return QuotaExceeded(
        f"With this file more than {most:,} bytes of files would be under way; "
        "wait until some requests have ended, or cancel some."
    )


def require_room_for_delivery(services: Services, owner: str) -> None:
    """Check the quota before a webhook that has ended is sent again.

    Raises:
        QuotaExceeded: MAX_OPEN_DELIVERIES of the owner wait or are being sent.
    """
    most = services.settings.max_open_deliveries
    if reads.count_open_deliveries(owner, at_most=most) >= most:
        raise QuotaExceeded(f"{most:,} webhooks wait to be sent already; send this one again when some have been.")
