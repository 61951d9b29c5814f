"""What the head of every page of a request shows: how far it is, and what it waits for."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Response, render_template, request

from imgproc.api.status import poll_after
from imgproc.db import reads
from imgproc.db.models import ProcessingRequest
from imgproc.db.reads import Progress
from imgproc.db.statuses import AT_LIMIT
from imgproc.db.waiting_products import waiting_products
from imgproc.journey.output_files import wants_xlsx
from imgproc.web import display
from imgproc.web.texts import N_, gettext, ngettext

REASONS = {
    AT_LIMIT: N_("it is at its limit, or has asked for a pause"),
    "busy": N_("it asks for fewer requests"),
    "away": N_("it cannot be reached"),
    "slow": N_("it does not answer"),
}


def progress_context(found: ProcessingRequest, *, is_shared: bool = False) -> dict[str, Any]:
    """What the head of every page of a request shows; a shared one names no host that is waited for."""
    progress, ended = reads.progress_of(found), reads.has_ended(found)
    size = reads.bytes_of(found)
    return {
        "found": found,
        "progress": progress,
        "ended": ended,
        "headline": headline(found, progress),
        "title": gettext(
            "%(done)s of %(total)s",
            done=display.number(progress.images.completed),
            total=display.number(progress.images.total),
        ),
        "saved": max(0, size.source - size.output),
        "saved_percent": size.saved_percent,
        "rate": reads.images_per_second(found),
        "was_retried": reads.was_retried(found),
        "unstarted": found.images_total - found.images_completed - found.images_failed - found.images_cancelled,
        "waiting": [] if ended or is_shared else _waiting(found),
        "has_workbook": wants_xlsx(found),
        "poll_after": poll_after(found),
    }


def headline(found: ProcessingRequest, progress: Progress) -> str:
    """The request in one line: `15 of 16 images · 1 needs you · 4 min left`."""
    images = progress.images
    parts = [display.done_of(images)]
    if count := images.failed:
        parts.append(ngettext("%(count)s needs you", "%(count)s need you", count, count=display.number(count)))
    if count := found.images_cancelled:
        parts.append(ngettext("%(count)s cancelled", "%(count)s cancelled", count, count=display.number(count)))
    if progress.eta_seconds is not None:
        parts.append(gettext("%(duration)s left", duration=display.duration(progress.eta_seconds)))
    return " · ".join(parts)


def progress_response(found: ProcessingRequest, *, is_shared: bool = False) -> Response:
    """The progress of a request, see `show_progress`."""
    response = Response(render_template("_progress.html", **progress_context(found, is_shared=is_shared)))
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:24], weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Images"] = str(found.images_completed + found.images_failed)
    if not reads.has_ended(found):
        response.headers["Retry-After"] = str(poll_after(found))
    response.make_conditional(request)
    return response


def _waiting(found: ProcessingRequest) -> list[tuple[Any, str]]:
    return [(each, gettext(REASONS[each.reason])) for each in waiting_products(found.id)]
