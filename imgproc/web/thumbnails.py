"""Thumbnails of pictures that are still at their hosts: few at a time, because each holds a thread while it waits."""

from __future__ import annotations

from flask import Flask, Response, current_app, jsonify

from imgproc.api import auth
from imgproc.api.slots import Slots
from imgproc.core.config import Settings
from imgproc.core.errors import HostWait, ImageError, ServerBusy, TooManyUploads
from imgproc.journey.previews import previews

THREADS_PER_THUMBNAIL = 4  # most threads stay free for other calls
CACHE_SECONDS = 3600


def init_app(app: Flask, settings: Settings) -> None:
    """Limit how many thumbnails a process makes at a time."""
    app.extensions["thumbnail_slots"] = Slots(
        max(1, settings.web_threads // THREADS_PER_THUMBNAIL), waiting=0, patience=0
    )


def answer(url: str) -> Response:
    """The thumbnail of the picture at `url`, which the caller has found in a file of the user.

    Without a picture, JSON says why. 202 asks to come back in a second, while others are made. Neither is an error
    status, because browsers write those to the console.
    """
    slots: Slots = current_app.extensions["thumbnail_slots"]
    try:
        with slots.hold(auth.bucket()):
            body = previews().thumbnail(url)
    except (TooManyUploads, ServerBusy, HostWait):
        return Response(status=202, headers={"Retry-After": "1"})
    except ImageError as error:
        return jsonify({"code": error.code, "detail": error.detail})
    response = Response(body, content_type="image/jpeg")
    response.headers["Cache-Control"] = f"private, max-age={CACHE_SECONDS}"
    return response
