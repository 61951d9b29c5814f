"""Rate limits by key or address. Flask-Limiter counts the calls in Redis, for all web processes together."""

from __future__ import annotations

import time

from flask import Flask, current_app, request
from flask_limiter import Limiter, RateLimitExceeded

from imgproc.api import auth
from imgproc.core.config import Settings
from imgproc.journey.services import services
from imgproc.queue.connection import impatient_options, redis_url

UPLOADS = {  # these read a file
    *("uploads.upload_file", "uploads.validate_file"),
    *(
        "start.read_file",
        "start.read_sample",
        "draft_page.read_again",
        "draft_page.start_request",
        "draft_page.show_preview",
    ),
}
READS = {"GET", "HEAD", "OPTIONS"}  # every other method is an action
PATIENCE = 0.5  # seconds until Redis counts as away


def init_app(app: Flask, settings: Settings) -> None:
    """Count the calls to `app`. While Redis is away, each process counts for itself and still answers."""
    limiter = Limiter(
        auth.bucket,
        default_limits=[_limit],
        default_limits_exempt_when=auth.is_unlimited,
        storage_uri=redis_url(settings),
        storage_options=impatient_options(PATIENCE),  # passed on to redis-py
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # if two threads find Redis away at once, only one of them falls back
        key_prefix="imgproc",
    )
    limiter.init_app(app)
    app.extensions["rate_limiter"] = limiter


def _limit() -> str:
    settings = services().settings
    if request.endpoint in UPLOADS:
        return settings.rate_limit_uploads
    return settings.rate_limit_reads if request.method in READS else settings.rate_limit_actions


def explain(error: RateLimitExceeded) -> tuple[str, int]:
    """The detail for a caller over the limit, and the seconds until the limit resets."""
    limit = current_app.extensions["rate_limiter"].current_limit
    seconds = max(1, round(limit.reset_at - time.time())) if limit else 60
    return (
        f"You made more than {error.limit.limit} calls of this kind; wait {seconds} s, then call less often.",
        seconds,
    )
