"""The progress and the bytes of a request as JSON: the status and the webhook show the same."""

from __future__ import annotations

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
