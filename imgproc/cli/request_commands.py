"""The commands that call the API: upload a file, follow a request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from imgproc.client import Client, Json, follow
from imgproc.core.config import load_settings
from imgproc.core.terminal import printable
from imgproc.embedded.ports import local_url
from imgproc.pipeline.images.formats import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    DEFAULT_SCALE,
    KEEP,
    MAX_QUALITY,
    MAX_SCALE,
    MIN_QUALITY,
    MIN_SCALE,
    OUTPUT_FORMATS,
    SMART,
)

PARTS = {  # of the upload, by the parameter of `submit`
    "webhook_url": "webhookUrl",
    "reference": "reference",
    "quality": "quality",
    "scale": "scale",
    "format_": "format",
    "max_width": "maxWidth",
    "max_height": "maxHeight",
    "min_side": "minSide",
    "larger": "larger",
    "invalid_rows": "invalidRows",
}

console = Console(highlight=False)


def _server_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that calls the API."""
    url_help = "Where imgproc runs. Default: IMGPROC_URL, else the stack that runs in DATA_DIR, else HOST and PORT."
    key_help = "API key, where the server requires one. Prefer API_KEY, which no process list shows."
    return click.option("--url", help=url_help)(click.option("--key", help=key_help)(command))


def _client(url: str | None, key: str | None) -> Client:
    settings = load_settings()
    return Client(url or settings.imgproc_url or local_url(settings), key=key or settings.api_key)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--webhook-url", help="URL that is called when the request ends.")
@click.option("--reference", help="Any text, such as an order number, that the status and the webhook repeat.")
@click.option(
    "--quality", help=f"Encoder quality, {MIN_QUALITY} to {MAX_QUALITY} (default {DEFAULT_QUALITY}), or {SMART}."
)
@click.option(
    "--scale", help=f"Factor on width and height, above {MIN_SCALE:g} up to {MAX_SCALE:g} (default {DEFAULT_SCALE})."
)
@click.option("--format", "format_", help=f"{', '.join(OUTPUT_FORMATS)}, or {KEEP} (default {DEFAULT_FORMAT}).")
@click.option("--max-width", help="The most pixels of width, after the scale; nothing is enlarged.")
@click.option("--max-height", help="The most pixels of height, after the scale.")
@click.option("--min-side", help="Pixels that no side is shrunk below.")
@click.option(
    "--larger", help="If an output is larger than its source: keep it (default), or store the source's picture."
)
@click.option("--invalid-rows", help="reject the whole file (default), or skip bad rows.")
@click.option("--wait", is_flag=True, help="Show the progress until the request has ended.")
@_server_options
def submit(file: Path, *, wait: bool, url: str | None, key: str | None, **options: str | None) -> None:
    """Upload FILE and print the id of the request."""
    client = _client(url, key)
    accepted = client.submit(file, {PARTS[name]: value for name, value in options.items() if value is not None})
    click.echo(printable(str(accepted["requestId"])))
    if wait:
        _conclude(follow(client, accepted["requestId"], console))


@click.command()
@click.argument("request_id")
@click.option("--watch", is_flag=True, help="Show the progress until the request has ended.")
@_server_options
def status(request_id: str, *, watch: bool, url: str | None, key: str | None) -> None:
    """Show the status and the progress of a request."""
    client = _client(url, key)
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
    """Summarize an ended request; exit with status 1 unless every image was made."""
    _summarize(status)
    if status["status"] != "completed":
        raise click.exceptions.Exit(1)
