"""Stores objects in the private originals bucket and the public outputs bucket, and gives their public URLs.

Every failure of the object store becomes `StorageUnavailable`: wrong credentials, a missing bucket or an outage delays
work and never fails a product.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from urllib.parse import quote

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from imgproc.core.errors import ImgprocError
from imgproc.pipeline.storage.clients import ClientsOfProcess
from imgproc.pipeline.storage.deletion import delete_page
from imgproc.pipeline.storage.downloads import attachment, content_type_of
from imgproc.pipeline.storage.object_keys import input_key
from imgproc.pipeline.storage.object_options import KMS, ObjectOptions
from imgproc.pipeline.storage.storage_errors import storage_errors
from imgproc.pipeline.storage.streams import continued, spooled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from imgproc.pipeline.storage.small_objects import SmallObjects

MIB = 1024 * 1024

# The calling thread sends one part after the other: only one part is in memory, and servers that write parts in order
# need not buffer later ones.
_SMALL = 8 * MIB  # bytes of the first part; files with fewer are put and read by obstore
_TRANSFER = TransferConfig(multipart_threshold=_SMALL, multipart_chunksize=_SMALL, use_threads=False)
_GONE = ("NoSuchKey", "404")

# The CSV of a retried request changes under its key, and its content is private, so no cache may keep it.
_CSV_CACHE = "private, no-store"
_DEFAULTS = ObjectOptions()


class Store:
    """The two buckets. Connects on first use; threads may share it, and forked children until a small object was used.

    `endpoint_url` None means AWS, credentials None the default chain of AWS; `public_url` is the base of public URLs;
    `addressing` is `path` or `virtual`.
    Timeouts are in seconds per attempt; `total_timeout` is that of an image. Every method that calls the server raises
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
        addressing: Literal["path", "virtual"] = "path",
        session_token: str | None = None,
        options: ObjectOptions = _DEFAULTS,
        pool_size: int = 16,
        connect_timeout: float = 5,
        read_timeout: float = 20,
        total_timeout: float = 30,
    ) -> None:
        self._originals = originals_bucket
        self._outputs = outputs_bucket
        self._public_url = public_url.rstrip("/")
        self._options = options
        self._has_keys = bool(access_key_id and secret_access_key)
        self._clients = ClientsOfProcess(
            endpoint_url=endpoint_url,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            region=region,
            addressing=addressing,
            buckets=(originals_bucket, outputs_bucket),
            options=options,
            pool_size=pool_size,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            total_timeout=total_timeout,
        )

    def put_input(self, request_id: str, stream: BinaryIO) -> str:
        """Store the uploaded file from the stream's position, and return its key; takes 8 MiB of memory."""
        key = input_key(request_id)
        with storage_errors("store the uploaded file"):
            self._put_file(self._originals, key, stream, {})
        return key

    def _put_file(self, bucket: str, key: str, stream: BinaryIO, headers: dict[str, str]) -> None:
        start = stream.read(_SMALL)
        if len(start) < _SMALL:
            self._small(bucket).put(self.full_key(key), start, headers)
            return
        arguments = {name.replace("-", ""): value for name, value in headers.items()}
        arguments |= self._options.encryption_arguments
        whole = continued(start, stream)
        self._s3().upload_fileobj(whole, bucket, self.full_key(key), ExtraArgs=arguments, Config=_TRANSFER)

    def open_input(self, key: str) -> BinaryIO:
        """The stored upload as a seekable file on local disk; the caller closes it.

        Raises:
            ImgprocError: `input_missing`, not retryable: the object is gone.
        """
        with storage_errors("read the uploaded file"):
            body = self._small_input(key) or self._open(self._originals, key)
            if body is None:
                raise ImgprocError("The uploaded file is no longer stored; upload it again.", code="input_missing")
            return spooled(body)

    def _small_input(self, key: str) -> BinaryIO | None:
        """The stored upload; None if it is large, or gone."""
        try:
            small = self._small(self._originals).get(self.full_key(key), most=_SMALL)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        return None if small is None else io.BytesIO(small)

    def put_original(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store an original in the private bucket; it replaces the object under the same key."""
        with storage_errors("store an original"):
            headers = {"Content-Type": content_type} | self._image_headers
            self._small(self._originals).put(self.full_key(key), body, headers)

    def put_rendition(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store a rendition in the public bucket; it replaces the object under the same key."""
        with storage_errors("store a rendition"):
            cache = self._options.image_cache_control
            headers = {"Content-Type": content_type, "Cache-Control": cache} | self._image_headers
            self._small(self._outputs).put(self.full_key(key), body, headers)

    def copy_original(self, source_key: str, key: str) -> None:
        """Copy an original with its headers to another key, inside the object store."""
        with storage_errors("copy an original"):
            self._copy(self._originals, source_key, key)

    def copy_rendition(self, source_key: str, key: str) -> None:
        """Copy a rendition with its headers to another key, inside the object store."""
        with storage_errors("copy a rendition"):
            self._copy(self._outputs, source_key, key)

    def original_is(self, key: str, body: bytes) -> bool:
        """Whether the stored original is `body`, by its entity-tag: most servers use the MD5 of the bytes.

        With `aws:kms` the tag is another hash, so the bytes are read.
        """
        with storage_errors("look at an original"):
            if self._options.encryption == KMS:
                found = self._s3().get_object(Bucket=self._originals, Key=self.full_key(key))
                return found["ContentLength"] == len(body) and found["Body"].read() == body
            etag = self._small(self._originals).etag(self.full_key(key))
        return etag.strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()

    def put_csv(self, key: str, chunks: Iterable[bytes], *, private: bool, filename: str = "") -> None:
        """Store a CSV, or a workbook, in the public bucket or in the `private` one; browsers save it as `filename`.

        The chunks are written to a local file first: memory stays bounded, and the database cursor that yields them is
        closed before the upload starts.
        """
        headers = {"Content-Type": content_type_of(key), "Cache-Control": _CSV_CACHE}
        if filename:
            headers["Content-Disposition"] = attachment(filename)
        with tempfile.TemporaryFile() as local:
            local.writelines(chunks)
            local.seek(0)
            with storage_errors("store a CSV"):
                self._put_file(self._csv_bucket(private=private), key, local, headers)

    def open_csv(self, key: str) -> StreamingBody | None:
        """Open a CSV of the private bucket as a stream that the caller closes; None where there is none."""
        with storage_errors("read a CSV"):
            return self._open(self._originals, key)

    def open_picture(self, key: str, *, original: bool) -> StreamingBody | None:
        """Open an original or a rendition as a stream that the caller closes; None where there is none."""
        with storage_errors("read a picture"):
            return self._open(self._originals if original else self._outputs, key)

    def _open(self, bucket: str, key: str) -> StreamingBody | None:
        s3 = self._s3()
        try:
            return s3.get_object(Bucket=bucket, Key=self.full_key(key))["Body"]
        except s3.exceptions.NoSuchKey:
            return None

    def delete_csvs(self, keys: Iterable[str], *, private: bool) -> None:
        """Delete CSVs of the public bucket, or of the `private` one; a missing CSV is no error."""
        with storage_errors("delete a CSV"):
            for key in keys:
                self._s3().delete_object(Bucket=self._csv_bucket(private=private), Key=self.full_key(key))

    def public_url(self, key: str) -> str:
        """The public URL of an object in the outputs bucket."""
        return f"{self._public_url}/{quote(self.full_key(key))}"

    def original_url(self, key: str) -> str:
        """The `s3://` address of an original; reading it takes credentials, because its bucket is private."""
        return f"s3://{self._originals}/{self.full_key(key)}"

    def delete_some(self, request_id: str) -> bool:
        """Delete up to 1,000 objects of a request in each bucket, with their versions; False if more are left."""
        with storage_errors("delete a request's objects"):
            buckets = (self._originals, self._outputs)
            prefix = self.full_key(f"{request_id}/")
            emptied = [delete_page(self._s3(), bucket, prefix) for bucket in buckets]
            return all(emptied)

    def prepare(self) -> None:
        """Make the clients of small objects before processes are forked, which then share 8 MB and start faster.

        No-op without configured keys: other credentials may come over a connection, and processes cannot share one.
        """
        if self._has_keys:
            self._clients.get()

    def ping(self) -> None:
        """Return only if our credentials reach both buckets."""
        with storage_errors("reach the buckets"):
            for bucket in self.buckets:
                self._small(bucket).ping()

    @property
    def buckets(self) -> tuple[str, str]:
        """The names of the originals and the outputs bucket."""
        return self._originals, self._outputs

    def client(self) -> S3Client:
        """The boto3 client of this process, for `buckets`."""
        return self._s3()

    def full_key(self, key: str) -> str:
        """The key as the server knows it: rows of the database leave out the prefix."""
        return f"{self._options.prefix}{key}"

    @property
    def prefix(self) -> str:
        """What all keys start with; empty, or with a slash at its end."""
        return self._options.prefix

    @property
    def _image_headers(self) -> dict[str, str]:
        chosen = self._options.image_storage_class
        return {"Storage-Class": chosen} if chosen else {}

    def _copy(self, bucket: str, source_key: str, key: str) -> None:
        """Copy inside a bucket. obstore cannot give a copy a storage class, and AWS gives it none of its source's."""
        source, target = self.full_key(source_key), self.full_key(key)
        if not (chosen := self._options.image_storage_class):
            self._small(bucket).copy(source, target)
            return
        arguments: Any = {"StorageClass": chosen, **self._options.encryption_arguments}
        self._s3().copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": source}, **arguments)

    def _csv_bucket(self, *, private: bool) -> str:
        return self._originals if private else self._outputs

    def _small(self, bucket: str) -> SmallObjects:
        clients = self._clients.get()
        return clients.originals if bucket == self._originals else clients.outputs

    def _s3(self) -> S3Client:
        return self._clients.get().s3
