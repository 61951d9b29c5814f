"""What the end of one request means: for the image, and for the gate of the host."""

from __future__ import annotations

import http.client

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import causes_of, explain
from imgproc.pipeline.http.host_gate import Answer, Trouble, Visit

# Failures without an HTTP response.
UNANSWERED = {"invalid_url", "forbidden_address", "dns_failed", "connect_failed", "tls_failed", "timeout"}


def report(visit: Visit, error: DownloadError | None) -> None:
    """Tell the gate how the host answered. A failure that says nothing of the host is not reported."""
    if error is None:
        visit.report(Answer(pause=visit.pause))
        return
    answered = error.code not in UNANSWERED
    if error.trouble:
        visit.report(Answer(Trouble(error.trouble), visit.pause or error.retry_after, answered))
    elif answered:
        visit.report(Answer(pause=visit.pause))


def explain_download(error: BaseException, host: str, deadline: Deadline) -> DownloadError:
    """The error of an exchange that `error` ended."""
    failure = explain(error, host=host, deadline=deadline)
    causes = list(causes_of(error))
    if failure.code == "connect_failed" and any(isinstance(cause, http.client.IncompleteRead) for cause in causes):
        return DownloadError(
            f"{host} sent only a part of the file; check that it is complete.", code="truncated_image", retryable=True
        )
    return DownloadError(failure.detail, code=failure.code, retryable=failure.retryable, trouble=failure.trouble)
