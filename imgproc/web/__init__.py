"""The pages people look at in a browser; everything they need is served from here, so that they work offline."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc.web import docs


def init_app(app: APIFlask) -> None:
    """Register the pages."""
    app.register_blueprint(docs.blueprint)
