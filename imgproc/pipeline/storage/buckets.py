"""Creates the two buckets, lets everyone read objects of the outputs bucket, and tries out what they allow."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from imgproc.core.errors import StorageUnavailable
from imgproc.pipeline.storage.store import Store, storage_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType

SID = "AnybodyGetsWhatTheyHaveTheUrlOf"
DEFAULT_REGION = "us-east-1"  # the one that AWS does not take as a constraint
MISSING = {"404", "NoSuchBucket"}
NO_POLICY = {"NoSuchBucketPolicy", "404"}
PROBE = b"imgproc check: this object can be deleted.\n"


def public_read(bucket: str) -> dict[str, Any]:
    """The statement that lets everyone get an object of the bucket by its key, and list none."""
    return {
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }


def create(store: Store, bucket: str, *, region: str) -> bool:
    """Create a bucket; False where it exists already.

    Raises:
        StorageUnavailable: the store refuses, or cannot be reached.
    """
    with storage_errors(f"create the bucket {bucket}"):
        s3 = store.client()
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"].get("Code") not in MISSING:
                raise
        else:
            return False
        _create(s3, bucket, region)
        return True


def _create(s3: S3Client, bucket: str, region: str) -> None:
    if region == DEFAULT_REGION:
        s3.create_bucket(Bucket=bucket)
        return
    constraint: BucketLocationConstraintType = region  # type: ignore[assignment]  # other stores have regions of their own
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": constraint})


def open_to_readers(store: Store, bucket: str) -> bool:
    """Add the statement of `public_read` to the policy of a bucket; False where it is there already.

    Raises:
        StorageUnavailable: the store refuses, has no policies, or cannot be reached.
    """
    with storage_errors(f"set the policy of {bucket}"):
        s3 = store.client()
        policy = _policy(s3, bucket)
        kept = [each for each in policy["Statement"] if each.get("Sid") != SID]
        if len(kept) < len(policy["Statement"]):
            return False
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy | {"Statement": [*kept, public_read(bucket)]}))
        return True


def _policy(s3: S3Client, bucket: str) -> dict[str, Any]:
    """The policy of a bucket; one without statements where it has none."""
    try:
        policy: dict[str, Any] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error.response["Error"].get("Code") not in NO_POLICY:
            raise
        return {"Version": "2012-10-17", "Statement": []}
    except ValueError as error:  # rclone answers with a listing
        raise StorageUnavailable(f"The object store has no bucket policies, so it cannot open {bucket}.") from error
    return policy


@contextmanager
def probe(store: Store) -> Iterator[str]:
    """A small object in both buckets while the block runs, under a key that nothing else has; the key.

    Raises:
        StorageUnavailable: it cannot be stored or deleted.
    """
    key = f"{uuid.uuid4()}/check.txt"
    try:
        with storage_errors("store an object"):
            for bucket in store.buckets:
                store.client().put_object(Bucket=bucket, Key=key, Body=PROBE, ContentType="text/plain")
    except StorageUnavailable:
        with suppress(StorageUnavailable):
            _delete(store, key)
        raise
    yield key
    _delete(store, key)


def _delete(store: Store, key: str) -> None:
    with storage_errors("delete an object"):
        for bucket in store.buckets:
            store.client().delete_object(Bucket=bucket, Key=key)
