"""The parts of a request as JSON that the status and the webhook show alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from imgproc.db.reads import Bytes, Counts, Progress


def progress_json(progress: Progress) -> dict[str, Any]:
    """The member `progress`, as the API's documentation describes it."""
    return {
        "percent": progress.percent,
        "etaSeconds": progress.eta_seconds,
        "products": _counts_json(progress.products),
        "images": _counts_json(progress.images),
    }


def _counts_json(counts: Counts) -> dict[str, int]:
    return {"total": counts.total, "completed": counts.completed, "failed": counts.failed}


def bytes_json(size: Bytes) -> dict[str, Any]:
    """The member `bytes`, as the API's documentation describes it."""
    return {"source": size.source, "output": size.output, "savedPercent": size.saved_percent}


def error_json(code: str | None, detail: str | None) -> dict[str, Any] | None:
    """The member `error`: None without a code."""
    return {"code": code, "detail": detail} if code else None


def rfc3339(moment: datetime | None) -> str | None:
    """The UTC time in RFC 3339, to the millisecond."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
