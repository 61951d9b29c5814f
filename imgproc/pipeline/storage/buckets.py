"""Creates the two buckets, lets everyone read objects of the outputs bucket, and tries out what they allow."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from imgproc.core.errors import StorageUnavailable
from imgproc.pipeline.storage.deletion import NO_VERSIONS
from imgproc.pipeline.storage.storage_errors import storage_errors
from imgproc.pipeline.storage.store import Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType

SID = "AnybodyGetsWhatTheyHaveTheUrlOf"
WORK_SID = "ImgprocKeepsReadsAndDeletes"
OBJECT_ACTIONS = [
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]
BUCKET_ACTIONS = ["s3:ListBucket", "s3:ListBucketVersions"]
DEFAULT_REGION = "us-east-1"  # the one that AWS does not take as a constraint
MISSING = {"404", "NoSuchBucket"}
NO_POLICY = {"NoSuchBucketPolicy", "404"}
FORBIDDEN = {"AccessDenied", "403"}
PROBE = b"imgproc check: this object can be deleted.\n"


def public_read(bucket: str, *, prefix: str = "") -> dict[str, Any]:
    """The statement that lets everyone get an object of the bucket by its key below `prefix`, and list none."""
    return {
        "Sid": SID + re.sub(r"[^A-Za-z0-9]", "", prefix),
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"],
    }


def for_user(bucket: str, *, prefix: str = "", principal: str) -> list[dict[str, Any]]:
    """The statements that let a user do imgproc's work, for servers where a bucket's policy gives users their rights.

    Some servers check the deletion of several objects on the bucket, AWS on each object, so both are named.
    """
    arn = f"arn:aws:s3:::{bucket}"
    statement = {"Effect": "Allow", "Principal": {"AWS": [principal]}}
    return [
        {**statement, "Sid": f"{WORK_SID}Objects", "Action": OBJECT_ACTIONS, "Resource": [arn, f"{arn}/{prefix}*"]},
        {**statement, "Sid": f"{WORK_SID}Lists", "Action": BUCKET_ACTIONS, "Resource": [arn]},
    ]


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
        ours = public_read(bucket, prefix=store.prefix)
        if any(each.get("Sid") == ours["Sid"] for each in policy["Statement"]):
            return False
        _put_policy(s3, bucket, policy, [*policy["Statement"], ours])
        return True


def grant(store: Store, bucket: str, *, principal: str) -> None:
    """Add the statements of `for_user` to the policy of a bucket; they replace those of an earlier call.

    Raises:
        StorageUnavailable: as `open_to_readers`.
    """
    with storage_errors(f"set the policy of {bucket}"):
        s3 = store.client()
        policy = _policy(s3, bucket)
        kept = [each for each in policy["Statement"] if not str(each.get("Sid")).startswith(WORK_SID)]
        _put_policy(s3, bucket, policy, [*kept, *for_user(bucket, prefix=store.prefix, principal=principal)])


def _put_policy(s3: S3Client, bucket: str, policy: dict[str, Any], statements: list[dict[str, Any]]) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy | {"Statement": statements}))


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
    """A small object in both buckets while the block runs, under a key that nothing else has; the key, without prefix.

    Raises:
        StorageUnavailable: it cannot be stored or deleted.
    """
    key = f"{uuid.uuid4()}/check.txt"
    try:
        for bucket in store.buckets:
            with storage_errors(f"store an object in {bucket}"):
                store.client().put_object(Bucket=bucket, Key=store.full_key(key), Body=PROBE, ContentType="text/plain")
    except StorageUnavailable:
        with suppress(StorageUnavailable):
            _delete(store, key)
        raise
    yield key
    _delete(store, key)


def hides_versions(store: Store, bucket: str) -> bool:
    """Whether the store lets us list no versions, so that a deletion may leave some; False where it keeps none.

    Raises:
        StorageUnavailable: it does not answer.
    """
    try:
        with storage_errors(f"list the versions of {bucket}"):
            store.client().list_object_versions(Bucket=bucket, Prefix=store.full_key("check/"), MaxKeys=1)
    except StorageUnavailable as error:
        if error.answer not in NO_VERSIONS:
            raise
        return error.answer in FORBIDDEN
    return False


def _delete(store: Store, key: str) -> None:
    for bucket in store.buckets:
        with storage_errors(f"delete an object of {bucket}"):
            store.client().delete_object(Bucket=bucket, Key=store.full_key(key))
