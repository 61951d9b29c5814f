"""Why an attempt at a webhook failed, and what its receiver answered."""

from __future__ import annotations

from dataclasses import dataclass

from imgproc.core.errors import ImgprocError


@dataclass(frozen=True)
class ReceiverAnswer:
    """What a webhook's receiver answered: a few of its headers, and the beginning of its body as safe text."""

    status: int
    headers: dict[str, str]
    body: str


class DeliveryError(ImgprocError):
    """One webhook attempt failed. `answer` is None if the receiver gave none; `retry_after` is in seconds."""

    code = "delivery_failed"

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        retryable: bool = True,
        answer: ReceiverAnswer | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, code=code, retryable=retryable)
        self.answer = answer
        self.retry_after = retry_after
