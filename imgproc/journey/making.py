"""Making one image: download, compress, store, or copy; from its source URL to its two objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import structlog
from rq.timeouts import JobTimeoutException

from imgproc.core.errors import ImageError, ImgprocError, InfrastructureError
from imgproc.db.statuses import ImageStatus
from imgproc.db.transitions.duplicates import MADE, Earlier
from imgproc.db.transitions.products import PendingImage, ProductClaim
from imgproc.db.transitions.results import ImageResult
from imgproc.journey.lease import stopping
from imgproc.journey.services import Toolbox
from imgproc.pipeline.download import UNKNOWN, Download, Validators
from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress, content_type_of, extension_of
from imgproc.pipeline.storage.object_keys import original_key, rendition_key

OUTAGE_PATIENCE = 60.0  # seconds a worker holds a finished image for a store that is away
LONGEST_PAUSE = 5.0  # seconds between two tries at the store

Made = TypeVar("Made")

log = structlog.get_logger(__name__)

# For exceptions that no stage is known to raise: the code, the detail, and whether the image is tried again.
BROKEN_DOWNLOAD = ("connect_failed", "The host's answer could not be read; give the picture from another host.", True)
BROKEN_PICTURE = (
    "corrupt_image",
    "The picture cannot be processed; export it again as an ordinary JPEG or PNG.",
    False,
)
BROKEN_STORING = ("worker_lost", "The image could not be stored because of a fault of ours; retry the request.", True)

OUT_OF_MEMORY = "A worker had not enough memory for this image; give one with fewer pixels."

ImageOutcome = ImageResult | tuple[PendingImage, ImgprocError]


def make_image(
    tools: Toolbox,
    claim: ProductClaim,
    check: Callable[[], None],
    image: PendingImage,
    *,
    earlier: Earlier | None = None,
) -> ImageOutcome:
    """One image, from its source URL to its two objects; objects come before rows.

    `check` is asked before each put, so that a worker whose product was taken over stores nothing more. What `earlier`
    made is copied if the picture has not changed.

    Raises:
        LeaseLost: `check` raised it.
    """
    started = time.monotonic()
    try:
        values = _make(tools, claim, check, image, earlier)
    except (ImageError, InfrastructureError) as error:
        return image, error
    except MemoryError:  # perhaps because of the product's other images, so it may be tried again
        return image, ImageError(OUT_OF_MEMORY, code="too_many_pixels", retryable=True)
    return _completed(image, values, started)


def copy_image(
    tools: Toolbox, claim: ProductClaim, check: Callable[[], None], image: PendingImage, made: dict[str, Any]
) -> ImageResult | None:
    """One image of what another has made: `made` are columns of `product_images`; None where they cannot be copied.

    Raises:
        LeaseLost: `check` raised it.
    """
    started = time.monotonic()
    values = _copy(tools, claim, check, image, made)
    return _completed(image, values, started) if values else None


def _stage(image: PendingImage, unforeseen: tuple[str, str, bool], call: Callable[[], Made]) -> Made:
    """What `call` returns. Whatever it raises that is no error of ours is the fault of this image alone.

    Raises:
        ImgprocError: `call` raised it, or something unforeseen, which is logged.
        MemoryError, JobTimeoutException: `call` raised it; neither is about the image.
    """
    try:
        return call()
    except (ImgprocError, MemoryError, JobTimeoutException):
        raise
    except Exception as error:
        code, detail, retryable = unforeseen
        log.exception("image_broke_a_stage", image_id=image.id, code=code)
        raise ImageError(detail, code=code, retryable=retryable) from error


def _completed(image: PendingImage, values: dict[str, Any], started: float) -> ImageResult:
    duration = {"duration_ms": round((time.monotonic() - started) * 1000)}
    return ImageResult(image.id, ImageStatus.COMPLETED, values | duration)


def _make(
    tools: Toolbox, claim: ProductClaim, check: Callable[[], None], image: PendingImage, earlier: Earlier | None
) -> dict[str, Any]:
    known = Validators(earlier.etag, earlier.last_modified) if earlier else UNKNOWN
    download = _stage(image, BROKEN_DOWNLOAD, partial(tools.downloader.download, image.source_url, known=known))
    if earlier and _is_unchanged(tools, image, download, earlier):
        if copied := _copy(tools, claim, check, image, earlier.made):
            return copied | _validators(tools, download)
        if download.not_modified:
            download = _stage(image, BROKEN_DOWNLOAD, partial(tools.downloader.download, image.source_url))
    options = CompressOptions(**claim.options)
    make = partial(
        compress, download.body, options=options, max_pixels=tools.settings.max_image_pixels, memory=tools.memory
    )
    rendition = _stage(image, BROKEN_PICTURE, make)
    return {
        **_store(tools, claim, check, image, download.body, rendition),
        **{f"source_{name}": value for name, value in vars(rendition.source).items()},
        **{f"output_{name}": value for name, value in vars(rendition.output).items()},
        "output_kept": rendition.kept,
        **_validators(tools, download),
    }


def _is_unchanged(tools: Toolbox, image: PendingImage, download: Download, earlier: Earlier) -> bool:
    """By the host's word, or, where it sent the picture, by the hash of what was stored of it."""
    if download.not_modified:
        return True
    if len(download.body) != earlier.made["source_bytes"]:
        return False
    try:
        asked = partial(tools.store.original_is, earlier.made["original_key"], download.body)
        return _stage(image, BROKEN_STORING, asked)
    except (ImageError, InfrastructureError):
        return False


def _validators(tools: Toolbox, download: Download) -> dict[str, str]:
    """What later requests go by; an empty etag says that the host gave none, None that nobody is to go by this."""
    return vars(download.validators) if tools.settings.reuse_pictures else {}


def _copy(
    tools: Toolbox, claim: ProductClaim, check: Callable[[], None], image: PendingImage, made: dict[str, Any]
) -> dict[str, Any] | None:
    """The columns of a copy; None where what was made is gone, or the store cannot copy it: then it is made again."""
    keys = _keys(claim, image, source_format=made["source_format"], output_format=made["output_format"])
    check()
    store = tools.store
    try:
        _stage(image, BROKEN_STORING, partial(store.copy_original, made["original_key"], keys["original_key"]))
        check()
        _stage(image, BROKEN_STORING, partial(store.copy_rendition, made["output_key"], keys["output_key"]))
    except (ImageError, InfrastructureError):
        return None
    return {**{name: made[name] for name in MADE}, **keys}


def _keys(claim: ProductClaim, image: PendingImage, *, source_format: str, output_format: str) -> dict[str, str]:
    place: dict[str, int] = {"row": claim.row, "position": image.position}
    original, output = extension_of(source_format), extension_of(output_format)
    return {
        "original_key": original_key(claim.request_id, **place, extension=original),
        "output_key": rendition_key(claim.request_id, **place, product_name=claim.product_name, extension=output),
    }


def _store(
    tools: Toolbox,
    claim: ProductClaim,
    check: Callable[[], None],
    image: PendingImage,
    source: bytes,
    rendition: Rendition,
) -> dict[str, str]:
    keys = _keys(claim, image, source_format=rendition.source.format, output_format=rendition.output.format)
    store, source_type = tools.store, content_type_of(rendition.source.format)

    def put(one: Callable[[], None]) -> None:
        _patiently(check, partial(_stage, image, BROKEN_STORING, one))

    original, output = keys["original_key"], keys["output_key"]
    put(partial(store.put_original, original, source, content_type=source_type))
    put(partial(store.put_rendition, output, rendition.body, content_type=rendition.content_type))
    return keys


def _patiently(check: Callable[[], None], put: Callable[[], None]) -> None:
    """Wait out a short outage of the store with the bytes in hand, rather than download them again.

    Raises:
        StorageUnavailable: the store stayed away.
        LeaseLost: `check` raised it.
    """
    give_up = time.monotonic() + OUTAGE_PATIENCE
    delay = 0.5
    while True:
        check()
        try:
            put()
        except InfrastructureError:
            if time.monotonic() + delay > give_up or stopping.wait(delay):
                raise
            delay = min(delay * 2, LONGEST_PAUSE)
        else:
            return


def failed(image: PendingImage, error: ImgprocError) -> ImageResult:
    """The result of an image that cannot be made."""
    values = {"error_code": error.code, "error_detail": error.detail, "error_retryable": error.retryable}
    return ImageResult(image.id, ImageStatus.FAILED, values)
