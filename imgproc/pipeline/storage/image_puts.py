"""Puts, copies and looks at images by obstore: a client in Rust, which takes a third of the CPU that boto3's does.

It knows a few operations and does those well; the rest of the store stays with boto3, which knows all of them.
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

if TYPE_CHECKING:
    from obstore.store import S3Credential

# botocore renews credentials that end within ten minutes when it is asked for them; obstore asks again for what ends
# within five.
_GOOD_FOR = timedelta(minutes=10)
# Servers of files stumble over several images that come at once for a folder which is not there yet. Longer outages are
# for whoever puts an image, and is patient; an image that cannot be copied is made.
_RETRIES: Any = {
    "max_retries": 2,
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(milliseconds=500)},
    "retry_timeout": timedelta(seconds=5),
}
_IDLE = timedelta(seconds=15)  # a connection unused for longer may lead to a host that is gone
_callers: set[int] = set()  # processes; obstore's threads do not live on in a child that inherits this
# What an error says of the server's answer.
_CODE, _STATUS = re.compile(r"<Code>([^<]+)</Code>"), re.compile(r"status code: (\d+)")


class ImageObjects:
    """The images of one bucket; serves any number of threads.

    Every method raises what boto3 would: botocore.exceptions.ClientError where the server refuses, and HTTPClientError
    where it does not answer; and RuntimeError in a child made by fork after its parent called one, as it would hang.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None,
        credentials: Any,
        ca_bundle: str | None,
        region: str,
        connect_timeout: float,
        total_timeout: float,
    ) -> None:
        """`endpoint_url` None means AWS; `credentials` and `ca_bundle`, a file's name, are botocore's.

        Timeouts are seconds, per attempt.

        Raises:
            botocore.exceptions.NoCredentialsError: there are none.
        """
        if credentials is None:
            raise NoCredentialsError
        config: Any = {"region": region, "virtual_hosted_style_request": False}
        client: Any = {
            "connect_timeout": timedelta(seconds=connect_timeout),
            "timeout": timedelta(seconds=total_timeout),
            "pool_idle_timeout": _IDLE,
        }
        if endpoint_url:  # a server that was named is reached directly, whatever HTTP_PROXY says
            config["endpoint"] = endpoint_url
            client |= {"proxy_url": endpoint_url, "proxy_excludes": urlsplit(endpoint_url).hostname, "allow_http": True}
        if ca_bundle:
            client["root_certificate"] = Path(ca_bundle).read_bytes()
        # The signature covers what is stored where; hashing every image too would cost more than sending it. TLS is
        # what guards the bytes on the way.
        config["unsigned_payload"] = True
        provider = partial(_frozen, credentials)
        self._store = S3Store(
            bucket, **config, credential_provider=provider, client_options=client, retry_config=_RETRIES
        )

    def put(self, key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Store `body` under `key`."""
        with _calling("PutObject"):
            obstore.put(self._store, key, body, attributes=dict(headers), use_multipart=False)

    def copy(self, source_key: str, key: str) -> None:
        """Store under `key` what is under `source_key`, and its headers."""
        with _calling("CopyObject"):
            obstore.copy(self._store, source_key, key)

    def etag(self, key: str) -> str:
        """The entity-tag of what is under `key`, in quotes; empty where there is none."""
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
        raise RuntimeError("Images were put before this process was forked; fork first.")
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        if answer := _CODE.search(str(error)) or _STATUS.search(str(error)):
            raise ClientError({"Error": {"Code": answer[1]}}, operation) from error
        raise HTTPClientError(error=str(error).partition("\n")[0]) from error
