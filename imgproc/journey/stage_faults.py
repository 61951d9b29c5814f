"""Turns an unexpected exception of a stage into the error of one image, so that no other image fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import structlog

from imgproc.core.error_reports import report
from imgproc.core.errors import ImageError, ImgprocError
from imgproc.db.transitions.products import PendingImage
from imgproc.queue.rq_classes import JobTimeoutException

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class Fault(NamedTuple):
    """The error of an image if a stage raises an unexpected exception."""

    code: str
    detail: str
    retryable: bool


BROKEN_DOWNLOAD = Fault(
    "connect_failed", "The host's answer could not be read; give the picture from another host.", retryable=True
)
BROKEN_PICTURE = Fault(
    "corrupt_image", "The picture cannot be processed; export it again as an ordinary JPEG or PNG.", retryable=False
)
BROKEN_STORE = Fault(
    "worker_lost", "The image could not be stored because of a fault of ours; retry the request.", retryable=True
)


def run_stage(image: PendingImage, fault: Fault, stage: Callable[[], Result]) -> Result:
    """The result of a stage. An exception that is not one of ours becomes the fault of this image alone.

    Raises:
        ImgprocError: the stage raised it, or an unexpected exception, which is logged.
        MemoryError, JobTimeoutException: the stage raised it; neither is the fault of the image.
    """
    try:
        return stage()
    except (ImgprocError, MemoryError, JobTimeoutException):
        raise
    except Exception as error:
        log.exception("stage_failed", image_id=image.id, code=fault.code)
        report(error, stage=fault.code)
        raise ImageError(fault.detail, code=fault.code, retryable=fault.retryable) from error
