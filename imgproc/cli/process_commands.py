"""The commands that run one of our processes: the pool of workers, the sweeper."""

from __future__ import annotations

import threading
from collections.abc import Collection

import click
from flask import Flask

from imgproc.app import create_app
from imgproc.core import process, telemetry
from imgproc.core.config import Settings, load_settings
from imgproc.journey import delete, jobs
from imgproc.queue import pause as queue_pause
from imgproc.queue.enqueue import TAKEN
from imgproc.worker import exporter, sweeper
from imgproc.worker.pool import CONNECTIONS, Pool


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    default=TAKEN,
    type=click.Choice(TAKEN),
    help="Only take jobs of this queue; may be given several times. WORKERS threads in WORKER_PROCESSES take "
    "`express` and `bulk`, another process `deliveries`. Default: all queues.",
)
def worker(*, queues: tuple[str, ...]) -> None:
    """Run a pool of worker processes until SIGTERM."""
    settings = load_settings()
    run_pool(create_app(settings, connections=CONNECTIONS), settings=settings, queues=queues)


def run_pool(app: Flask, *, settings: Settings, queues: Collection[str] = TAKEN) -> None:
    """Run a pool of worker processes with `app` until SIGTERM."""
    Pool(app, jobs=jobs, settings=settings, queues=queues).start(logging_level="WARNING")


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.1), help="Go on by itself after this time.")
def pause(*, minutes: float | None) -> None:
    """Let all workers, on all hosts, finish what they do and take no further jobs.

    Uploads are accepted meanwhile, and wait. A Redis that loses its data ends the pause.
    """
    with create_app(load_settings()).app_context():
        queue_pause.pause(seconds=None if minutes is None else round(60 * minutes))
    until = f"for {minutes:g} {'minute' if minutes == 1 else 'minutes'}" if minutes else "until imgproc resume"
    click.echo(f"All workers are paused {until}. What they do now, they finish.")


@click.command()
def resume() -> None:
    """Let paused workers take jobs again, within some seconds."""
    with create_app(load_settings()).app_context():
        was_paused = queue_pause.resume()
    click.echo("The workers go on." if was_paused else "The workers were not paused.")


@click.command()
@click.option("--loop", is_flag=True, help="Repeat every SWEEP_INTERVAL seconds, until SIGTERM.")
def sweep(*, loop: bool) -> None:
    """Repair what a crash left undone: one pass, or a loop."""
    settings = load_settings()
    app = create_app(settings)
    if loop:
        run_sweeper(app, settings=settings)
        return
    with app.app_context():
        sweeper.sweep()
        delete.remove_due()


def run_sweeper(app: Flask, *, settings: Settings) -> None:
    """Sweep with `app` every SWEEP_INTERVAL seconds until SIGTERM."""
    if settings.metrics_port:
        options = {"port": settings.metrics_port, "folder": settings.metrics_dir}
        threading.Thread(target=exporter.serve, kwargs=options, name="exporter", daemon=True).start()
    sweeper.run_forever(app, process.stop_on_signals())
    telemetry.flush()
