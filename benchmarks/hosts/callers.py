"""Callers with keys of their own, whose webhooks all go to one receiver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from benchmarks.hosts.uploads import of_one_host
from imgproc.api.api_keys import create_key
from imgproc.app import create_app
from imgproc.db.engine import db
from imgproc.pipeline.notify import generate_secret
from tests.support.stack import Stack

AT_ONCE = 8  # uploads
TIMEOUT = 120.0


def announce(stack: Stack, *, host: str, webhook: str, callers: int, each: int) -> None:
    """Let so many callers upload so many files of one picture each, with this webhook."""
    keys = _keys(stack, callers)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for answer in [threads.submit(_upload, stack, key, host, webhook, n) for n in range(each) for key in keys]:
            answer.result()


def _keys(stack: Stack, count: int) -> list[str]:
    app = create_app(stack.settings())
    with app.app_context():
        keys = [create_key(f"caller {number}", webhook_secret=generate_secret()) for number in range(count)]
        db.engine.dispose()
    return keys


def _upload(stack: Stack, key: str, host: str, webhook: str, number: int) -> None:
    files = {"file": ("products.csv", of_one_host(host, 1, tag=f"{key[-6:]}-{number}"))}
    headers = {"Authorization": f"Bearer {key}"}
    response = requests.post(
        f"{stack.url}/api/upload", files=files, data={"webhookUrl": webhook}, headers=headers, timeout=TIMEOUT
    )
    assert response.status_code == 202, response.text
