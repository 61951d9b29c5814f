"""The page of one image: the original and the rendition over each other.

This server passes their bytes on, because browsers may not reach the hosts of the buckets, and originals are private.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, render_template

from imgproc.api.problems import Problem
from imgproc.api.views import find_request
from imgproc.journey.services import services
from imgproc.pipeline.images.formats import content_type_of
from imgproc.web.request_page import find_shown
from imgproc.web.texts import N_

CHUNK_BYTES = 256 * 1024
CACHE_SECONDS = 3600
SHOWN_BY_BROWSERS = {"jpeg", "png", "webp", "avif", "gif", "bmp"}

blueprint = APIBlueprint("picture_page", __name__, enable_openapi=False, url_prefix="/requests/<request_id>/images")


@blueprint.get("/<image_id>")
def show_picture(request_id: str, image_id: str) -> str:
    """The page of one image."""
    shown = find_shown(request_id, image_id)
    return render_template(
        "picture.html",
        found=find_request(request_id),
        shown=shown,
        image=shown.image,
        can_show_source=shown.image.source_format in SHOWN_BY_BROWSERS,
    )


@blueprint.get("/<image_id>/before")
def get_original(request_id: str, image_id: str) -> Response:
    """The bytes of the original."""
    image = find_shown(request_id, image_id).image
    return picture(image.original_key, image.source_format, original=True)


@blueprint.get("/<image_id>/after")
def get_rendition(request_id: str, image_id: str) -> Response:
    """The bytes of the rendition."""
    image = find_shown(request_id, image_id).image
    return picture(image.output_key, image.output_format, original=False)


def picture(key: str | None, picture_format: str | None, *, original: bool) -> Response:
    """The object as a picture of its format: whatever its bytes are, no browser reads them as a page.

    Raises:
        Problem: 404 `image_not_found`.
    """
    body: Any = services().store.open_picture(key, original=original) if key else None
    if body is None or picture_format not in SHOWN_BY_BROWSERS:
        if body is not None:
            body.close()
        raise Problem(404, "image_not_found", N_("This picture is not stored, or no browser shows its format."))
    response = Response(body.iter_chunks(CHUNK_BYTES), content_type=content_type_of(picture_format))
    response.call_on_close(body.close)
    response.headers["Cache-Control"] = f"private, max-age={CACHE_SECONDS}"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
