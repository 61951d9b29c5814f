"""The command line: start the stack, submit files to it, run one of its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import flask_migrate
from rich.console import Console
from rich.markup import escape

from imgproc.app import create_app
from imgproc.cli import key_commands
from imgproc.client import ApiError, Client, Json, follow
from imgproc.core import process
from imgproc.core.config import ConfigError, Settings, load_settings
from imgproc.core.hosts import bracketed, is_loopback
from imgproc.core.redaction import redact
from imgproc.core.terminal import printable, printable_lines
from imgproc.demo import DemoFailed, run_demo
from imgproc.embedded import ports, servers, supervisor
from imgproc.journey import delete
from imgproc.worker import sweeper

ROOT = Path(__file__).parents[2]
DEFAULT_URL = "http://127.0.0.1:8000"

console = Console(highlight=False)


class _Commands(click.Group):
    """Says our own errors in their own words, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a wrong setting exits with status 2, another error of ours with 1."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise click.UsageError(printable_lines(redact(str(error)))) from error
        except (ports.EmbeddedError, supervisor.ServiceFailed, ApiError, DemoFailed) as error:
            raise click.ClickException(printable_lines(redact(str(error)))) from error


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


@click.group(cls=_Commands)
def main() -> None:
    """CSV of product image URLs in, the same CSV with public URLs of compressed images out."""


main.add_command(key_commands.keys_group)


@main.command()
@die_with_parent
def up() -> None:
    """Start the whole stack and stay in the foreground; Ctrl-C or SIGTERM stops all of it."""
    stop = process.stop_on_signals()
    with servers.claim(load_settings().data_dir):
        settings = load_settings()  # again: a killed stack's leavings are gone only now
        ports.require_free_port(settings.host, settings.port)
        with contextlib.suppress(supervisor.Stopped):
            _run_stack(settings, stop)
    console.print("imgproc has stopped.")


def _run_stack(settings: Settings, stop: threading.Event) -> None:
    with supervisor.Supervisor(stop) as processes, servers.start_missing(settings, processes):
        _migrate()
        for service in _services(settings):
            processes.start(service)
        _announce(settings)
        processes.run()


def _migrate() -> None:
    with create_app(load_settings()).app_context():
        flask_migrate.upgrade()


def _services(settings: Settings) -> list[supervisor.Service]:
    """Our own processes, the web process last: it is ready when everything is."""
    environ = {"DATA_DIR": str(settings.data_dir)}

    def python(name: str, *arguments: str, ready: Callable[[], bool] = lambda: True) -> supervisor.Service:
        return supervisor.Service(name, [sys.executable, *arguments], environ=environ, folder=ROOT, ready=ready)

    return [
        python("worker", "rq_worker.py"),
        python("sweeper", "-m", "imgproc", "sweep", "--loop"),
        python("web", "-m", "gunicorn", "wsgi:app", ready=lambda: ports.is_ready(ports.local_url(settings))),
    ]


def _announce(settings: Settings) -> None:
    url = ports.local_url(settings)
    if not (is_loopback(bracketed(settings.host)) or settings.api_keys_required or settings.trusted_hosts):
        console.print(
            "[yellow]Everybody who reaches this machine may use it, and so may pages in their browsers: set "
            "API_KEYS_REQUIRED=true, or TRUSTED_HOSTS to the names it is called by.[/]",
            soft_wrap=True,
        )
    console.print(
        f"\n[bold green]imgproc is ready[/] at [bold]{url}[/]\n"
        f"  API      {url}/docs\n"
        f"  Upload   curl -F file=@products.csv {url}/api/upload\n"
        f"  Data     {escape(str(settings.data_dir))}\n"
        "Ctrl-C stops everything.\n",
        soft_wrap=True,
    )


@main.command()
@die_with_parent
def demo() -> None:
    """Show the whole journey on a stack of its own, which leaves nothing behind."""
    run_demo(console)


def _key_option(command: Callable[..., None]) -> Callable[..., None]:
    help_text = "API key, where the server asks for one; better given as API_KEY, which no process list shows."
    return click.option("--key", help=help_text)(command)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--webhook-url", help="Where to announce the end of the request.")
@click.option("--quality", help="Encoder quality, 1 to 95 (default 50), or smart.")
@click.option("--scale", help="Factor on width and height, above 0 up to 1 (default 0.5).")
@click.option("--format", "format_", help="jpeg (default), webp, avif, png, or keep.")
@click.option("--invalid-rows", help="reject the whole file (default), or skip bad rows.")
@click.option("--wait", is_flag=True, help="Show the progress until the request has ended.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where imgproc runs.")
@_key_option
def submit(file: Path, *, wait: bool, url: str, key: str | None, **options: str | None) -> None:
    """Upload FILE; prints the request's id."""
    parts = {"webhookUrl": "webhook_url", "quality": "quality", "scale": "scale", "format": "format_"}
    parts["invalidRows"] = "invalid_rows"
    client = Client(url, key=key or load_settings().api_key)
    given = {part: value for part, name in parts.items() if (value := options[name]) is not None}
    accepted = client.submit(file, given)
    click.echo(printable(str(accepted["requestId"])))
    if wait:
        _conclude(follow(client, accepted["requestId"], console))


@main.command()
@click.argument("request_id")
@click.option("--watch", is_flag=True, help="Show the progress until the request has ended.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where imgproc runs.")
@_key_option
def status(request_id: str, *, watch: bool, url: str, key: str | None) -> None:
    """Show how far a request is."""
    client = Client(url, key=key or load_settings().api_key)
    if watch:
        _conclude(follow(client, request_id, console))
    else:
        _summarize(client.status(request_id))


def _summarize(status: Json) -> None:
    images, saved = status["progress"]["images"], status["bytes"]["savedPercent"]
    counts = f"{images['completed']} of {images['total']} images, {images['failed']} failed"
    click.echo(printable(f"{status['status']}: {counts}"))
    facts = {
        "error": (status.get("error") or {}).get("detail"),
        "saved": None if saved is None else f"{saved}% of the bytes",
        "output CSV": status["outputCsvUrl"],
        "failed rows": status["failedCsvUrl"],
    }
    for name, fact in facts.items():
        if fact is not None:
            click.echo(printable(f"{name}: {fact}"))


def _conclude(status: Json) -> None:
    """Summarize an ended request; exit status 1 where not every image was made."""
    _summarize(status)
    if status["status"] != "completed":
        raise click.exceptions.Exit(1)


@main.command()
def worker() -> None:
    """Run the pool of workers, as many as WORKERS says."""
    os.execv(sys.executable, [sys.executable, str(ROOT / "rq_worker.py")])  # noqa: S606 - replaces this process with our own file


@main.command()
@click.option("--loop", is_flag=True, help="Again every SWEEP_INTERVAL seconds, until SIGTERM.")
def sweep(*, loop: bool) -> None:
    """Repair what a crash left undone: one pass, or a loop."""
    app = create_app()
    if loop:
        sweeper.run_forever(app, process.stop_on_signals())
    else:
        with app.app_context():
            sweeper.sweep()
            delete.remove_due()
