"""The commands that send a file: upload it, or only check it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from imgproc.cli import reports
from imgproc.cli.listing import print_json
from imgproc.cli.result_commands import require_writable, save
from imgproc.cli.server_options import calls_api, console, explaining_interrupts, say
from imgproc.cli.upload_parts import upload_options
from imgproc.client import Client
from imgproc.client.progress import follow, is_live
from imgproc.core.terminal import printable

SHOWN_FROM = 8 * 1024 * 1024  # bytes of a file from which its sending has a progress bar

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))


@click.command()
@file_argument
@upload_options
@click.option("--wait", is_flag=True, help="Show the progress until the request has ended.")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="Wait, then write the output to this file; `-` is standard output. A name that ends in `.xlsx` sets "
    "`--output-format xlsx`.",
)
@click.option("--force", is_flag=True, help="Replace the file of `--output`, if it exists.")
@click.option(
    "--idempotency-key", help="Any text: the same key with the same file and options gives the first request again."
)
@calls_api
def submit(
    client: Client,
    file: str,
    *,
    wait: bool,
    output: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Upload FILE and print the id of the request. `-` is standard input.

    FILE is any catalogue with image URLs: CSV, TSV, XLSX, XLS, ODS, also as .zip or .gz.
    """
    to_stdout = output == "-"
    if to_stdout and as_json:
        raise click.UsageError("--output - and --json both need standard output; leave out one of them.")
    if output and not to_stdout:
        require_writable(Path(output), force=force)
    if output and output.lower().endswith(".xlsx"):
        options["output_format"] = options["output_format"] or "xlsx"
    accepted = _send(client.submit, file, options)
    reports.say_reading(accepted.reading, accepted.errors)
    if not (output or wait):
        print_json(accepted.json) if as_json else click.echo(printable(accepted.request_id))
        return
    if not as_json:
        click.echo(printable(accepted.request_id), err=to_stdout)
    with explaining_interrupts(accepted.request_id):
        request = follow(client, accepted.request_id, console)
    if as_json:
        print_json(request.json)
    else:
        reports.summarize(request, err=to_stdout)
    if output:
        save(client, request, output, file="output.xlsx" if output.lower().endswith(".xlsx") else "output.csv")
    reports.exit_unless_complete(request)


@click.command()
@file_argument
@upload_options
@calls_api
def validate(client: Client, file: str, *, as_json: bool, **options: Any) -> None:
    """Show how FILE would be read, and every error in it; nothing is stored. `-` is standard input.

    The exit status is 1 where `submit` would refuse the file.
    """
    found = _send(client.validate, file, options)
    print_json(found.json) if as_json else reports.explain_reading(found)
    if not found.valid:
        raise click.exceptions.Exit(1)


def _send(call: Any, file: str, options: dict[str, Any]) -> Any:
    """Call `submit` or `validate` of the client; a large file gets a progress bar on a terminal."""
    content = _stdin() if file == "-" else file
    progress = Progress(TextColumn("sending"), BarColumn(20), DownloadColumn(), console=console, transient=True)
    task = progress.add_task("sending", total=None)

    def show(sent: int, size: int) -> None:
        if size >= SHOWN_FROM and is_live(console):
            progress.start()
            progress.update(task, completed=sent, total=size)

    try:
        return call(content, on_progress=show, **options)
    finally:
        if progress.live.is_started:  # otherwise it would write an empty line into a log
            progress.stop()


def _stdin() -> IO[bytes]:
    if sys.stdin is None:
        raise click.UsageError("Standard input is closed; name a file.")
    if sys.stdin.isatty():
        say("Reading the file from the terminal; end it with Ctrl-D.")
    return sys.stdin.buffer
