"""The embedded outputs bucket as a public bucket: objects by name, no listing."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, request, send_from_directory

from imgproc.core.config import Settings

IMAGE_CACHE_SECONDS = 3600
# What we write, by its extension: Python's own table knows WebP and AVIF only where the system has a list of types.
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
    """One object: pictures to be shown, everything else to be saved. Ranges and conditional requests are honoured.

    A picture may be kept for an hour. A CSV is for whoever was told its key: no cache keeps it, no search engine lists
    it, and what it links to is not told where the link was.
    """
    if any(part.startswith(".") for part in key.split("/")):
        abort(404)  # the server writes an object under such a name until it is whole
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
        _hand_over(response)
    if not (response.mimetype or "").startswith("image/"):
        response.headers["Content-Disposition"] = "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # shops show these pictures on their own pages
    return response


def _hand_over(response: Response) -> None:
    """Let the server send a range from the file itself, as it does a whole file.

    Otherwise our thread passes on piece by piece what a slow reader takes, and is held as long. A server's own
    `wsgi.file_wrapper` (PEP 3333) sends from where the file stands, and ends with the Content-Length.
    """
    part: Any = response.response
    whole = getattr(part, "iterable", None)
    if isinstance(whole, request.environ.get("wsgi.file_wrapper", ())) and response.content_range.start is not None:
        whole.seek(response.content_range.start)
        response.response = whole
