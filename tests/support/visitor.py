"""A browser without JavaScript: it keeps cookies, and sends a page's form with the token that the page has."""

from __future__ import annotations

import html
import re
from typing import Any

from flask import current_app

from imgproc.db.engine import db

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]{64})"')


class Browser:
    """Pages of the app, with the cookies of one person."""

    def __init__(self, *, https: bool = False, environ: dict[str, str] | None = None) -> None:
        self.client = current_app.test_client()
        self._given: dict[str, Any] = {"base_url": "https://localhost"} if https else {}
        self._environ = environ or {}

    def get(self, path: str, **headers: str) -> Any:
        """Open a page; redirects are not followed."""
        return self._open(path, "GET", headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, *, token: str | None = None, **fields: str) -> Any:
        """Send a form with these fields, and the token if there is one."""
        return self._open(path, "POST", data=fields | ({"csrf_token": token} if token is not None else {}))

    def send(self, page: str, path: str, **fields: str) -> Any:
        """Send a form of a page, with the token of the page."""
        return self.post(path, token=token_of(self.get(page)), **fields)

    def sign_in(self, key: str, **fields: str) -> Any:
        """Sign in with a key."""
        return self.send("/login", "/login", key=key, **fields)

    def cookie(self, name: str) -> str | None:
        """The value of a cookie, if the browser has it."""
        found = self.client.get_cookie(name)
        return found.value if found else None

    def _open(self, path: str, method: str, *, headers: dict[str, str] | None = None, **given: Any) -> Any:
        db.session.rollback()  # as for a separate caller
        given |= self._given | {"environ_overrides": self._environ, "headers": PAGE | (headers or {})}
        return self.client.open(path, method=method, **given)


def token_of(response: Any) -> str:
    """The token of the first form of a page."""
    found = TOKEN.search(response.text)
    assert found, response.text
    return found[1]


def text_of(response: Any) -> str:
    """The text of a page, with its entities decoded and its space collapsed."""
    assert response.status_code == 200, response.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.text)))
