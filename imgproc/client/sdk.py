"""`Client`: one method for each call of the API."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any, TypeVar
from urllib.parse import quote

from imgproc.client import form
from imgproc.client.answers import Accepted, Delivery, Page, Ping, Product, Request, Started, Validation
from imgproc.client.api_errors import ApiError, Json, NoAnswer, is_outage, retry_after
from imgproc.client.from_json import read
from imgproc.client.saving import save
from imgproc.client.transport import OnPause, Transport
from imgproc.core.config import load_settings
from imgproc.embedded.ports import local_url

TIMEOUT = 120.0  # seconds: the server may wait for its turn, and then read a large file
RETRIES = 4
MOST_POLL_SECONDS = 2.0
PAGE = 500  # products; the most that a page of them holds
OUTAGE_PATIENCE = 600.0  # seconds for which `watch` waits for a server that is away

File = str | os.PathLike[str] | IO[bytes]
Option = str | int | float | bool | Mapping[str, Any] | list[Any] | None
Kind = TypeVar("Kind")


class Client:
    """Calls the API at `url`, with an API `key` where the server requires one. Threads need a client each.

    A call that fails on the way, or that the server asks to repeat later, is sent again up to `retries` times where
    that cannot do anything twice. `timeout` is in seconds without a byte. `on_pause` is called with the error and the
    seconds before each further try.

    Every method raises ApiError where the API refuses the call, and NoAnswer where nothing answers.

    Raises:
        ValueError: the address or the key is malformed.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        on_pause: OnPause | None = None,
    ) -> None:
        self._transport = Transport(url, key=key, timeout=timeout, retries=retries, on_pause=on_pause)

    @classmethod
    def from_environment(
        cls, *, url: str | None = None, key: str | None = None, on_pause: OnPause | None = None
    ) -> Client:
        """A client of IMGPROC_URL, else of the stack that runs in DATA_DIR, with the key IMGPROC_API_KEY.

        Raises:
            imgproc.core.config.ConfigError: a setting cannot be used.
        """
        settings = load_settings()
        url = url or settings.imgproc_url or local_url(settings)
        return cls(url, key=key or settings.imgproc_api_key or settings.api_key, on_pause=on_pause)

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._transport.url

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def submit(
        self,
        file: File,
        *,
        idempotency_key: str | None = None,
        on_progress: form.Progress | None = None,
        **options: Option,
    ) -> Accepted:
        """Upload a file: a path, or a stream of bytes.

        `options` are those of `POST /api/upload`, in snake case: `quality="smart"`, `max_width=1200`. A failed upload
        is sent again under the same `Idempotency-Key`, so that it makes one request; give `idempotency_key` to be as
        safe from a restart of your own program. `on_progress` is called with the bytes sent so far and the total.

        Raises:
            OSError: the file cannot be read.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4()) if idempotency_key is None else idempotency_key}
        return self._upload(Accepted, "/api/upload", file, options, headers=headers, on_progress=on_progress)

    def validate(self, file: File, *, on_progress: form.Progress | None = None, **options: Option) -> Validation:
        """How a file would be read, and all its errors; changes nothing. The options are those of `submit`.

        Raises:
            OSError: the file cannot be read.
        """
        return self._upload(Validation, "/api/validate", file, options, headers={}, on_progress=on_progress)

    def status(self, request_id: str) -> Request:
        """A request as it is now."""
        return self._read(Request, "GET", f"/api/status/{_segment(request_id)}")

    def watch(self, request_id: str, *, timeout: float | None = None) -> Iterator[Request]:
        """Yield the request as often as the server suggests, until it has ended.

        Once the server has answered, an outage of less than ten minutes is waited out.

        Raises:
            TimeoutError: it has not ended after `timeout` seconds; it goes on.
        """
        give_up, path = 0.0, f"/api/status/{_segment(request_id)}"
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            pause: float = MOST_POLL_SECONDS
            try:
                body, response = self._transport.read("GET", path)
            except ApiError as error:
                if not is_outage(error) or time.monotonic() > give_up:
                    raise
            else:
                give_up = time.monotonic() + OUTAGE_PATIENCE
                request = self._value(Request, body)
                yield request
                if request.ended:
                    return
                suggested = retry_after(response)
                pause = min(1.0 if suggested is None else suggested, MOST_POLL_SECONDS)
            if time.monotonic() >= end:
                raise TimeoutError(f"The request {request_id} has not ended after {timeout:g} s; it goes on.")
            time.sleep(min(pause, max(0.0, end - time.monotonic())))

    def wait(self, request_id: str, *, timeout: float | None = None) -> Request:
        """Wait until the request has ended, and return it; see `watch`."""
        return deque(self.watch(request_id, timeout=timeout), maxlen=1).pop()

    def requests(self, *, status: str | None = None, limit: int | None = None) -> Iterator[Request]:
        """Your requests, newest first, page by page as they are asked for."""
        return self._pages(Request, "/api/requests", status=status, limit=limit)

    def products(self, request_id: str, *, status: str | None = None, limit: int | None = None) -> Iterator[Product]:
        """The products of a request with their images, in row order, page by page as they are asked for."""
        path = f"/api/requests/{_segment(request_id)}/products"
        return self._pages(Product, path, status=status, limit=limit)

    def download(self, request_id: str, to: str | os.PathLike[str] | IO[bytes], *, file: str = "output.csv") -> int:
        """Write a file of an ended request to a path or a stream: `output.csv`, `output.xlsx` or `failed.csv`.

        Nothing is written before the whole file has arrived. A file at the path is replaced. Returns its size.

        Raises:
            OSError: it cannot be written.
        """
        path = f"/api/requests/{_segment(request_id)}/{_segment(file)}"
        return save(self._transport, path, to)

    def retry(self, request_id: str, *, code: str | None = None, host: str | None = None) -> Started:
        """Process the failed and cancelled images again; with a `code` or `host`, those of products that failed so."""
        chosen = {name: value for name, value in (("code", code), ("host", host)) if value is not None}
        return self._act(request_id, "retry", params=chosen)

    def cancel(self, request_id: str) -> Started:
        """Cancel the images that have not started; what is done stays."""
        return self._act(request_id, "cancel")

    def delete(self, request_id: str) -> None:
        """Delete a request, its rows and its objects."""
        self._transport.send("DELETE", f"/api/requests/{_segment(request_id)}", repeatable=False)

    def deliveries(self, request_id: str, *, limit: int | None = None) -> Iterator[Delivery]:
        """The webhooks of a request with their attempts, newest first, page by page as they are asked for."""
        path = f"/api/requests/{_segment(request_id)}/deliveries"
        return self._pages(Delivery, path, status=None, limit=limit, page=50)

    def redeliver(self, request_id: str, delivery_id: str) -> Started:
        """Send a webhook again under the same `webhook-id`."""
        return self._act(request_id, f"deliveries/{_segment(delivery_id)}/redeliver")

    def test_webhook(self, url: str) -> Ping:
        """Let the server send a signed ping to a receiver, and tell what came back."""
        return self._read(Ping, "POST", "/api/webhooks/test", json={"url": url}, repeatable=False)

    def ready(self) -> None:
        """Return if the server is ready.

        Raises:
            ApiError: `not_ready`; the detail names the services that it cannot reach.
        """
        self._transport.read("GET", "/readyz")

    def _act(self, request_id: str, action: str, **parts: Any) -> Started:
        return self._read(Started, "POST", f"/api/requests/{_segment(request_id)}/{action}", repeatable=False, **parts)

    def _read(self, kind: type[Kind], method: str, path: str, **parts: Any) -> Kind:
        return self._value(kind, self._transport.read(method, path, **parts)[0])

    def _value(self, kind: type[Kind], given: Json) -> Kind:
        try:
            return read(kind, given)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            detail = f"{self.url} answers otherwise than this version of the client expects; use the server's version."
            raise NoAnswer(f"{detail} ({type(error).__name__}: {error})") from error

    def _upload(
        self,
        kind: type[Kind],
        path: str,
        file: File,
        options: Mapping[str, Option],
        *,
        headers: dict[str, str],
        on_progress: form.Progress | None,
    ) -> Kind:
        with form.opened(file) as (content, name):
            body = form.Form(content, filename=name, options=form.parts_of(options), on_progress=on_progress)
            return self._read(kind, "POST", path, data=body, headers={**headers, "Content-Type": body.content_type})

    def _pages(
        self, kind: type[Kind], path: str, *, status: str | None, limit: int | None, page: int = PAGE
    ) -> Iterator[Kind]:
        query: dict[str, str | int] = {"status": status} if status else {}
        left = limit
        while left is None or left > 0:
            query["limit"] = page if left is None else min(left, page)
            found = self._value(Page, self._transport.read("GET", path, params=query)[0])
            yield from (self._value(kind, each) for each in found.items)
            left = None if left is None else left - len(found.items)
            if found.next_cursor is None:
                return
            query["cursor"] = found.next_cursor


def _segment(text: str) -> str:
    """A part of a path that cannot lead to another path."""
    return quote(text, safe="")
