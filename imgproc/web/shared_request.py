"""What a share link shows: the progress, the pictures and the result of one request. Nothing can be done here.

The pages have no address of the request's own pages or API, no source URLs and no webhook.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, render_template, request

from imgproc.api.requests import failed_csv, output_csv, output_workbook
from imgproc.api.shares import find_shared
from imgproc.web.picture_page import SHOWN_BY_BROWSERS, picture
from imgproc.web.request_page import FILTERS, pictures_of, shown_in
from imgproc.web.request_view import progress_context, progress_response

blueprint = APIBlueprint("shared_request", __name__, enable_openapi=False, url_prefix="/share/<token>")


@blueprint.after_request
def keep_private(response: Response) -> Response:
    """No cache keeps what a link shows, because it may be revoked."""
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


@blueprint.get("")
def show_shared(token: str) -> str:
    """The progress and the pictures, worst first."""
    found = find_shared(token)
    show = request.args.get("show", "all")
    show = show if show in FILTERS else "all"
    pictures, pages = pictures_of(found, show)
    return render_template(
        "shared.html",
        **progress_context(found, is_shared=True),
        token=token,
        pictures=pictures,
        pages=pages,
        show=show,
    )


@blueprint.get("/progress")
def show_progress(token: str) -> Response:
    """The part of the page that changes while the request runs."""
    return progress_response(find_shared(token), is_shared=True)


@blueprint.get("/images/<image_id>")
def show_picture(token: str, image_id: str) -> str:
    """One image, before and after."""
    found = find_shared(token)
    shown = shown_in(found, image_id)
    can_show = shown.image.source_format in SHOWN_BY_BROWSERS
    return render_template(
        "shared_picture.html", found=found, token=token, shown=shown, image=shown.image, can_show_source=can_show
    )


@blueprint.get("/images/<image_id>/before")
def get_original(token: str, image_id: str) -> Response:
    """The bytes of the original."""
    image = shown_in(find_shared(token), image_id).image
    return picture(image.original_key, image.source_format, original=True)


@blueprint.get("/images/<image_id>/after")
def get_rendition(token: str, image_id: str) -> Response:
    """The bytes of the rendition."""
    image = shown_in(find_shared(token), image_id).image
    return picture(image.output_key, image.output_format, original=False)


@blueprint.get("/output.csv")
def download_output(token: str) -> Any:
    """The output CSV."""
    return output_csv(find_shared(token))


@blueprint.get("/failed.csv")
def download_failed(token: str) -> Any:
    """The rows that failed."""
    return failed_csv(find_shared(token))


@blueprint.get("/output.xlsx")
def download_workbook(token: str) -> Any:
    """The workbook."""
    return output_workbook(find_shared(token))
