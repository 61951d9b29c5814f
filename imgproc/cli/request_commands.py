"""The commands about requests: follow, list, retry, cancel or delete them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import click

from imgproc.cli import reports
from imgproc.cli.listing import print_json, print_json_list, print_rows
from imgproc.cli.server_options import calls_api, console, explaining_interrupts
from imgproc.client import Client, Product, Request, Started
from imgproc.client.progress import follow
from imgproc.core.terminal import printable
from imgproc.db.statuses import ProductStatus, RequestStatus

NEWEST = 30

request_argument = click.argument("request_id")


def _limit(default: int | None, shown: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    help_ = f"At most this many. Default: {shown}."
    return click.option("-L", "--limit", type=click.IntRange(min=1), default=default, help=help_)


@click.command()
@request_argument
@click.option("--watch", is_flag=True, help="Show the progress until the request has ended.")
@calls_api
def status(client: Client, request_id: str, *, watch: bool, as_json: bool) -> None:
    """Show the status and the progress of a request."""
    if watch:
        with explaining_interrupts(request_id):
            request = follow(client, request_id, console)
    else:
        request = client.status(request_id)
    print_json(request.json) if as_json else reports.summarize(request)
    if watch:
        reports.exit_unless_complete(request)


@click.command("list")
@click.option(
    "--status",
    "wanted",
    type=click.Choice([each.value for each in RequestStatus]),
    help="Only requests with this status.",
)
@_limit(NEWEST, f"the newest {NEWEST}")
@calls_api
def list_requests(client: Client, *, wanted: str | None, limit: int, as_json: bool) -> None:
    """List your requests, newest first."""
    found = client.requests(status=wanted, limit=limit)
    if as_json:
        print_json_list(request.json for request in found)
    else:
        headings = ("REQUEST", "STATUS", "CREATED", "IMAGES", "FAILED", "FILE")
        print_rows(map(_request_row, found), headings, empty="No requests.")


def _request_row(request: Request) -> tuple[str, ...]:
    images = request.progress.images
    counts = (f"{images.completed}/{images.total}", str(images.failed))
    return request.request_id, request.status, f"{request.created_at:%Y-%m-%d %H:%M}", *counts, request.filename


@click.command()
@request_argument
@click.option(
    "--status",
    "wanted",
    type=click.Choice([each.value for each in ProductStatus]),
    help="Only products with this status.",
)
@_limit(None, "all")
@calls_api
def products(client: Client, request_id: str, *, wanted: str | None, limit: int | None, as_json: bool) -> None:
    """List the products of a request, a line for each image: where it is now, or why it failed."""
    found = client.products(request_id, status=wanted, limit=limit)
    if as_json:
        print_json_list(product.json for product in found)
    else:
        headings = ("LINE", "SERIAL", "PRODUCT", "IMAGE", "STATUS", "RESULT")
        rows = (row for product in found for row in _product_rows(product))
        print_rows(rows, headings, empty="No products.")


def _product_rows(product: Product) -> Iterator[tuple[str, ...]]:
    known = str(product.line), product.serial_number, product.product_name
    for image in product.images:
        result = f"{image.error.code}: {image.error.detail}" if image.error else image.output_url or image.source_url
        yield *known, str(image.position), image.status, result
    if not product.images:
        yield *known, "-", product.status, product.error.detail if product.error else ""


@click.command()
@request_argument
@click.option("--code", help="Only products with an image that has this error, such as timeout.")
@click.option("--host", help="Only products with a failed image of this host.")
@click.option("--wait", is_flag=True, help="Show the progress until the request has ended again.")
@calls_api
def retry(client: Client, request_id: str, *, code: str | None, host: str | None, wait: bool, as_json: bool) -> None:
    """Process the failed and cancelled images of an ended request again."""
    started = client.retry(request_id, code=code, host=host)
    if not wait:
        _report(started, "Its failed images are processed again.", as_json=as_json)
        return
    with explaining_interrupts(request_id):
        request = follow(client, request_id, console)
    print_json(request.json) if as_json else reports.summarize(request)
    reports.exit_unless_complete(request)


@click.command()
@request_argument
@calls_api
def cancel(client: Client, request_id: str, *, as_json: bool) -> None:
    """Cancel the images of a request that have not started; what is done stays."""
    _report(client.cancel(request_id), "What is done stays, and the output CSV follows.", as_json=as_json)


@click.command()
@request_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@calls_api
def delete(client: Client, request_id: str, *, yes: bool, as_json: bool) -> None:
    """Delete a request with its images and files. Their public URLs stop working."""
    if not yes:
        request = client.status(request_id)
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask on; give --yes to delete the request.")
        images = reports.many(request.progress.images.completed, "image")
        what = printable(f"the request of {request.filename} with its {images}")
        click.confirm(f"Delete {what}? Their public URLs stop working.", abort=True, err=True)
    client.delete(request_id)
    print_json({"requestId": request_id, "deleted": True}) if as_json else click.echo("Deleted.")


def _report(started: Started, text: str, *, as_json: bool) -> None:
    print_json(started.json) if as_json else click.echo(printable(f"{started.status}: {text}"))
