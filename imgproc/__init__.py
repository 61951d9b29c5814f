"""imgproc: a CSV of product image URLs in, the same CSV with public URLs of compressed images out."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc import api, embedded, web
from imgproc.core import logs
from imgproc.core.config import Settings, load_settings
from imgproc.db import engine, models
from imgproc.journey import services

__all__ = ["create_app", "models"]


def create_app(settings: Settings | None = None) -> APIFlask:
    """Build the app from `settings` (default: read from the environment). Connects to nothing.

    Raises:
        imgproc.config.ConfigError: a setting cannot be used.
    """
    settings = settings or load_settings()
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    app = APIFlask(__name__, title="imgproc", version="0.1.0", docs_path=None, static_folder="web/static")
    engine.init_app(app, settings)
    services.init_app(app, settings)
    api.init_app(app, settings)
    web.init_app(app)
    if settings.embedded_outputs_dir:
        embedded.register_outputs(app, settings)
    return app
