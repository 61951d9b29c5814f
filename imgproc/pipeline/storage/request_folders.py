"""Lists the requests that have objects in a bucket, by the first part of their keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from imgproc.pipeline.storage.storage_errors import storage_errors
from imgproc.pipeline.storage.store import Store


def request_folders(store: Store, bucket: str) -> Iterator[list[str]]:
    """The ids of the requests that have objects in a bucket, in pages.

    Raises:
        StorageUnavailable: the store refuses, or cannot be reached.
    """
    with storage_errors(f"list {bucket}"):
        listing = store.client().get_paginator("list_objects_v2")
        for page in listing.paginate(Bucket=bucket, Prefix=store.prefix, Delimiter="/"):
            found = (each["Prefix"] for each in page.get("CommonPrefixes", ()))
            yield [each.removeprefix(store.prefix).rstrip("/") for each in found]


def newest_object(store: Store, bucket: str, request_id: str) -> tuple[int, datetime | None]:
    """How many of a request's objects a page lists, and when the newest of them was stored; None if there is none.

    Raises:
        StorageUnavailable: the store refuses, or cannot be reached.
    """
    with storage_errors(f"list {bucket}"):
        page = store.client().list_objects_v2(Bucket=bucket, Prefix=store.full_key(f"{request_id}/"))
    listed = page.get("Contents", ())
    return len(listed), max((each["LastModified"] for each in listed), default=None)
