"""Callers with keys of their own, whose webhooks all go to one receiver."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import requests

from benchmarks.hosts.uploads import of_one_host
from imgproc.api.api_keys import create_key
from imgproc.app import create_app
from imgproc.db.engine import db
from imgproc.pipeline.notify import generate_secret
from tests.support.stack import Stack

AT_ONCE = 8  # uploads
TIMEOUT = 240.0


class Upload(NamedTuple):
    """One upload: the key of its caller, and its request."""

    key: str
    request_id: str


def uploaded(stack: Stack, *, host: str, webhook: str, callers: int, each: int) -> list[Upload]:
    """Let so many callers upload so many files of one picture each, with this webhook; wait until all have ended."""
    keys = _keys(stack, callers)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        uploads = list(threads.map(partial(_upload, stack, host, webhook), keys * each, range(callers * each)))
        deadline = time.monotonic() + TIMEOUT
        while not all(threads.map(partial(_is_announced, stack), uploads)) and time.monotonic() < deadline:
            time.sleep(1)
    return uploads


def announce_again(stack: Stack, uploads: Sequence[Upload]) -> None:
    """Let every webhook be sent once more."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(partial(_redeliver, stack), uploads))


def _keys(stack: Stack, count: int) -> list[str]:
    app = create_app(stack.settings())
    with app.app_context():
        keys = [create_key(f"caller {number}", webhook_secret=generate_secret()) for number in range(count)]
        db.engine.dispose()
    return keys


def _upload(stack: Stack, host: str, webhook: str, key: str, number: int) -> Upload:
    files = {"file": ("products.csv", of_one_host(host, 1, tag=f"webhook-{number}"))}
    answer = _call(stack, key, "post", "/api/upload", files=files, data={"webhookUrl": webhook})
    return Upload(key, answer["requestId"])


def _is_announced(stack: Stack, upload: Upload) -> bool:
    webhook = _call(stack, upload.key, "get", f"/api/status/{upload.request_id}")["webhook"]
    return bool(webhook["status"] == "delivered")


def _redeliver(stack: Stack, upload: Upload) -> None:
    path = f"/api/requests/{upload.request_id}/deliveries"
    for delivery in _call(stack, upload.key, "get", path)["items"]:
        _call(stack, upload.key, "post", f"{path}/{delivery['id']}/redeliver")


def _call(stack: Stack, key: str, method: str, path: str, **given: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    response = requests.request(method, f"{stack.url}{path}", headers=headers, timeout=TIMEOUT, **given)
    assert response.ok, response.text
    body: dict[str, Any] = response.json()
    return body
