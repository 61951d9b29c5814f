"""Deletes the objects below a prefix, in a bucket that keeps versions too: no version and no delete marker is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from botocore.exceptions import ClientError

from imgproc.core.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteMarkerEntryTypeDef, ObjectIdentifierTypeDef, ObjectVersionTypeDef

# Answers of servers that keep no versions, and of those whose policy does not let us list them.
NO_VERSIONS = {"AccessDenied", "NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "501", "405", "403"}
_KEPT = (
    "The bucket keeps versions. Give the S3 user s3:ListBucketVersions and s3:DeleteObjectVersion, as "
    "minio/worker-policy.json does."
)

log = structlog.get_logger(__name__)


def delete_page(s3: S3Client, bucket: str, prefix: str) -> bool:
    """Delete up to 1,000 objects or versions whose keys start with `prefix`; False if more are left.

    A plain deletion in a bucket with versions only hides an object: everyone who knows its version could still get it.

    Raises:
        StorageUnavailable: the server refused to delete some of them.
        botocore.exceptions.BotoCoreError, ClientError: a call failed.
    """
    found, more = _versions(s3, bucket, prefix)
    versions_listed = bool(found)
    if not found:  # a server that keeps no versions may list none
        found, more = _objects(s3, bucket, prefix)
    if found and _delete(s3, bucket, found):
        if versions_listed:
            return False
        log.error("versions_kept", bucket=bucket, prefix=prefix, detail=_KEPT)
    return not more


def _delete(s3: S3Client, bucket: str, found: list[ObjectIdentifierTypeDef]) -> bool:
    """Delete a page: it holds up to 1,000 keys, and so does a deletion. True if the server only hid some objects."""
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": found})
    if kept := answer.get("Errors"):
        raise StorageUnavailable(
            f"The object store kept {len(kept)} objects ({kept[0].get('Code')}); give its user the rights of "
            "minio/worker-policy.json."
        )
    return any(each.get("DeleteMarker") and "VersionId" not in each for each in answer.get("Deleted", ()))


def _versions(s3: S3Client, bucket: str, prefix: str) -> tuple[list[ObjectIdentifierTypeDef], bool]:
    """A page of versions and delete markers, and whether there are more; none where the server lists no versions."""
    try:
        page = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    except ClientError as error:
        if error.response["Error"].get("Code") in NO_VERSIONS:
            return [], False
        raise
    markers = [_identifier(each) for each in page.get("DeleteMarkers", ())]
    return [*map(_identifier, page.get("Versions", ())), *markers], page["IsTruncated"]


def _identifier(listed: ObjectVersionTypeDef | DeleteMarkerEntryTypeDef) -> ObjectIdentifierTypeDef:
    """What to delete. Without versions, objects are listed as `null`, and deleting them takes no right to versions."""
    if listed["VersionId"] == "null" and listed["IsLatest"] and "Size" in listed:
        return {"Key": listed["Key"]}
    return {"Key": listed["Key"], "VersionId": listed["VersionId"]}


def _objects(s3: S3Client, bucket: str, prefix: str) -> tuple[list[ObjectIdentifierTypeDef], bool]:
    """A page of objects, and whether there are more."""
    page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [{"Key": each["Key"]} for each in page.get("Contents", ())], page["IsTruncated"]
