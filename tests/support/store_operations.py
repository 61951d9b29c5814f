"""A store with the test's keys, and each of its operations under a name."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from imgproc.pipeline.storage.object_keys import output_csv_key
from imgproc.pipeline.storage.store import Store

REQUEST_ID = "6f1c9f0e-5a55-4c1f-9d0a-0c6f7a1b2c3d"
CSV_KEY = output_csv_key(REQUEST_ID, token="c0ffee" * 5)
MIB = 1024 * 1024


def make_store(endpoint: str | None, **changes: Any) -> Store:
    """A store with the test's keys and short deadlines."""
    settings = {
        "endpoint_url": endpoint,
        "access_key_id": "test-access-key",
        "secret_access_key": "test-secret-key",
        "region": "us-east-1",
        "originals_bucket": "originals",
        "outputs_bucket": "outputs",
        "public_url": "http://public.example/outputs",
        "connect_timeout": 2,
    }
    return Store(**(settings | changes))


OPERATIONS: dict[str, Callable[[Store], Any]] = {
    "put_input": lambda store: store.put_input(REQUEST_ID, io.BytesIO(b"x" * 9 * MIB)),
    "open_input": lambda store: store.open_input(f"{REQUEST_ID}/input.csv"),
    "put_original": lambda store: store.put_original(f"{REQUEST_ID}/1/1.png", b"x", content_type="image/png"),
    "put_rendition": lambda store: store.put_rendition(f"{REQUEST_ID}/1/1-a.jpg", b"x", content_type="image/jpeg"),
    "put_csv": lambda store: store.put_csv(CSV_KEY, [b"x"], private=False),
    "put_csv, private": lambda store: store.put_csv(CSV_KEY, [b"x"], private=True),
    "open_csv": lambda store: store.open_csv(CSV_KEY),
    "delete_csvs": lambda store: store.delete_csvs([CSV_KEY], private=False),
    "delete_some": lambda store: store.delete_some(REQUEST_ID),
    "ping": lambda store: store.ping(),
}
# The operations that use obstore.
SMALL = {"put_original", "put_rendition", "open_input", "put_csv", "put_csv, private", "ping"}
