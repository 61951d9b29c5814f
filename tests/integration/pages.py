"""The pages of the app under test, asked for as a browser does."""

from __future__ import annotations

from typing import Any

from flask import current_app

from imgproc.db.engine import db
from tests.integration.driver import drain, submit
from tests.support import visitor
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost


def ask(path: str, *, method: str = "GET", **given: Any) -> Any:
    """The response to a call. The session is reset first, as for a separate caller."""
    db.session.rollback()
    headers = visitor.PAGE | given.pop("headers", {})
    return current_app.test_client().open(path, method=method, headers=headers, **given)


def text_of(path: str) -> str:
    """The text of a page, with its entities decoded and its space collapsed."""
    return visitor.text_of(ask(path))


def made(shop: ImageHost, *paths: str, **options: Any) -> str:
    """A request with one product for each path of the shop, processed to its end; its id."""
    request_id = submit(csv_of(*(f"{shop.url}{path}" for path in paths)), **options)
    drain(request_id)
    return request_id
