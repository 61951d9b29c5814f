"""The commands that run a whole stack: `up` and `demo`."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from functools import partial

import click
from flask import Flask
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from imgproc.app import create_app
from imgproc.cli import stack_services
from imgproc.core import process
from imgproc.core.config import Settings, load_settings
from imgproc.core.hosts import bracketed, is_loopback
from imgproc.core.redaction import redact
from imgproc.core.terminal import printable, printable_lines
from imgproc.db.engine import db
from imgproc.demo import DemoFailed, run_demo
from imgproc.embedded import ports, servers, supervisor
from imgproc.embedded.forked import ForkedProcess
from imgproc.journey.outage import describe, start_pauses
from imgproc.pipeline.storage import clients

console = Console(highlight=False)
KEYS_ARE_NEEDED = "  Key      `imgproc keys create NAME` prints one, for IMGPROC_API_KEY and for the sign-in\n"


def _die_with_parent(_context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        process.die_with_parent(signal.SIGTERM)


die_with_parent = click.option(
    "--die-with-parent",
    is_flag=True,
    expose_value=False,
    callback=_die_with_parent,
    help="Stop when the process that started this one ends (Linux).",
)


@click.command()
@die_with_parent
def up() -> None:
    """Start the whole stack and stay in the foreground; Ctrl-C or SIGTERM stops it."""
    stop = process.stop_on_signals()
    with servers.claim(load_settings().data_dir):
        settings = load_settings()  # again, without the addresses that a killed stack had left
        ports.require_free_port(settings.host, settings.port)
        with contextlib.suppress(supervisor.Stopped):
            _run_stack(settings, stop)
    console.print("imgproc has stopped.")


def _run_stack(settings: Settings, stop: threading.Event) -> None:
    with supervisor.Supervisor(stop) as processes, servers.start_missing(settings, processes):
        if url := settings.redis_url:
            _wait_for("Redis", lambda: servers.redis_failure(url), stop)
        clients.preload()
        app = create_app()  # only now, because it reads the addresses of the servers just started
        _wait_for("The database", lambda: _database_failure(app), stop)
        _make_tables(app)
        for service in stack_services.of(app):
            processes.start(service)
        _announce(settings)
        processes.run()


def _wait_for(name: str, find_failure: Callable[[], str | None], stop: threading.Event) -> None:
    """Return once a service answers. Each failure is one line; the pauses between attempts grow.

    Raises:
        Stopped: `stop` was set meanwhile.
    """
    pauses = start_pauses()
    while failure := find_failure():
        pause, reason = next(pauses), printable(redact(failure))
        console.print(f"{name} does not answer ({reason}). Next attempt in {pause:g} s.", markup=False, soft_wrap=True)
        if stop.wait(pause):
            raise supervisor.Stopped


def _database_failure(app: Flask) -> str | None:
    """Why no connection to the database can be made; None where one can."""
    with app.app_context():
        try:
            with db.engine.connect():
                return None
        except DBAPIError as error:
            return describe(error)
        finally:
            db.engine.dispose()


def _make_tables(app: Flask) -> None:
    """Bring the database up to date, in a process of its own, whose 10 MB of Alembic no other process needs.

    Raises:
        ServiceFailed: it cannot be done; the process has written why.
    """
    if not supervisor.FORKS:
        _upgrade(app)
    elif ForkedProcess(["imgproc", "init"], environ={}, main=partial(_upgrade, app)).wait():
        raise supervisor.ServiceFailed("The tables of the database could not be made; the reason is above.")


def _upgrade(app: Flask) -> None:
    import flask_migrate  # noqa: PLC0415 - see above

    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()


def _announce(settings: Settings) -> None:
    url = ports.local_url(settings)
    if not (is_loopback(bracketed(settings.host)) or settings.api_keys_required or settings.trusted_hosts):
        console.print(
            "[yellow]Everyone who can reach this machine can use imgproc, and so can web pages in their browsers. Set "
            "API_KEYS_REQUIRED=true, or set TRUSTED_HOSTS to the names of this server.[/]",
            soft_wrap=True,
        )
    key = ' -H "X-API-Key: $IMGPROC_API_KEY"' if settings.api_keys_required else ""
    console.print(
        f"\n[bold green]imgproc is ready[/] at [bold]{url}[/]\n"
        f"  Console  {url}/\n"
        f"  API      {url}/docs\n"
        f"{KEYS_ARE_NEEDED if key else ''}"
        f"  Try it   curl -s {url}/samples/catalogue.csv -o catalogue.csv && "
        f"curl{key} -F file=@catalogue.csv {url}/api/upload\n"
        f"  Data     {escape(str(settings.data_dir))}\n"
        "Ctrl-C stops everything.\n",
        soft_wrap=True,
    )


@click.command()
@die_with_parent
def demo() -> None:
    """Show the whole journey on a stack of its own, which leaves nothing behind."""
    try:
        run_demo(console)
    except DemoFailed as error:
        raise click.ClickException(printable_lines(redact(str(error)))) from error
