"""`make demo`: shows the whole journey on a stack of its own, and leaves nothing behind."""

from __future__ import annotations

import io
import queue
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from PIL import Image
from rich.console import Console
from rich.table import Table
from rich.text import Text
from standardwebhooks import Webhook, WebhookVerificationError

from imgproc.client import ApiError, Client, Product, Request
from imgproc.client.progress import follow
from imgproc.core.config import UNSET_SETTINGS, Settings, load_settings
from imgproc.core.terminal import printable, printable_lines
from imgproc.demo.catalogue import PICTURES, catalogue_csv
from imgproc.demo.site import Site, serve_site
from imgproc.embedded.ports import DEMO_PORTS, free_port, is_ready, local_url
from imgproc.embedded.supervisor import Service, Supervisor, tail

WEBHOOK_SECONDS = 60


class DemoFailed(Exception):
    """A step of the demo failed. The message says which, and ends with the last lines of the stack's log."""


def run_demo(console: Console) -> None:
    """Start a stack, process the sample products, check every result and stop everything.

    Raises:
        DemoFailed: a step gave a wrong result.
        ServiceFailed: the stack did not start.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # run every `finally` on the way out
    with tempfile.TemporaryDirectory(prefix="imgproc-demo-") as name, serve_site(PICTURES) as site:
        folder = Path(name)
        console.print("Starting a stack for the demo: Redis, S3, database, web, workers ...")
        with _running_stack(folder) as settings:
            try:
                _show_journey(console, folder, site, settings)
            except (DemoFailed, ApiError, OSError) as error:
                raise DemoFailed(f"{error}\nThe last lines of the stack's log:{tail(folder / 'stack.log')}") from error
    console.print("[bold green]The demo worked from end to end.[/]")


@contextmanager
def _running_stack(folder: Path) -> Iterator[Settings]:
    """A stack as `up` starts it, without the settings of this environment, and allowed to download from loopback."""
    given = {"DATA_DIR": str(folder / "var"), "PORT": str(free_port(DEMO_PORTS)), "ALLOWED_NETWORKS": "127.0.0.0/8"}
    environ = UNSET_SETTINGS | given
    url = local_url(load_settings(environ))
    stack = Service(
        "the stack",
        [sys.executable, "-m", "imgproc", "up"],
        environ=environ,
        log_file=folder / "stack.log",
        ready=lambda: is_ready(url),
        ready_timeout=180,
    )
    with Supervisor(threading.Event(), stop_timeout=30) as supervisor:
        supervisor.start(stack)
        yield load_settings(environ)


def _show_journey(console: Console, folder: Path, site: Site, settings: Settings) -> None:
    client = Client(local_url(settings))
    upload = folder / "sample.csv"
    upload.write_text(catalogue_csv(f"{site.url}/pictures"))
    console.print(f"Uploading {upload.name} to {local_url(settings)}/api/upload")
    request_id = client.submit(upload, webhook_url=f"{site.url}/webhook").request_id
    request = follow(client, request_id, console)
    products = list(client.products(request_id))
    console.print(_results(products))
    _require_completed(request, products)
    output_csv = _get(request.output_csv_url or "").decode()
    console.print("\nThe output CSV:", style="bold")
    console.out(printable_lines(output_csv.replace("\r\n", "\n")))
    _check_pictures(products)
    console.print(f"{request.progress.images.total} public URLs serve a JPEG of half the width and height.")
    _verify_webhook(site, settings, request_id)
    console.print("The webhook is verified.")


def _results(products: list[Product]) -> Table:
    table = Table("Product", "Images", title="Results")
    for heading in ("Bytes before", "Bytes after", "Saved"):
        table.add_column(heading, justify="right")
    for product in products:
        done = [image for image in product.images if image.status == "completed"]
        before = sum(image.source.bytes for image in done if image.source)
        after = sum(image.output.bytes for image in done if image.output)
        saved = f"{100 * (before - after) / before:.1f}%" if before else "-"
        images = f"{len(done)} of {len(product.images)}"
        table.add_row(Text(printable(product.product_name)), images, f"{before:,}", f"{after:,}", saved)
    return table


def _require_completed(request: Request, products: list[Product]) -> None:
    images = [image for product in products for image in product.images]
    reasons = "".join(f"\n  {image.source_url}: {image.error.detail}" for image in images if image.error)
    _require(request.status == "completed", f"The request ended {request.status}.{reasons}")


def _check_pictures(products: list[Product]) -> None:
    """Check that every public URL serves a JPEG of half the width and height of its source as displayed."""
    for image in (image for product in products for image in product.images):
        width, height = PICTURES[image.source_url.rpartition("/")[2]].size
        with Image.open(io.BytesIO(_get(image.output_url or ""))) as rendition:
            rendition.load()
            found = f"{rendition.format} {rendition.size}"
        _require(found == f"JPEG {(width // 2, height // 2)}", f"{image.output_url} serves a {found}.")


def _verify_webhook(site: Site, settings: Settings, request_id: str) -> None:
    try:
        announcement = site.announcements.get(timeout=WEBHOOK_SECONDS)
        payload = Webhook(settings.webhook_secret or "").verify(announcement.body, dict(announcement.headers))
    except queue.Empty as error:
        raise DemoFailed(f"No webhook arrived within {WEBHOOK_SECONDS} s.") from error
    except WebhookVerificationError as error:
        raise DemoFailed(f"The webhook's signature is wrong: {error}.") from error
    _require(payload["data"]["requestId"] == request_id, f"The webhook is about another request: {payload}.")


def _require(held: bool, failure: str) -> None:
    if not held:
        raise DemoFailed(failure)


def _get(url: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = False  # the stack is on this machine; no proxy reaches it
        response = session.get(url, timeout=30)
        response.raise_for_status()
        return response.content
