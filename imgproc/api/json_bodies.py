"""Reads short JSON bodies."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from imgproc.api.problems import Problem

MAX_BODY_BYTES = 64 * 1024


def require_json(example: str) -> None:
    """Refuse what is not a short JSON text.

    Raises:
        Problem: `bad_request`.
        RequestEntityTooLarge: the body is too long to be read into memory.
    """
    request.max_content_length = MAX_BODY_BYTES
    try:
        request.get_json()
    except (BadRequest, UnsupportedMediaType, RecursionError) as error:  # a text of brackets alone nests too deep
        raise Problem(400, "bad_request", f"Send JSON like {example}, as application/json.") from error


def require_json_if_any(example: str) -> None:
    """Refuse a body that is not JSON, for calls that need none; see `require_json`."""
    request.max_content_length = MAX_BODY_BYTES
    if request.method == "POST" and request.get_data():
        require_json(example)
