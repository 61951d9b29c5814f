"""Keep bytes: objects in the private originals bucket and the public outputs bucket, and their public URLs.

The only module that speaks boto3, and by `_store_images` obstore. Whatever goes wrong with the object store leaves here
as `StorageUnavailable`: wrong credentials, a missing bucket or an outage delays work and never fails a product.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from imgproc.core.errors import ImgprocError, StorageUnavailable
from imgproc.core.spool import Spool
from imgproc.pipeline.storage.clients import ClientsOfProcess
from imgproc.pipeline.storage.object_keys import input_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

MIB = 1024 * 1024

# Parts go out one after the other from the calling thread: memory stays at one part, and servers that write parts as
# they come need not hold back those that arrive early.
_TRANSFER = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, use_threads=False)

# A rerun writes a rendition again under its key and a DELETE takes it away, so caches may keep it for an hour and must
# then ask. The CSV of a retried request does change under its key, and holds what no cache on the way should keep.
_RENDITION_CACHE = "public, max-age=3600"
_CSV_HEADERS = {"ContentType": "text/csv; charset=utf-8", "CacheControl": "private, no-store"}


class Store:
    """The two buckets. Connects on first use; safe to share between threads, and across a fork until an image was put.

    `endpoint_url` None means AWS, credentials None its default chain; `public_url` is the base of public URLs; timeouts
    are seconds, per attempt, the total one of an image. Every method that talks to the server raises
    `StorageUnavailable` (retryable).
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        endpoint_url: str | None,
        access_key_id: str | None,
        secret_access_key: str | None,
        region: str,
        originals_bucket: str,
        outputs_bucket: str,
        public_url: str,
        pool_size: int = 16,
        connect_timeout: float = 5,
        read_timeout: float = 20,
        total_timeout: float = 30,
    ) -> None:
        self._originals = originals_bucket
        self._outputs = outputs_bucket
        self._public_url = public_url.rstrip("/")
        self._region = region
        self._clients = ClientsOfProcess(
            endpoint_url=endpoint_url,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            region=region,
            buckets=(originals_bucket, outputs_bucket),
            pool_size=pool_size,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            total_timeout=total_timeout,
        )

    def put_input(self, request_id: str, stream: BinaryIO) -> str:
        """Store the uploaded file, from the stream's position on, and return its key; one 8 MiB part is in memory."""
        key = input_key(request_id)
        with _storage_errors("store the uploaded file"):
            self._s3().upload_fileobj(_unclosable(stream), self._originals, key, Config=_TRANSFER)
        return key

    def open_input(self, key: str) -> BinaryIO:
        """The stored upload as a seekable file on local disk; the caller closes it.

        Raises:
            ImgprocError: `input_missing`, not retryable: the store answers, but the object is gone.
        """
        with _storage_errors("read the uploaded file"):
            s3 = self._s3()
            try:
                body = s3.get_object(Bucket=self._originals, Key=key)["Body"]
            except s3.exceptions.NoSuchKey as error:
                detail = "The uploaded file is no longer stored; upload it again."
                raise ImgprocError(detail, code="input_missing") from error
            return _spooled(body)

    def put_original(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store a source's bytes in the private bucket; the same key again replaces them."""
        with _storage_errors("store an original"):
            self._clients.get().originals.put(key, body, {"Content-Type": content_type})

    def put_rendition(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store a rendition in the public bucket; the same key again replaces it."""
        with _storage_errors("store a rendition"):
            headers = {"Content-Type": content_type, "Cache-Control": _RENDITION_CACHE}
            self._clients.get().outputs.put(key, body, headers)

    def copy_original(self, source_key: str, key: str) -> None:
        """Copy an original to another key, with its headers and without its bytes coming here."""
        with _storage_errors("copy an original"):
            self._clients.get().originals.copy(source_key, key)

    def copy_rendition(self, source_key: str, key: str) -> None:
        """Copy a rendition to another key, with its headers and without its bytes coming here."""
        with _storage_errors("copy a rendition"):
            self._clients.get().outputs.copy(source_key, key)

    def original_is(self, key: str, body: bytes) -> bool:
        """Whether the stored original is known to be `body`: by its entity-tag, which most servers make of its MD5."""
        with _storage_errors("look at an original"):
            etag = self._clients.get().originals.etag(key)
        return etag.strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()

    def put_csv(self, key: str, chunks: Iterable[bytes], *, private: bool) -> None:
        """Store a CSV in the public bucket, or in the private one.

        The chunks are gathered in a local file first, so that whatever yields them (a database cursor) has finished
        before the store is asked for anything, and memory stays bounded.
        """
        with tempfile.TemporaryFile() as spooled:
            spooled.writelines(chunks)
            spooled.seek(0)
            bucket = self._csv_bucket(private=private)
            with _storage_errors("store a CSV"):
                self._s3().upload_fileobj(spooled, bucket, key, ExtraArgs=_CSV_HEADERS, Config=_TRANSFER)

    def open_csv(self, key: str) -> StreamingBody | None:
        """A CSV of the private bucket as it comes, to be closed by the caller; None where there is none."""
        with _storage_errors("read a CSV"):
            s3 = self._s3()
            try:
                return s3.get_object(Bucket=self._originals, Key=key)["Body"]
            except s3.exceptions.NoSuchKey:
                return None

    def delete_csvs(self, keys: Iterable[str], *, private: bool) -> None:
        """Delete CSVs of the public bucket, or of the private one; what is gone already is no error."""
        with _storage_errors("delete a CSV"):
            for key in keys:
                self._s3().delete_object(Bucket=self._csv_bucket(private=private), Key=key)

    def public_url(self, key: str) -> str:
        """Where anybody can get an object of the outputs bucket."""
        return f"{self._public_url}/{quote(key)}"

    def original_url(self, key: str) -> str:
        """Where an original is, as S3 tools write it; the bucket is private, so getting it takes credentials."""
        return f"s3://{self._originals}/{key}"

    def delete_some(self, request_id: str) -> bool:
        """Delete up to 1,000 objects of a request in each bucket; False where more are left."""
        with _storage_errors("delete a request's objects"):
            emptied = [self._delete_page(bucket, f"{request_id}/") for bucket in (self._originals, self._outputs)]
            return all(emptied)

    def ensure_buckets(self) -> None:
        """Make the buckets that are missing."""
        with _storage_errors("make the buckets"):
            for bucket in (self._originals, self._outputs):
                self._ensure_bucket(bucket)

    def ping(self) -> None:
        """Return if both buckets can be reached with our credentials."""
        with _storage_errors("reach the buckets"):
            for bucket in (self._originals, self._outputs):
                self._s3().head_bucket(Bucket=bucket)

    def _csv_bucket(self, *, private: bool) -> str:
        return self._originals if private else self._outputs

    def _s3(self) -> S3Client:
        return self._clients.get().s3

    def _delete_page(self, bucket: str, prefix: str) -> bool:
        s3 = self._s3()
        # A page of a listing and a deletion hold up to 1,000 keys each.
        page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        if found := page.get("Contents"):
            keys: list[ObjectIdentifierTypeDef] = [{"Key": each["Key"]} for each in found]
            kept = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
            if kept:
                raise StorageUnavailable(f"The object store kept {len(kept)} objects ({kept[0].get('Code')}).")
        return not page["IsTruncated"]

    def _ensure_bucket(self, bucket: str) -> None:
        s3 = self._s3()
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            # us-east-1 is the default, which may not be named.
            named = self._region != "us-east-1"
            where: Any = {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if named else {}
            # Another process may have been faster.
            with suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
                s3.create_bucket(Bucket=bucket, **where)


@contextmanager
def _storage_errors(action: str) -> Iterator[None]:
    """Whatever boto3, botocore and the urllib3 below them raise becomes `StorageUnavailable`."""
    try:
        yield
    except ClientError as error:
        answer = f"{error.response['Error'].get('Code')} to {error.operation_name}"
        raise StorageUnavailable(
            f"The object store refused to {action} ({answer}); check the S3_* settings, the buckets and their policies."
        ) from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageUnavailable(
            f"The object store did not {action} ({type(error).__name__}); check that S3_ENDPOINT_URL is right and up."
        ) from error


def _unclosable(stream: BinaryIO) -> IO[bytes]:
    """The stream with `read` alone: boto3 closes what it can, but the caller's stream is the caller's to close."""
    return cast("IO[bytes]", SimpleNamespace(read=stream.read))


def _spooled(body: StreamingBody) -> BinaryIO:
    """A local copy. `SpooledTemporaryFile` would do, if it were a whole file object before Python 3.11."""
    with ExitStack() as on_error:
        local = Spool(on_error.enter_context(tempfile.TemporaryFile()))
        shutil.copyfileobj(body, local)
        local.seek(0)
        on_error.pop_all()
        return cast("BinaryIO", local)
