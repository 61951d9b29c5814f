"""Deletion from buckets that keep versions, on moto: no version is left for those who know its id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
import requests
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from imgproc.pipeline.storage import deletion
from imgproc.pipeline.storage.store import Store
from tests.support.s3 import create_buckets
from tests.support.store_operations import make_store

REQUEST_ID = "0d5b6c1a-7d0c-4f2e-8a55-3f0c2f9f7f10"
OTHER = "another-request/1/1.jpg"
KEYS = [f"{REQUEST_ID}/1/{position}-mug.jpg" for position in (1, 2)]


@pytest.fixture
def store() -> Iterator[Store]:
    """A store on an empty server: whether a bucket keeps versions cannot be taken back."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)
    store = make_store(f"http://{host}:{port}")
    create_buckets(store)
    yield store
    server.stop()


def keep_versions(store: Store, status: Literal["Enabled", "Suspended"] = "Enabled") -> None:
    """Turn versions of the outputs bucket on or, once they were on, `Suspended`."""
    store._s3().put_bucket_versioning(Bucket="outputs", VersioningConfiguration={"Status": status})


def put(store: Store, *keys: str) -> None:
    """Store a rendition under each key."""
    for key in keys:
        store.put_rendition(key, b"picture", content_type="image/jpeg")


def versions(store: Store, prefix: str) -> list[str]:
    """The keys of all versions and delete markers."""
    page = store._s3().list_object_versions(Bucket="outputs", Prefix=prefix)
    listed: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [each["Key"] for each in listed]


def delete_all(store: Store) -> None:
    """Run steps of a removal until one says that nothing is left."""
    for _ in range(5):
        if store.delete_some(REQUEST_ID):
            return
    pytest.fail("The removal does not end.")


@pytest.mark.parametrize(
    "history", ["versions", "plain, then versions", "versions, then suspended", "deleted", "plain"]
)
def test_a_removal_leaves_no_version(store: Store, history: str) -> None:
    """Whatever the bucket has been through: older versions, delete markers and `null` versions go too."""
    if history not in {"plain, then versions", "plain"}:
        keep_versions(store)
    put(store, *KEYS, OTHER)
    if history == "plain, then versions":
        keep_versions(store)
    put(store, KEYS[0])
    if history == "versions, then suspended":
        keep_versions(store, "Suspended")
        put(store, KEYS[1])
    if history == "deleted":
        store.delete_csvs(KEYS, private=False)
    delete_all(store)
    assert versions(store, REQUEST_ID) == []
    assert versions(store, OTHER) == [OTHER]


def test_a_user_who_may_not_list_versions_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects are hidden, and the log names the missing rights."""
    keep_versions(store)
    put(store, *KEYS)
    s3 = store._s3()

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectVersions")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(s3, "list_object_versions", refuse)
        assert store.delete_some(REQUEST_ID)
    assert [line["event"] for line in logs] == ["versions_kept"]
    assert logs[0]["detail"] == deletion._KEPT
    assert "s3:DeleteObjectVersion" in deletion._KEPT
    assert s3.list_objects_v2(Bucket="outputs", Prefix=REQUEST_ID)["KeyCount"] == 0
    assert versions(store, REQUEST_ID)


def test_without_versions_no_right_to_versions_is_needed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that may only s3:DeleteObject goes on deleting from a plain bucket."""
    put(store, *KEYS)
    s3, asked = store._s3(), []
    delete = s3.delete_objects

    def deleting(**arguments: Any) -> Any:
        asked.extend(arguments["Delete"]["Objects"])
        return delete(**arguments)

    monkeypatch.setattr(s3, "delete_objects", deleting)
    delete_all(store)
    assert asked == [{"Key": key} for key in KEYS]
