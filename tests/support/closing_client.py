"""Flask's test client, without the open files and connections that it leaves behind."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from flask.testing import FlaskClient

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class ClosingClient(FlaskClient):
    """Closes the temporary file of a body above 500 kB, and the source of a streamed answer.

    Garbage collection would warn of them during some later test.
    """

    def run_wsgi_app(self, environ: WSGIEnvironment, buffered: bool = False) -> Any:
        """Run the app and close its input, unless that is in memory and may belong to the test."""
        body = environ["wsgi.input"]
        try:
            return super().run_wsgi_app(environ, buffered=True)
        finally:
            if not isinstance(body, io.BytesIO):
                body.close()
