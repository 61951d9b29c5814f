"""Our own processes in `imgproc up`: made ready in its process and forked from it, so that they share its memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import gunicorn.arbiter  # noqa: F401 - loaded before the fork
from flask import Flask
from gunicorn.app.wsgiapp import WSGIApplication

from imgproc.app import create_app
from imgproc.cli.process_commands import run_pool, run_sweeper
from imgproc.db.engine import db
from imgproc.embedded import ports
from imgproc.embedded.supervisor import Service
from imgproc.journey.services import services
from imgproc.journey.warm_up import warm_up
from imgproc.pipeline.storage import clients
from imgproc.server import gunicorn_worker  # noqa: F401 - loaded before the fork
from imgproc.worker.pool import CONNECTIONS

WEB = ("gunicorn", "--config", "python:imgproc.server.gunicorn_settings", "imgproc.app:create_app()")


def of(app: Flask) -> list[Service]:
    """The pool of workers, the sweeper and the web process, which is ready when everything is.

    Each could import and make for itself what it needs, and does so where a command starts it. Here that is done once.
    """
    with app.app_context():
        settings = services().settings
    workers = create_app(settings, connections=CONNECTIONS)
    clients.preload()
    with workers.app_context():
        warm_up()
        db.engine.dispose()  # no connection may be used on both sides of a fork
    environ = {"DATA_DIR": str(settings.data_dir)}

    def python(
        name: str, *module: str, main: Callable[[], object], ready: Callable[[], bool] = lambda: True
    ) -> Service:
        command = [sys.executable, "-m", *module]
        return Service(name, command, environ=environ, ready=ready, forked=True, main=main)

    return [
        python("worker", "imgproc", "worker", main=partial(run_pool, workers, settings=settings)),
        python("sweeper", "imgproc", "sweep", "--loop", main=partial(run_sweeper, app, settings=settings)),
        python(
            "web",
            *WEB,
            main=partial(_serve, app),
            ready=lambda: ports.is_ready(ports.local_url(settings)),
        ),
    ]


class _Web(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn, serving an app that is in memory."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        super().__init__()

    def load(self) -> Flask:
        """The app."""
        return self._app


def _serve(app: Flask) -> None:
    _Web(app).run()
