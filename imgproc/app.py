"""The Flask app: settings, database, services, API and pages put together. The entry points call it."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc import __version__, api, web
from imgproc.core import logs, metric_files, telemetry
from imgproc.core.config import Settings, load_settings
from imgproc.db import engine
from imgproc.journey import services
from imgproc.queue import connection


def create_app(settings: Settings | None = None, *, connections: int | None = None) -> APIFlask:
    """Build the app from `settings` (default: read from the environment). Connects to nothing.

    A process opens at most `connections` to the database (default: enough for a web process); its threads share them.

    Raises:
        imgproc.core.config.ConfigError: a setting cannot be used.
    """
    settings = settings or load_settings()
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    metric_files.use(settings.metrics_dir)
    telemetry.configure(settings)
    app = APIFlask("imgproc", title="imgproc", version=__version__, docs_path=None, static_folder="web/static")
    engine.init_app(app, settings, connections=connections)
    connection.init_app(app, settings)
    services.init_app(app, settings)
    api.init_app(app, settings)
    web.init_app(app, settings)
    return app
