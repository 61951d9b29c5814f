"""Our own processes in `imgproc up`: made ready in its process and forked from it, so that they share its memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import gunicorn.arbiter  # noqa: F401 - loaded before the fork
import structlog
from flask import Flask
from gunicorn.app.wsgiapp import WSGIApplication

from imgproc.app import create_app
from imgproc.cli.process_commands import run_pool, run_sweeper
from imgproc.core import metric_files
from imgproc.core.config import Settings
from imgproc.core.process import WORKER_NICENESS, yield_to_other_sessions
from imgproc.db.engine import db
from imgproc.embedded import ports
from imgproc.embedded.supervisor import Service
from imgproc.journey.outage import describe
from imgproc.journey.services import Services
from imgproc.journey.warm_up import warm_up
from imgproc.queue.connection import redis_client
from imgproc.server import gunicorn_worker  # noqa: F401 - loaded before the fork
from imgproc.worker import sweeper
from imgproc.worker.passes import try_pass
from imgproc.worker.pool import CONNECTIONS

log = structlog.get_logger(__name__)

GUNICORN_SETTINGS = "python:imgproc.server.gunicorn_settings"


def of(app: Flask) -> list[Service]:
    """The pool of workers, the sweeper and the web process, which is ready when everything is.

    A process that a command starts makes its own app. Here all share what was made before the fork.
    """
    shared: Services = app.extensions["services"]
    settings = shared.settings
    workers = create_app(settings, connections=CONNECTIONS)
    workers.extensions["services"] = shared
    shared.store.prepare()
    with metric_files.in_memory():
        error = try_pass(app, sweeper.sweep)
        with workers.app_context():
            warm_up()
    if error is not None:
        log.warning("sweep_delayed", error=describe(error))
    for each in (app, workers):  # no connection may be used on both sides of a fork
        with each.app_context():
            db.engine.dispose()
            redis_client().close()
    environ = {"DATA_DIR": str(settings.data_dir)}

    def python(
        name: str, *module: str, main: Callable[[], object], ready: Callable[[], bool] = lambda: True
    ) -> Service:
        command = [sys.executable, "-m", *module]
        return Service(name, command, environ=environ, ready=ready, forked=True, main=main)

    return [
        python("worker", "imgproc", "worker", main=partial(_run_pool, workers, settings=settings)),
        python("sweeper", "imgproc", "sweep", "--loop", main=partial(run_sweeper, app, settings=settings)),
        python(
            "web",
            *("gunicorn", "--config", GUNICORN_SETTINGS, "imgproc.app:create_app()"),
            main=_Web(app).run,
            ready=lambda: ports.is_ready(ports.local_url(settings)),
        ),
    ]


def _run_pool(app: Flask, *, settings: Settings) -> None:
    yield_to_other_sessions(WORKER_NICENESS)
    run_pool(app, settings=settings)


class _Web(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn, serving an app that is in memory."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        super().__init__()

    def load_config(self) -> None:
        """Read our settings and GUNICORN_CMD_ARGS, but no command line."""
        self.load_config_from_file(GUNICORN_SETTINGS)
        given = self.cfg.parser().parse_args(self.cfg.get_cmd_args_from_env())
        for name, value in vars(given).items():
            if value is not None and name != "args":
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app."""
        return self._app
