"""What a process speaks to the object store with: boto3 for files, and obstore for images, told the same things."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import boto3
import botocore.session
from botocore.config import Config

from imgproc.pipeline.storage.image_puts import ImageObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Clients(NamedTuple):
    """boto3's client, and the images of either bucket."""

    s3: S3Client
    originals: ImageObjects
    outputs: ImageObjects


class ClientsOfProcess:
    """Makes its clients on first use, and anew in a child made by fork; serves any number of threads.

    `endpoint_url` None means AWS, credentials None its default chain; `buckets` are those of originals and of outputs;
    timeouts are seconds, per attempt, the total one of an image.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        endpoint_url: str | None,
        access_key_id: str | None,
        secret_access_key: str | None,
        region: str,
        buckets: tuple[str, str],
        pool_size: int,
        connect_timeout: float,
        read_timeout: float,
        total_timeout: float,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._buckets = buckets
        # A session of our own, because boto3's default one is not safe to share between threads.
        self._session = partial(
            boto3.session.Session,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            region_name=region,
        )
        self._config = Config(
            signature_version="s3v4",
            # As of images, the bytes of a file are guarded by TLS, and not hashed for the signature.
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            # S3 servers other than AWS refuse or mishandle the checksums that boto3 adds unasked.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=pool_size,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            tcp_keepalive=True,
            proxies={} if endpoint_url else None,
        )
        self._images = partial(
            ImageObjects,
            endpoint_url=endpoint_url,
            region=region,
            connect_timeout=connect_timeout,
            total_timeout=total_timeout,
        )
        self._lock = threading.Lock()
        self._made: tuple[int, Clients] | None = None

    def get(self) -> Clients:
        """This process's own: a child made by fork must not write into its parent's connections.

        Raises:
            botocore.exceptions.NoCredentialsError: there are none.
        """
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = os.getpid(), self._make()
            return self._made[1]

    def _make(self) -> Clients:
        core = botocore.session.get_session()
        session = self._session(botocore_session=core)
        known = {"credentials": session.get_credentials(), "ca_bundle": core.get_config_variable("ca_bundle")}
        originals, outputs = (self._images(bucket, **known) for bucket in self._buckets)
        return Clients(session.client("s3", endpoint_url=self._endpoint_url, config=self._config), originals, outputs)
