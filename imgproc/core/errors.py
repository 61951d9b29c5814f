"""The exception tree. Every error has a stable code, a plain sentence and `retryable`.

ImgprocError
├── InvalidInput               the caller must change something
│   ├── InvalidCsv             the file cannot be accepted; `errors` names line and column
│   ├── InvalidOption          a compression or upload option is out of range
│   ├── InvalidWebhookUrl      the webhook URL may not be used
│   └── UnsupportedFile        not a kind of file we read
├── NotAuthenticated           the caller must send a valid API key
├── NotPermitted               the caller is known, and may not do this
├── QuotaExceeded              the caller has too much unfinished work
│   ├── TooManyUploads         too many large files of the caller are being read
│   └── TooManyPings           too many receivers of webhooks are being tested
├── ForbiddenAddress           an address that downloads and webhooks may not reach (an OSError, as sockets raise it)
├── HostWait                   the host of an image needs a pause before it is asked
├── ImageError                 one image cannot be processed; only that image fails
│   ├── DownloadError          the source could not be downloaded
│   └── CompressError          the source is not an image that we can encode
├── DeliveryError              one attempt at a webhook failed (in `delivery_errors`)
├── InfrastructureError        storage, queue or database is away: always retryable, no product fails
│   ├── StorageUnavailable     the object store did not answer or refused
│   ├── QueueUnavailable       Redis did not answer or refused
│   ├── ServerBusy             this process reads as many large files as it may
│   └── WorkerStopping         this worker was asked to stop: release its work
└── LeaseLost                  another worker owns this work now: stop, change nothing
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from imgproc.core.redaction import redact

ERROR_PAGES = "/docs/errors/"  # with a code behind it, the path of the page about it


class ImgprocError(Exception):
    """Base of all our errors: `code` is stable, `detail` is one plain sentence with the remedy.

    Credentials are redacted from `detail`, because it is stored, logged, and written into CSVs that others may read.
    """

    code = "internal_error"
    retryable = False

    def __init__(self, detail: str, *, code: str | None = None, retryable: bool | None = None) -> None:
        self.detail = redact(detail)
        super().__init__(self.detail)
        self.code = code or self.code
        self.retryable = self.retryable if retryable is None else retryable


@dataclass(frozen=True)
class RowError:
    """One fault of the file: `line` counts from 1 as an editor does; `column` is the text of the header, if any."""

    line: int
    column: str | None
    code: str
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """The error as the API answers it."""
        return asdict(self)


class InvalidInput(ImgprocError):
    """The caller must change something before trying again."""

    code = "invalid_input"


class InvalidCsv(InvalidInput):
    """The file cannot be accepted; `errors` holds at most 100 faults, `truncated` says there are more.

    If our columns cannot be told from the header, `header` is that line, or the line most like a header.
    """

    code = "invalid_csv"
    header: tuple[str, ...] = ()

    def __init__(self, detail: str, *, errors: list[RowError] | None = None, truncated: bool = False) -> None:
        super().__init__(detail)
        self.errors = errors or []
        self.truncated = truncated


class InvalidOption(InvalidInput):
    """A compression or upload option is out of range; `option` names it."""

    code = "invalid_option"

    def __init__(self, detail: str, *, option: str) -> None:
        super().__init__(detail)
        self.option = option


class InvalidWebhookUrl(InvalidInput):
    """The webhook URL is not one we may post to."""

    code = "invalid_webhook_url"


class UnsupportedFile(InvalidInput):
    """The upload is not a kind of file we read."""

    code = "unsupported_file_type"


class NotAuthenticated(ImgprocError):
    """The caller must send a valid API key."""

    code = "missing_api_key"


class NotPermitted(ImgprocError):
    """The caller is known, and may not do this."""

    code = "insufficient_scope"


class QuotaExceeded(ImgprocError):
    """The caller has too much unfinished work, and may continue once some of it has ended."""

    code = "quota_exceeded"
    retryable = True


class TooManyUploads(QuotaExceeded):
    """Too many large files of the caller are being read at the moment."""

    code = "too_many_uploads"


class TooManyPings(QuotaExceeded):
    """Too many receivers of webhooks are being tested at the moment."""

    code = "too_many_pings"


class ForbiddenAddress(ImgprocError, OSError):
    """Downloads and webhooks may not reach this address."""

    code = "forbidden_address"


class ImageError(ImgprocError):
    """One image cannot be processed; only that image fails."""

    code = "image_failed"


class DownloadError(ImageError):
    """The source could not be downloaded. `retry_after` is the time the server asked for, in seconds, if any.

    `trouble` is a member of `pipeline.http.host_gate.Trouble` if the host, not the image, is the reason; `host` is
    then the `name:port` that was asked last.
    """

    host = ""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after: float | None = None,
        trouble: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, retryable=retryable)
        self.retry_after = retry_after
        self.trouble = trouble


class HostWait(ImgprocError):
    """The host of an image needs a pause of `seconds` first. The image is delayed; this is no attempt at it.

    `trouble` is a member of `pipeline.http.host_gate.Trouble`, or None if the limit of the host alone is the reason.
    `gone` says that the host is given up: it has served nothing for `seconds`.
    """

    code = "host_wait"
    retryable = True

    def __init__(
        self, detail: str, *, host: str, seconds: float, trouble: str | None = None, gone: bool = False
    ) -> None:
        super().__init__(detail)
        self.host = host
        self.seconds = seconds
        self.trouble = trouble
        self.gone = gone


class CompressError(ImageError):
    """The source is not an image that we can decode and encode."""


class InfrastructureError(ImgprocError):
    """Storage, queue or database is away. The work is delayed and does not fail."""

    code = "service_unavailable"
    retryable = True


class StorageUnavailable(InfrastructureError):
    """The object store did not answer, or refused us with the code `answer`."""

    code = "storage_unavailable"
    answer = ""


class QueueUnavailable(InfrastructureError):
    """Redis did not answer, or refused us."""

    code = "queue_unavailable"


class ServerBusy(InfrastructureError):
    """This process reads as many large files as it may."""

    code = "server_busy"


class WorkerStopping(InfrastructureError):
    """This worker was asked to stop and releases its claims unchanged."""

    code = "worker_stopping"


class LeaseLost(ImgprocError):
    """Another worker owns this work now: stop and change nothing."""

    code = "lease_lost"
