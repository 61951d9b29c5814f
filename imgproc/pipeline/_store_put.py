"""An image's put without the layers of boto3's client, which take as long as all the rest of it.

Signed and sent by botocore all the same; what is left out are its models of parameters, endpoints and answers, and its
retries, as whoever puts an image is patient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.hooks import first_non_none_response

OPERATION = "PutObject"
ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>")


class ImagePut:
    """Puts bytes over the connections of a client, and as it is configured; serves any number of threads.

    `credentials` are botocore's, None where there are none.
    """

    def __init__(self, s3: Any, credentials: Any) -> None:
        self._meta = s3.meta
        self._http = s3._endpoint.http_session  # which knows time-outs, proxies and certificates
        self._credentials = credentials

    def __call__(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Store `body` under `key`.

        Raises:
            botocore.exceptions.ClientError: the server refuses.
            botocore.exceptions.BotoCoreError: it cannot be reached, or there are no credentials.
        """
        try:
            answer = self._send(bucket, key, body, headers)
        except ConnectionClosedError:  # by a server that was tired of a kept-alive one
            answer = self._send(bucket, key, body, headers)
        if answer.status_code >= 300:
            code = ERROR_CODE.search(answer.content)
            raise ClientError({"Error": {"Code": code[1].decode() if code else str(answer.status_code)}}, OPERATION)

    def _send(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> Any:
        meta = self._meta
        request = AWSRequest("PUT", f"{meta.endpoint_url}/{bucket}/{quote(key)}", headers=headers, data=body)
        request.context["client_config"] = meta.config  # says that bodies are not hashed
        frozen = self._credentials and self._credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", meta.region_name).add_auth(request)
        prepared = request.prepare()
        hooks = meta.events.emit(f"before-send.s3.{OPERATION}", request=prepared)
        return first_non_none_response(hooks) or self._http.send(prepared)
