"""Making one image: download, compress, store; from its source URL to its two objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from imgproc.errors import ImageError, ImgprocError, InfrastructureError
from imgproc.lease import stopping
from imgproc.lifecycle.products import PendingImage, ProductClaim
from imgproc.lifecycle.results import ImageResult
from imgproc.models import ImageStatus
from imgproc.pipeline.compress import CompressOptions, Rendition, compress, content_type_of, extension_of
from imgproc.pipeline.store import original_key, rendition_key
from imgproc.toolbox import Toolbox

OUTAGE_PATIENCE = 60.0  # seconds a worker holds a finished image for a store that is away
LONGEST_PAUSE = 5.0  # seconds between two tries at the store

OUT_OF_MEMORY = "A worker had not enough memory for this image; give one with fewer pixels."

ImageOutcome = ImageResult | tuple[PendingImage, ImgprocError]


def make_image(tools: Toolbox, claim: ProductClaim, check: Callable[[], None], image: PendingImage) -> ImageOutcome:
    """One image, from its source URL to its two objects; objects come before rows.

    `check` is asked before each put, so that a worker whose product was taken over stores nothing more.

    Raises:
        LeaseLost: `check` raised it.
    """
    started = time.monotonic()
    try:
        source = tools.downloader.download(image.source_url).body
        rendition = compress(
            source, options=CompressOptions(**claim.options), max_pixels=tools.settings.max_image_pixels
        )
        keys = _store(tools, claim, check, image, source, rendition)
    except (ImageError, InfrastructureError) as error:
        return image, error
    except MemoryError:  # perhaps because of the product's other images, so it may be tried again
        return image, ImageError(OUT_OF_MEMORY, code="too_many_pixels", retryable=True)
    return ImageResult(
        image.id,
        ImageStatus.COMPLETED,
        {
            **keys,
            **{f"source_{name}": value for name, value in vars(rendition.source).items()},
            **{f"output_{name}": value for name, value in vars(rendition.output).items()},
            "output_kept": rendition.kept,
            "duration_ms": round((time.monotonic() - started) * 1000),
        },
    )


def _store(
    tools: Toolbox,
    claim: ProductClaim,
    check: Callable[[], None],
    image: PendingImage,
    source: bytes,
    rendition: Rendition,
) -> dict[str, str]:
    place: dict[str, int] = {"row": claim.row, "position": image.position}
    kept = original_key(claim.request_id, **place, extension=extension_of(rendition.source.format))
    made = rendition_key(claim.request_id, **place, product_name=claim.product_name, extension=rendition.extension)
    content_type = content_type_of(rendition.source.format)
    _patiently(check, partial(tools.store.put_original, kept, source, content_type=content_type))
    _patiently(check, partial(tools.store.put_rendition, made, rendition.body, content_type=rendition.content_type))
    return {"original_key": kept, "output_key": made}


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
