"""A small client of the HTTP API for the command line and the demo."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from urllib3.util import Retry

from imgproc.core.terminal import printable

ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}
TIMEOUT = 60.0
MOST_POLL_SECONDS = 2.0

Json = dict[str, Any]


class ApiError(Exception):
    """The API refused a call or did not answer. The message is the API's own, with a line for each fault."""


class Client:
    """Calls the API at `url`, with an API key if one is given.

    Proxies of the environment are not used: the API is usually on this machine.
    """

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"
        # A server may close an idle connection at the moment we use it again.
        retry = Retry(total=2, connect=0, status=0, redirect=0, allowed_methods=["GET"])
        self._session.mount(self._url, HTTPAdapter(max_retries=retry))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def submit(self, file: Path, options: dict[str, str]) -> Json:
        """Upload a file with the parts of `POST /api/upload`; returns the answer. Raises ApiError."""
        with file.open("rb") as content:
            accepted = self._call("POST", "/api/upload", files={"file": (file.name, content)}, data=options)
        return cast(Json, accepted.json())

    def status(self, request_id: str) -> Json:
        """The status of a processing request. Raises ApiError."""
        return cast(Json, self._call("GET", f"/api/status/{request_id}").json())

    def products(self, request_id: str) -> list[Json]:
        """All products of a request with their images, in row order. Raises ApiError."""
        products: list[Json] = []
        cursor = ""
        while cursor is not None:
            page = self._call(
                "GET", f"/api/requests/{request_id}/products", params={"cursor": cursor} if cursor else {}
            ).json()
            products += page["items"]
            cursor = page["nextCursor"]
        return products

    def watch(self, request_id: str) -> Iterator[Json]:
        """Yield the status as often as the server suggests, until the request has ended. Raises ApiError."""
        while True:
            response = self._call("GET", f"/api/status/{request_id}")
            status: Json = response.json()
            yield status
            if status["status"] in ENDED:
                return
            time.sleep(min(float(response.headers.get("Retry-After", 1)), MOST_POLL_SECONDS))

    def _call(self, method: str, path: str, **parts: Any) -> requests.Response:
        try:
            response = self._session.request(method, self._url + path, timeout=TIMEOUT, **parts)
        except requests.RequestException as error:
            raise ApiError(
                f"{self._url} does not answer: is imgproc running there? ({type(error).__name__})"
            ) from error
        if not response.ok:
            raise ApiError(_explain(response))
        return response


def follow(client: Client, request_id: str, console: Console) -> Json:
    """Show the progress of a request until it has ended; returns its last status. Raises ApiError.

    A terminal shows a bar; a log gets a line for each step.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TimeElapsedColumn(),
    )
    status: Json = {}
    shown = ""
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pending", total=None)
        for status in client.watch(request_id):
            images = status["progress"]["images"]
            done = images["completed"] + images["failed"]
            bar.update(
                task, description=escape(printable(status["status"])), completed=done, total=images["total"] or None
            )
            line = printable(f"{status['status']}: {done} of {images['total']} images")
            if not console.is_terminal and line != shown:
                console.print(shown := line, markup=False)
    return status


def _explain(response: requests.Response) -> str:
    """The detail of a problem document (RFC 9457), then a line for each fault that it does not name."""
    try:
        problem = cast(Json, response.json())
        detail = str(problem.get("detail") or problem["title"])
        lines = [
            f"  {_place(fault)}: {fault['detail']}" for fault in problem.get("errors", []) if _is_news(fault, detail)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {response.status_code} {response.reason}; imgproc did not send this, so check the address"
    if problem.get("errorsTruncated"):
        lines.append("  ...")
    return "\n".join([detail, *lines])


def _is_news(fault: Json, detail: str) -> bool:
    """Whether the detail does not already contain this fault, as it often does that of an option."""
    return "option" not in fault or fault["detail"] not in detail


def _place(fault: Json) -> str:
    """Where a fault is: the option, or the line of the file and its column."""
    if "option" in fault:
        return str(fault["option"])
    return f"line {fault['line']}, {fault['column']}" if fault.get("column") else f"line {fault['line']}"
