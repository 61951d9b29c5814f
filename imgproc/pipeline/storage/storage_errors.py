"""Turns the errors of the libraries that reach the object store into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from imgproc.core.errors import StorageUnavailable


@contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn every error of boto3, botocore and urllib3 into `StorageUnavailable`."""
    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"].get("Code"))
        refused = StorageUnavailable(
            f"The object store refused to {action} ({code} to {error.operation_name}); check the S3_* settings, the "
            "buckets and their policies."
        )
        refused.answer = code
        raise refused from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageUnavailable(
            f"The object store did not {action} ({type(error).__name__}); check that S3_ENDPOINT_URL is right and up."
        ) from error
