"""Puts, reads, copies and checks small objects by obstore, a client in Rust that takes a third of boto3's CPU.

obstore offers few operations, so the rest of the store uses boto3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from obstore.exceptions import BaseError
from obstore.store import S3Store

from imgproc.pipeline.storage.object_options import ObjectOptions

if TYPE_CHECKING:
    from obstore.store import S3Credential

# botocore renews credentials that expire within ten minutes; obstore asks again for those that expire within five.
_GOOD_FOR = timedelta(minutes=10)
# File-based S3 servers fail when several images arrive at once for a folder that does not exist yet. The caller waits
# out longer outages, and makes an image that cannot be copied.
_RETRIES: Any = {
    "max_retries": 2,
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(milliseconds=500)},
    "retry_timeout": timedelta(seconds=5),
}
_IDLE = timedelta(seconds=15)  # A connection unused for longer may lead to a host that is gone.
_callers: set[int] = set()  # ids of processes that used obstore, of whose threads a forked child has none
# The server's answer, in the text of an error.
_CODE, _STATUS = re.compile(r"<Code>([^<]+)</Code>"), re.compile(r"status code: (\d+)")


class SmallObjects:
    """The small objects of one bucket; serves any number of threads.

    Every method raises boto3's errors: botocore.exceptions.ClientError where the server refuses, and HTTPClientError
    where it does not answer. In a child forked after its parent called a method, it raises RuntimeError, as obstore
    would hang.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        bucket: str,
        *,
        endpoint_url: str | None,
        credentials: Any,
        ca_bundle: str | None,
        region: str,
        addressing: str,
        options: ObjectOptions,
        connect_timeout: float,
        total_timeout: float,
    ) -> None:
        """`endpoint_url` None means AWS; `credentials` and `ca_bundle` (a path) come from botocore.

        Timeouts are in seconds per attempt.

        Raises:
            botocore.exceptions.NoCredentialsError: `credentials` is None.
        """
        if credentials is None:
            raise NoCredentialsError
        virtual = addressing == "virtual"
        config: Any = {"region": region, "virtual_hosted_style_request": virtual, **options.encryption_config}
        client: Any = {
            "connect_timeout": timedelta(seconds=connect_timeout),
            "timeout": timedelta(seconds=total_timeout),
            "pool_idle_timeout": _IDLE,
        }
        if endpoint_url:  # A server given by its URL is reached directly, whatever HTTP_PROXY says.
            # With virtual addressing obstore expects the bucket in the endpoint.
            config["endpoint"] = endpoint_url.replace("://", f"://{bucket}.", 1) if virtual else endpoint_url
            client |= {"proxy_url": endpoint_url, "proxy_excludes": urlsplit(endpoint_url).hostname, "allow_http": True}
        if ca_bundle:
            client["root_certificate"] = Path(ca_bundle).read_bytes()
        # The signature covers the key and the headers. Hashing every image would cost more than sending it, and TLS
        # protects the bytes in transit.
        config["unsigned_payload"] = True
        provider = partial(_frozen, credentials)
        self._store = S3Store(
            bucket, **config, credential_provider=provider, client_options=client, retry_config=_RETRIES
        )

    def put(self, key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Store `body` under `key`."""
        with _calling("PutObject"):
            obstore.put(self._store, key, body, attributes=dict(headers), use_multipart=False)

    def get(self, key: str, *, most: int) -> bytes | None:
        """The object under `key`; None if it has more than `most` bytes."""
        with _calling("GetObject"):
            found = obstore.get(self._store, key)
            return bytes(found.bytes()) if found.meta["size"] <= most else None

    def copy(self, source_key: str, key: str) -> None:
        """Copy the object under `source_key`, with its headers, to `key`."""
        with _calling("CopyObject"):
            obstore.copy(self._store, source_key, key)

    def ping(self) -> None:
        """Return only if our credentials may list the bucket."""
        with _calling("ListObjectsV2"):
            obstore.list_with_delimiter(self._store, "-")  # below a prefix that no key has

    def etag(self, key: str) -> str:
        """The entity-tag of the object under `key`, in quotes; empty where it has none."""
        with _calling("HeadObject"):
            return obstore.head(self._store, key)["e_tag"] or ""


def _frozen(credentials: Any) -> S3Credential:
    frozen = credentials.get_frozen_credentials()
    return {
        "access_key_id": frozen.access_key,
        "secret_access_key": frozen.secret_key,
        "token": frozen.token,
        "expires_at": datetime.now(timezone.utc) + _GOOD_FOR,
    }


@contextmanager
def _calling(operation: str) -> Iterator[None]:
    _callers.add(os.getpid())
    if len(_callers) > 1:
        raise RuntimeError("Objects were put before this process was forked; fork first.")
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        if answer := _CODE.search(str(error)) or _STATUS.search(str(error)):
            raise ClientError({"Error": {"Code": answer[1]}}, operation) from error
        raise HTTPClientError(error=str(error).partition("\n")[0]) from error
