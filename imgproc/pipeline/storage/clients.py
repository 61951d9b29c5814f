"""The S3 clients of a process: boto3 for large files and obstore for small objects, with the same settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from imgproc.pipeline.storage.object_options import ObjectOptions
from imgproc.pipeline.storage.small_objects import SmallObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# AWS describes the addresses of 300 services in one file; these are the store's, and those that credentials come from.
SERVICES = ("s3", "sts", "sso", "oidc", "portal.sso", "signin")


def preload() -> None:
    """Load the descriptions of S3 that clients are made of; processes forked later share them.

    The addresses of other services are dropped, which frees 7 MB for later use.
    """
    loader = _loader(None)
    for kind in ("service-2", "paginators-1", "endpoint-rule-set-1"):
        loader.load_service_model("s3", kind)
    for name in ("partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for partition in loader.load_data("endpoints")["partitions"]:
        kept = partition["services"].keys() & SERVICES
        partition["services"] = {name: partition["services"][name] for name in kept}


@cache
def _loader(data_path: str | None) -> Loader:
    """The loader of all clients of this process: it keeps what it has loaded."""
    return create_loader(data_path)


class Clients:
    """The obstore clients for the small objects of both buckets, and the boto3 client.

    That one takes 14 MB, so it is made on its first use: most processes never need it. It is made again in a forked
    child, which must not write to its parent's connections. The obstore clients have none before their first use.
    """

    def __init__(self, originals: SmallObjects, outputs: SmallObjects, make_s3: Callable[[], S3Client]) -> None:
        self.originals, self.outputs = originals, outputs
        self._make_s3 = make_s3
        self._s3: tuple[int, S3Client] | None = None
        self._lock = threading.Lock()

    @property
    def s3(self) -> S3Client:
        """The boto3 client of this process."""
        with self._lock:
            if self._s3 is None or self._s3[0] != os.getpid():
                self._s3 = os.getpid(), self._make_s3()
            return self._s3[1]


class ClientsOfProcess:
    """Creates the clients on first use; serves any number of threads, and children that are forked later.

    `endpoint_url` None means AWS, credentials None the default chain of AWS. `buckets` are the originals and the
    outputs bucket. Timeouts are in seconds per attempt; `total_timeout` is that of an image.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        endpoint_url: str | None,
        access_key_id: str | None,
        secret_access_key: str | None,
        session_token: str | None,
        region: str,
        addressing: Literal["path", "virtual"],
        buckets: tuple[str, str],
        options: ObjectOptions,
        pool_size: int,
        connect_timeout: float,
        read_timeout: float,
        total_timeout: float,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._buckets = buckets
        # boto3's default session is not safe to share between threads.
        self._session = partial(
            boto3.session.Session,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            aws_session_token=session_token,
            region_name=region,
        )
        self._config = Config(
            signature_version="s3v4",
            # TLS protects the bytes of a file, as it does those of images, so they are not hashed for the signature.
            s3={"addressing_style": addressing, "payload_signing_enabled": False},
            # S3 servers other than AWS refuse or mishandle the checksums that boto3 adds by default.
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
            SmallObjects,
            endpoint_url=endpoint_url,
            region=region,
            addressing=addressing,
            options=options,
            connect_timeout=connect_timeout,
            total_timeout=total_timeout,
        )
        self._lock = threading.Lock()
        self._made: Clients | None = None

    def get(self) -> Clients:
        """The clients.

        Raises:
            botocore.exceptions.NoCredentialsError: no credentials were found.
        """
        with self._lock:
            self._made = self._made or self._make()
            return self._made

    def _make(self) -> Clients:
        core = botocore.session.get_session()
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        session = self._session(botocore_session=core)
        known = {"credentials": session.get_credentials(), "ca_bundle": core.get_config_variable("ca_bundle")}
        originals, outputs = (self._images(bucket, **known) for bucket in self._buckets)
        make_s3 = partial(session.client, "s3", endpoint_url=self._endpoint_url, config=self._config)
        return Clients(originals, outputs, make_s3)
