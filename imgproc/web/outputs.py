"""Serves the embedded outputs bucket as a public bucket: objects by key, without a listing."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, request, send_from_directory

from imgproc.core.config import Settings

IMAGE_CACHE_SECONDS = 3600
# Types by extension. Python knows those of WebP and AVIF only if the system has a list of types.
CONTENT_TYPES = {
    "csv": "text/csv",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
}

CSV_HEADERS = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}

outputs = Blueprint("outputs", __name__, url_prefix="/outputs")


def register_outputs(app: Flask, settings: Settings) -> None:
    """Serve the objects of the embedded outputs bucket at `/outputs/<key>`, as a public bucket would."""
    app.config["EMBEDDED_OUTPUTS_DIR"] = settings.embedded_outputs_dir
    app.register_blueprint(outputs)


@outputs.get("/<path:key>")
def get_output(key: str) -> Response:
    """Serve one object: browsers show pictures and save everything else. Supports ranges and conditional requests.

    Pictures may be cached for an hour. CSVs are only for those who know the key: they are neither cached nor indexed,
    and pages that they link to do not see the key as referrer.
    """
    if any(part.startswith(".") for part in key.split("/")):
        abort(404)  # the S3 server writes objects under such names until they are complete
    extension = key.rpartition(".")[2]
    response = send_from_directory(
        current_app.config["EMBEDDED_OUTPUTS_DIR"],
        key,
        mimetype=CONTENT_TYPES.get(extension, "application/octet-stream"),
        conditional=True,
        max_age=IMAGE_CACHE_SECONDS,
    )
    if extension == "csv":
        response.headers |= CSV_HEADERS
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        _let_server_send(response)
    if not (response.mimetype or "").startswith("image/"):
        response.headers["Content-Disposition"] = "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # shops embed these pictures in their own pages
    return response


def _let_server_send(response: Response) -> None:
    """Let the server send a range of the file, as it sends whole files, instead of this thread.

    A slow client would hold the thread. The server's `wsgi.file_wrapper` (PEP 3333) sends from the position of the
    file up to the Content-Length.
    """
    part: Any = response.response
    whole = getattr(part, "iterable", None)
    if isinstance(whole, request.environ.get("wsgi.file_wrapper", ())) and response.content_range.start is not None:
        whole.seek(response.content_range.start)
        response.response = whole
