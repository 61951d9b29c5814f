"""Puts, copies and looks at images without the layers of boto3's client, which take as long as all the rest of them.

Signed and sent by botocore all the same; what is left out are its models of parameters, endpoints and answers, and
most of its retries, as whoever puts an image is patient, and an image that cannot be copied is made.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.hooks import first_non_none_response

ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>")
COPY_FAILED = b"<Error>"  # may come behind a status of 200 (S3, CopyObject)
# Seconds before each new try where the server failed, or was tired of a connection. Servers of files stumble over
# several images that come at once for a folder which is not there yet.
PAUSES = (0.05, 0.2)


class LeanClient:
    """Speaks over the connections of a client, and as it is configured; serves any number of threads.

    `credentials` are botocore's, None where there are none. Every method raises botocore.exceptions.ClientError where
    the server refuses, and BotoCoreError where it cannot be reached, or where there are no credentials.
    """

    def __init__(self, s3: Any, credentials: Any) -> None:
        self._meta = s3.meta
        self._http = s3._endpoint.http_session  # which knows time-outs, proxies and certificates
        self._credentials = credentials

    def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Store `body` under `key`."""
        self._ask("PutObject", "PUT", bucket, key, headers, body)

    def copy(self, bucket: str, source_key: str, key: str, headers: Mapping[str, str]) -> None:
        """Store under `key` what is under `source_key`, with headers of its own."""
        source = {"x-amz-copy-source": quote(f"{bucket}/{source_key}"), "x-amz-metadata-directive": "REPLACE"}
        self._ask("CopyObject", "PUT", bucket, key, source | dict(headers))

    def etag(self, bucket: str, key: str) -> str:
        """The entity-tag of what is under `key`, in quotes."""
        return str(self._ask("HeadObject", "HEAD", bucket, key).headers["ETag"])

    def _ask(
        self,
        operation: str,
        method: str,
        bucket: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Any:
        def send() -> Any:
            url = f"{self._meta.endpoint_url}/{bucket}/{quote(key)}"
            return self._send(operation, AWSRequest(method, url, headers=headers, data=body))

        for pause in PAUSES:
            with suppress(ConnectionClosedError):
                answer = send()
                if answer.status_code < 500 and not _failed_late(operation, answer):
                    break
            time.sleep(pause)
        else:
            answer = send()
        if answer.status_code >= 300 or _failed_late(operation, answer):
            code = ERROR_CODE.search(answer.content)
            raise ClientError({"Error": {"Code": code[1].decode() if code else str(answer.status_code)}}, operation)
        return answer

    def _send(self, operation: str, request: AWSRequest) -> Any:
        meta = self._meta
        request.context["client_config"] = meta.config  # says that bodies are not hashed
        frozen = self._credentials and self._credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", meta.region_name).add_auth(request)
        prepared = request.prepare()
        hooks = meta.events.emit(f"before-send.s3.{operation}", request=prepared)
        return first_non_none_response(hooks) or self._http.send(prepared)


def _failed_late(operation: str, answer: Any) -> bool:
    return operation == "CopyObject" and COPY_FAILED in answer.content
