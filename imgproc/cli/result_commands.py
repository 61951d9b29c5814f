"""The command that saves the files of a request, and what `submit --output` shares with it."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click

from imgproc.cli.listing import print_json
from imgproc.cli.server_options import calls_api, say
from imgproc.client import Client, Request
from imgproc.core.terminal import printable
from imgproc.pipeline.storage.downloads import name_after


@click.command()
@click.argument("request_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="The file to write; `-` is standard output. Default: named after the upload.",
)
@click.option("--failed", is_flag=True, help="Only the failed and skipped rows, with their errors.")
@click.option("--xlsx", is_flag=True, help="The workbook of an upload with `--output-format xlsx`.")
@click.option("--force", is_flag=True, help="Replace the file, if it exists.")
@calls_api
def download(
    client: Client, request_id: str, *, output: str | None, failed: bool, xlsx: bool, force: bool, as_json: bool
) -> None:
    """Save the output file of an ended request and print its path."""
    if failed and xlsx:
        raise click.UsageError("The failed rows are a CSV; leave out --xlsx or --failed.")
    if output == "-" and as_json:
        raise click.UsageError("--output - and --json both need standard output; leave out one of them.")
    file = "failed.csv" if failed else "output.xlsx" if xlsx else "output.csv"
    request = client.status(request_id)
    target = output or name_after(request.filename, file)
    if target != "-":
        require_writable(Path(target), force=force)
    size = save(client, request, target, file=file)
    if as_json:
        print_json({"file": target, "bytes": size})
    elif target != "-":
        click.echo(printable(target))


def require_writable(target: Path, *, force: bool) -> None:
    """Refuse a path that cannot be written, before the work that would fill it.

    Raises:
        click.ClickException: it exists and may not be replaced, or we may not write to its folder.
    """
    folder = target.parent
    if target.is_dir():
        raise click.ClickException(f"{printable(str(target))} is a folder; name a file in it.")
    if target.exists() and not target.is_file():
        return  # a device or a pipe
    if not folder.is_dir():
        raise click.ClickException(f"There is no folder {printable(str(folder))}; make it first.")
    if target.exists() and not force:
        raise click.ClickException(f"{printable(str(target))} exists; give --force to replace it, or another --output.")
    if not os.access(folder, os.W_OK):
        raise click.ClickException(f"You may not write to the folder {printable(str(folder))}; choose another.")


def save(client: Client, request: Request, target: str, *, file: str) -> int:
    """Save a file of the request to a path, or to standard output for `-`. Returns the number of bytes."""
    try:
        if target == "-":
            return client.download(request.request_id, sys.stdout.buffer, file=file)
        size = client.download(request.request_id, target, file=file)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # click ends without a word
        raise click.ClickException(f"{printable(target)} cannot be written: {error.strerror or error}.") from error
    say(f"Saved {target} ({size:,} bytes).")
    return size
