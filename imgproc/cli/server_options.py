"""What the commands that call the API have in common: their options, the client, and the help after Ctrl-C."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

from imgproc.client import ApiError, Client
from imgproc.client.progress import duration
from imgproc.core.terminal import printable

JSON_WANTED = "imgproc.json"  # in the meta of click's context, for the messages of errors
INTERRUPTED = 130  # as shells say it: 128 + SIGINT

# Progress and remarks go to standard error, so that standard output has the result alone.
console = Console(stderr=True, highlight=False)


def _remember(context: click.Context, _option: click.Parameter, wanted: bool) -> bool:
    context.meta[JSON_WANTED] = wanted
    return wanted


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_remember,
    help="Print the API's answer as JSON, and an error as JSON on standard error.",
)


def calls_api(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that calls the API. The command gets the client first, then `as_json`."""

    @functools.wraps(command)
    def run(*arguments: Any, url: str | None, key: str | None, **options: Any) -> None:
        try:
            client = Client.from_environment(url=url, key=key, on_pause=_say_pause)
        except ValueError as error:
            raise click.UsageError(printable(str(error))) from error
        try:
            with client:
                command(client, *arguments, **options)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click ends without a word
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(printable(f"{place}{error.strerror or error}.")) from error

    url_help = "Where imgproc runs. Default: IMGPROC_URL, else the stack that runs in DATA_DIR, else HOST and PORT."
    key_help = "API key, where the server requires one. Prefer IMGPROC_API_KEY, which no process list shows."
    for option in (
        click.option("--key", help=key_help),
        click.option("--url", help=url_help),
        json_option,
    ):
        run = option(run)
    return run


def _say_pause(error: ApiError, pause: float) -> None:
    say(f"{error.detail} The next try is in {duration(round(pause))}." if pause >= 1 else error.detail)


def say(text: str) -> None:
    """Tell the user something that is not the result: on standard error, on one line."""
    console.print(printable(text), markup=False, soft_wrap=True)


@contextmanager
def explaining_interrupts(request_id: str) -> Iterator[None]:
    """After Ctrl-C in the body, say that the request goes on, and how to come back to it."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"The request {request_id} goes on. Watch it with imgproc status --watch {request_id},")
        say(f"or stop it with imgproc cancel {request_id}.")
        raise click.exceptions.Exit(INTERRUPTED) from None
