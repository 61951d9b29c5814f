"""The texts about a request and about the reading of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from imgproc.cli.server_options import say
from imgproc.client import Fault, Request, Validation
from imgproc.client.progress import duration
from imgproc.core.terminal import printable

SOME_FAILED = 5  # exit status
MOST_REMARKS = 10
OUR_COLUMNS = {"serialNumber": "serial number", "productName": "product name", "inputImageUrls": "image URLs"}


def summarize(request: Request, *, err: bool = False) -> None:
    """The state of a request, its counts, and where its files are."""
    images = request.progress.images
    counts = f"{images.completed} of {images.total} images, {images.failed} failed"
    click.echo(printable(f"{request.status}: {counts}"), err=err)
    facts = {
        "file": request.filename,
        "reference": request.reference,
        "time left": not request.ended and request.progress.eta_seconds and duration(request.progress.eta_seconds),
        "error": request.error and request.error.detail,
        "saved": None if request.bytes.saved_percent is None else f"{request.bytes.saved_percent}% of the bytes",
        "output CSV": request.output_csv_url,
        "output workbook": request.output_xlsx_url,
        "failed rows": request.failed_csv_url,
        "webhook": request.webhook and f"{request.webhook.status}, {request.webhook.url}",
    }
    for name, fact in facts.items():
        if fact:
            click.echo(printable(f"{name}: {fact}"), err=err)
    for each in request.waiting:
        until = f"{each.until:%H:%M:%S} UTC"
        products = many(each.products, "product")
        text = f"waiting: {products} for {each.host} ({each.reason}) until {until}"
        click.echo(printable(text), err=err)
    if images.failed and request.ended:
        say(f"Why they failed: imgproc products {request.request_id} --status failed")


def exit_unless_complete(request: Request) -> None:
    """End with status 5 where some images failed, and with 1 where all did or the request was cancelled."""
    if request.status != "completed":
        raise click.exceptions.Exit(SOME_FAILED if request.status == "completed_with_errors" else 1)


def say_reading(reading: dict[str, Any] | None, errors: Sequence[Fault]) -> None:
    """Tell on standard error what the reader decided, and which rows it skips."""
    notes = (reading or {}).get("notes", [])
    remarks = [_note(note) for note in notes] + [f"skipped, {fault.place}: {fault.detail}" for fault in errors]
    for remark in remarks[:MOST_REMARKS]:
        say(remark)
    if len(remarks) > MOST_REMARKS:
        say(f"... and {len(remarks) - MOST_REMARKS} more; imgproc validate shows all of them.")


def explain_reading(found: Validation) -> None:
    """How a file would be read: its kind, columns, counts, notes and errors."""
    counts, reading = found.counts, found.reading
    verdict = "can be submitted" if found.valid else "cannot be submitted"
    lines = [f"{found.filename} {verdict}."]
    if reading:
        facts = [reading["kind"], reading["sheet"] and f"sheet {reading['sheet']}", found.encoding]
        lines.append(f"read as: {', '.join(filter(None, facts))}, header in line {reading['headerLine']}")
        for name, text in OUR_COLUMNS.items():
            heading = reading["columns"][name]
            lines.append(f"{text}: {heading if isinstance(heading, str) else ', '.join(heading)}")
        amounts = [many(counts.rows, "row"), many(counts.products, "product"), many(counts.images, "image")]
        amounts += [f"{many(counts.skipped_rows, 'row')} skipped"] if counts.skipped_rows else []
        lines.append(f"found: {', '.join(amounts)}")
        lines += [_note(note) for note in reading["notes"]]
    lines += [f"error, {fault.place}: {fault.detail}" for fault in found.errors]
    if found.errors_truncated:
        lines.append("... and more errors")
    for line in lines:
        click.echo(printable(line))


def many(count: int, noun: str) -> str:
    """A number of things, such as `1 row` or `2 rows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _note(note: dict[str, Any]) -> str:
    place = f", line {note['line']}" if note["line"] else ""
    return f"note{place}: {note['detail']}"
