"""Thumbnails of pictures that are still at their hosts: few at a time, because each holds a thread while it waits."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, Response, current_app, jsonify

from imgproc.api import auth
from imgproc.api.slots import Slots
from imgproc.core.config import Settings
from imgproc.core.errors import HostWait, ImageError, ServerBusy, TooManyUploads
from imgproc.journey.previews import previews
from imgproc.pipeline.images.compress import CompressOptions, Rendition
from imgproc.pipeline.images.formats import content_type_of
from imgproc.web.sentences import said_text
from imgproc.web.texts import N_

THREADS_PER_THUMBNAIL = 4  # most threads stay free for other calls
# Seconds for which a preview waits for the thumbnails of its page, and again for the limit of their host.
PATIENCE = 4.0
CACHE_SECONDS = 3600
MOST_TRIES = 3  # pictures that a preview tries
MOST_SHOWN = 4 * 1024 * 1024  # bytes of an original that a page carries


def init_app(app: Flask, settings: Settings) -> None:
    """Limit how many thumbnails a process makes at a time."""
    app.extensions["thumbnail_slots"] = Slots(
        max(1, settings.web_threads // THREADS_PER_THUMBNAIL), waiting=1, patience=PATIENCE
    )


@dataclass(frozen=True)
class Preview:
    """A picture before and after, as `data:` URLs, or why there is none. A `before` that is large is left out."""

    url: str = ""
    before: str | None = None
    after: str = ""
    rendition: Rendition | None = None
    fault: str = ""


def preview(urls: Sequence[str], options: CompressOptions) -> Preview:
    """What the options make of the first of some pictures that can be made; few are tried, because a person waits."""
    slots: Slots = current_app.extensions["thumbnail_slots"]
    fault = N_("The first rows have no picture.")
    try:
        with slots.hold(auth.bucket()):
            end = time.monotonic() + PATIENCE
            for url in urls[:MOST_TRIES]:
                try:
                    source, made = _rendition(url, options, end)
                except ImageError as error:
                    fault = error.detail
                    continue
                before = _data_url(source, content_type_of(made.source.format)) if len(source) <= MOST_SHOWN else None
                return Preview(url, before, _data_url(made.body, made.content_type), made)
    except (TooManyUploads, ServerBusy, HostWait):
        fault = N_("Another picture is being made, or its host needs a pause; try again in a moment.")
    return Preview(fault=fault)


def _rendition(url: str, options: CompressOptions, end: float) -> tuple[bytes, Rendition]:
    """See `Previews.rendition`; until `end` it waits for a host at its limit, which the page's thumbnails reach."""
    while True:
        try:
            return previews().rendition(url, options)
        except HostWait as wait:
            if wait.trouble or time.monotonic() + wait.seconds > end:
                raise
            time.sleep(wait.seconds)


def _data_url(body: bytes, content_type: str) -> str:
    return f"data:{content_type};base64,{base64.b64encode(body).decode()}"


def answer(url: str) -> Response:
    """The thumbnail of the picture at `url`, which the caller has found in a file of the user.

    Without a picture, JSON says why. 202 asks to come back in a second, while others are made. Neither is an error
    status, because browsers write those to the console.
    """
    slots: Slots = current_app.extensions["thumbnail_slots"]
    try:
        with slots.hold(auth.bucket(), waits=False):
            body = previews().thumbnail(url)
    except (TooManyUploads, ServerBusy, HostWait):
        return Response(status=202, headers={"Retry-After": "1"})
    except ImageError as error:
        return jsonify({"code": error.code, "detail": said_text(error.detail)})
    response = Response(body, content_type="image/jpeg")
    response.headers["Cache-Control"] = f"private, max-age={CACHE_SECONDS}"
    return response
