"""Buckets are created once, and the policy of the outputs bucket keeps what others have put into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from imgproc.core.errors import StorageUnavailable
from imgproc.pipeline.storage import buckets
from imgproc.pipeline.storage.store import Store
from tests.support.s3 import s3_server

PUBLISHED = json.loads((Path(__file__).parents[2] / "minio/outputs-public-read.json").read_text())
OTHER = {"Sid": "Audit", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::a/*"}


def store_at(endpoint: str, *, outputs: str = "outputs", key: str = "id", secret: str = "secret") -> Store:
    """A store on a test's server."""
    return Store(
        endpoint_url=endpoint,
        access_key_id=key,
        secret_access_key=secret,
        region="us-east-1",
        originals_bucket="originals",
        outputs_bucket=outputs,
        public_url=f"{endpoint}/{outputs}",
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server that has bucket policies."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_creates_a_bucket_once(endpoint: str, region: str) -> None:
    """AWS wants a constraint for every region but its first."""
    store, bucket = store_at(endpoint), f"bucket-{region}"
    assert [buckets.create(store, bucket, region=region) for _ in range(2)] == [True, False]


def test_the_policy_is_the_published_one(endpoint: str) -> None:
    """Everyone may get an object, as compose's policy says; a second time changes nothing."""
    store = store_at(endpoint)
    buckets.create(store, "opened", region="us-east-1")
    assert [buckets.open_to_readers(store, "opened") for _ in range(2)] == [True, False]
    policy = store.client().get_bucket_policy(Bucket="opened")["Policy"]
    assert json.loads(policy.replace("opened", "outputs")) == PUBLISHED


def test_the_policy_keeps_the_statements_of_others(endpoint: str) -> None:
    """Ours is added to them."""
    store, policy = store_at(endpoint), {"Version": "2012-10-17", "Statement": [OTHER]}
    buckets.create(store, "shared", region="us-east-1")
    store.client().put_bucket_policy(Bucket="shared", Policy=json.dumps(policy))
    buckets.open_to_readers(store, "shared")
    policy = json.loads(store.client().get_bucket_policy(Bucket="shared")["Policy"])
    assert policy["Statement"] == [OTHER, buckets.public_read("shared")]


def test_a_store_that_refuses_is_reported(tmp_path: Path) -> None:
    """The message names the bucket, and what to check."""
    with s3_server(tmp_path / "objects") as server, pytest.raises(StorageUnavailable, match="create the bucket new"):
        buckets.create(store_at(server.endpoint, secret="wrong"), "new", region="us-east-1")


def test_a_store_without_policies_is_reported(tmp_path: Path) -> None:
    """The embedded one has none; its web process serves the outputs."""
    (tmp_path / "objects" / "outputs").mkdir(parents=True)
    with s3_server(tmp_path / "objects") as server:
        store = store_at(server.endpoint, key=server.access_key, secret=server.secret)
        with pytest.raises(StorageUnavailable, match="has no bucket policies"):
            buckets.open_to_readers(store, "outputs")


def test_a_probe_leaves_nothing(endpoint: str) -> None:
    """Its object is in both buckets only while it is looked at."""
    store = store_at(endpoint, outputs="probed")
    for bucket in store.buckets:
        buckets.create(store, bucket, region="us-east-1")
    with buckets.probe(store) as key:
        assert store.client().get_object(Bucket="probed", Key=key)["Body"].read() == buckets.PROBE
    with pytest.raises(StorageUnavailable, match="store an object"), buckets.probe(store_at(endpoint, outputs="none")):
        pass
    assert all(store.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0 for bucket in store.buckets)
