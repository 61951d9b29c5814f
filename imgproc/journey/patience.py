"""Decides about an image that its host did not serve: it waits, it uses up an attempt, or it fails.

A host's trouble is not an attempt. An image waits for it with growing pauses, up to HOST_PATIENCE, or up to
DEAD_HOST_PATIENCE where the host has never answered.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from imgproc.core.config import Settings
from imgproc.core.errors import DownloadError, HostWait, ImageError, ImgprocError
from imgproc.db.statuses import AT_LIMIT
from imgproc.db.transitions.products import PendingImage, RefusedImage
from imgproc.pipeline.http.host_gate import Trouble
from imgproc.queue.host_limits import HostLimits, Standing

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between two requests for an image that its host refuses


@dataclass(frozen=True)
class HostPause:
    """An image waits `seconds` for `host`, because of `reason`; `refused` says that the host has refused it."""

    host: str
    reason: str
    seconds: float
    refused: RefusedImage | None = None


class HostUnavailable(ImageError):
    """A host is given up."""

    code = "host_unavailable"
    retryable = True


def pause_or_error(
    limits: HostLimits, settings: Settings, image: PendingImage, error: ImgprocError, *, claimed_at: datetime
) -> HostPause | ImgprocError:
    """A pause if the image must wait for its host; else the error that it failed with."""
    if isinstance(error, HostWait):
        return _given_up(error) if error.gone else HostPause(error.host, AT_LIMIT, error.seconds)
    if not isinstance(error, DownloadError) or not error.trouble or error.code == "too_slow":
        return error  # a picture that comes too slowly does so each time; the host did answer
    standing = limits.standing(error.host) or Standing(answered=True, serves=False)
    if error.trouble == Trouble.SLOW and standing.serves:
        return error  # the host serves others meanwhile, so this image is slow by itself
    answered = standing.answered or bool(image.host_answered) or error.retry_after is not None
    is_slow = error.trouble == Trouble.SLOW
    patience = settings.host_patience if answered and not is_slow else settings.dead_host_patience
    refused_for = (claimed_at - image.refused_since).total_seconds() if image.refused_since else 0.0
    if refused_for >= patience and is_slow and answered:
        return error  # others were served, so this image hangs by itself
    if refused_for >= patience:
        return HostUnavailable(
            f"{error.host} did not serve the image for {_minutes(refused_for)}. Last: {error.detail} "
            "Retry the request once it does."
        )
    # The growing pauses are for an image that is refused while others are served. A host that serves none has a pace of
    # its own, and is asked by whichever image is next.
    pause = _backoff(image.refusals) if standing.pause is None else max(FIRST_PAUSE, standing.pause)
    seconds = min(patience, max(pause, error.retry_after or 0.0))
    refused = RefusedImage(image.id, answered, host_serves=standing.pause is None)
    return HostPause(error.host, Trouble(error.trouble).value, seconds, refused)


def _given_up(error: HostWait) -> HostUnavailable:
    reasons = {"busy": "it is too busy", "away": "it cannot be reached", "slow": "it does not answer"}
    reason = reasons.get(error.trouble or "", "it refuses requests")
    return HostUnavailable(
        f"{error.host} has served nothing for {_minutes(error.seconds)}: {reason}. Retry the request once it does."
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _backoff(refusals: int) -> float:
    """Seconds until an image is asked for again: 1/2, 1, 2 … at most 60, give or take a quarter."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals, 10)) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
