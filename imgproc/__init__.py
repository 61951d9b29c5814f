"""imgproc: a CSV of product image URLs in, the same CSV with public URLs of compressed images out."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc import api, embedded, extensions, logs, models, toolbox, web
from imgproc.config import Settings, load_settings

__all__ = ["create_app", "models"]


def create_app(settings: Settings | None = None) -> APIFlask:
    """Build the app from `settings` (default: read from the environment). Connects to nothing.

    Raises:
        imgproc.config.ConfigError: a setting cannot be used.
    """
    settings = settings or load_settings()
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    app = APIFlask(__name__, title="imgproc", version="0.1.0", docs_path=None, static_folder="web/static")
    extensions.init_app(app, settings)
    toolbox.init_app(app, settings)
    api.init_app(app, settings)
    web.init_app(app)
    if settings.embedded_outputs_dir:
        embedded.register_outputs(app, settings)
    return app
