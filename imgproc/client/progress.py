"""Shows how far a request is: a bar on a terminal, lines in a log."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column

from imgproc.client.answers import Request
from imgproc.client.sdk import Client
from imgproc.core.terminal import printable

BAR_WIDTH = 60  # columns of a terminal from which there is room for a bar
LINE_PERCENT, LINE_SECONDS = 10, 60  # what must have happened since the last line of a log for another one


def follow(client: Client, request_id: str, console: Console) -> Request:
    """Show the progress of a request until it has ended; returns its last status. Raises ApiError."""
    if is_live(console):
        return _draw(client, request_id, console)
    shown, percent, since, request = "", -LINE_PERCENT, time.monotonic(), None
    for request in client.watch(request_id):
        due = request.progress.percent - percent >= LINE_PERCENT or time.monotonic() - since >= LINE_SECONDS
        if request.status != shown or due:
            line = printable(f"{request.status}: {counts_of(request)}")
            console.print(line, markup=False, soft_wrap=True)
            shown, percent, since = request.status, request.progress.percent, time.monotonic()
    assert request is not None  # noqa: S101 - `watch` yields the last status or raises
    return request


def is_live(console: Console) -> bool:
    """Whether lines can be drawn again in their place. FORCE_COLOR makes rich take a log for a terminal."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


def counts_of(request: Request) -> str:
    """How many images are made, and how many failed, such as `12 of 40 images, 2 failed`."""
    images = request.progress.images
    failed = f", {images.failed} failed" if images.failed else ""
    return f"{images.completed} of {images.total} images{failed}"


def duration(seconds: int) -> str:
    """A time that people read at a glance, such as `40 s` or `5 min`."""
    return f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min"


def _draw(client: Client, request_id: str, console: Console) -> Request:
    text = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
    bar: tuple[ProgressColumn, ...] = (BarColumn(20),) if console.width >= BAR_WIDTH else ()
    request = None
    with Progress(*bar, text, console=console, expand=True) as progress:
        task = progress.add_task("pending", total=None)
        for request in client.watch(request_id):
            images = request.progress.images
            done = images.completed + images.failed
            progress.update(
                task, description=escape(printable(_says(request))), completed=done, total=images.total or None
            )
    assert request is not None  # noqa: S101 - `watch` yields the last status or raises
    return request


def _says(request: Request) -> str:
    """The state in one line, the most important first, because a narrow terminal cuts the rest off."""
    parts = [f"{counts_of(request)} {request.status}"]
    if request.progress.eta_seconds and not request.ended:
        parts.append(f"about {duration(request.progress.eta_seconds)} left")
    parts += [f"waiting for {each.host} ({each.reason})" for each in request.waiting[:1]]
    return ", ".join(parts)
