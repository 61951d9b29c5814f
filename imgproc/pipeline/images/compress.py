"""Source bytes and options in, a `Rendition` out: `compress` lists the steps in order.

The order makes it fast. libjpeg decodes a JPEG at a reduced size, so later steps handle a fraction of the pixels. The
slow C calls release the GIL, so the threads of one process share the cores.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from PIL import Image, ImageFile

from imgproc.core.metrics import timed
from imgproc.pipeline.images.colours import is_srgb
from imgproc.pipeline.images.cost import IMAGE_BYTES, CpuTime, encoder_bytes
from imgproc.pipeline.images.decode import decode_resized, scaled_size
from imgproc.pipeline.images.encode import check_sides, encode
from imgproc.pipeline.images.faults import FAULTS, explain
from imgproc.pipeline.images.formats import MAX_QUALITY, SMART, content_type_of, extension_of, identify
from imgproc.pipeline.images.keep import keep
from imgproc.pipeline.images.limits import BYTES_A_PIXEL, check_compression, check_memory
from imgproc.pipeline.images.memory import MemoryBudget
from imgproc.pipeline.images.notes import ImageNote
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.images.orientation import UPRIGHT, orientation_of, turn_upright, turned_size
from imgproc.pipeline.images.parts import check_parts
from imgproc.pipeline.images.readers import open_image, silence_pillow
from imgproc.pipeline.images.smart import encode_smart

# The names that code outside this folder imports.
__all__ = ["CompressOptions", "ImageFacts", "MemoryBudget", "Rendition", "compress", "content_type_of", "extension_of"]


@dataclass(frozen=True)
class ImageFacts:
    """One image file: its size in bytes, its width and height in pixels as displayed, and its format."""

    bytes: int
    width: int
    height: int
    format: str


@dataclass(frozen=True)
class Rendition:
    """The encoded image, how to serve it, and the facts of the source and the output.

    `kept` is True where the output shows the source's own pixels at full size, because encoding them again made no
    smaller file.
    """

    body: bytes
    content_type: str
    source: ImageFacts
    output: ImageFacts
    kept: bool = False
    notes: tuple[ImageNote, ...] = ()


def compress(
    source: bytes, *, options: CompressOptions, max_pixels: int, memory: MemoryBudget | None = None
) -> Rendition:
    """Make one rendition of `source`: its first frame, upright, scaled, in sRGB, without metadata.

    Each side becomes `scale` times the source's, rounded as `scaled_size` says. WebP, AVIF and PNG keep transparency;
    a JPEG shows it as white. The call waits until `memory`, which all threads share, has what the image needs.

    Raises:
        CompressError: `not_an_image`, `unsupported_format`, `too_many_pixels`, `corrupt_image`, `truncated_image`,
            or `encode_failed`.
    """
    silence_pillow()
    time = CpuTime()
    source_format = identify(source)
    target = options.output_format(source_format)
    try:
        check_parts(source, source_format)
        image = open_image(io.BytesIO(source), source_format)  # The headers alone: nothing is decoded yet.
        check_memory(image, source, max_pixels=max_pixels)
        check_compression(image)
        check_sides(scaled_size(image.size, options.scale), target=target, scale=options.scale)
        full_size = image.size  # Decoding a JPEG at a reduced size changes `image.size`.
        with _hold_memory(memory, image, target, options):
            with timed("decode"):
                picture = decode_resized(image, source, options=options, target=target)
            orientation = orientation_of(image)
            may_keep = target == source_format and _may_keep(image, orientation, options)
            del image  # Frees the picture at full size.
            picture = turn_upright(picture, orientation)
            facts = ImageFacts(len(source), *turned_size(full_size, orientation), source_format)
            with timed("encode"):
                body = _encode(picture, target, options, time)
                kept = _keep(source, facts, len(body), time) if may_keep else None
    except FAULTS as error:
        raise explain(error, source, source_format) from error
    return _rendition(facts, picture.size, target, body, kept)


def _hold_memory(
    memory: MemoryBudget | None, image: ImageFile.ImageFile, target: str, options: CompressOptions
) -> AbstractContextManager[None]:
    """Hold the bytes that the decoder or the encoder takes at most, beside the source."""
    if memory is None:
        return nullcontext()
    width, height = scaled_size(image.size, options.scale)
    quality = MAX_QUALITY if options.quality == SMART else options.quality
    alpha = image.has_transparency_data and target != "jpeg"
    encoding = min(encoder_bytes(width * height, target=target, quality=quality, alpha=alpha), IMAGE_BYTES)
    return memory.hold(max(image.width * image.height * BYTES_A_PIXEL, encoding))


def _may_keep(image: ImageFile.ImageFile, orientation: int, options: CompressOptions) -> bool:
    """Whether the source's own pixels may be the output: only if viewers show them exactly as they would the output."""
    return (
        options.quality == SMART
        and orientation == UPRIGHT
        and getattr(image, "n_frames", 1) == 1  # For some formats Pillow reads the whole file to count.
        and is_srgb(image)
    )


def _encode(picture: Image.Image, target: str, options: CompressOptions, time: CpuTime) -> bytes:
    if options.quality == SMART:
        return encode_smart(picture, target=target, scale=options.scale, time=time)
    return encode(picture, target=target, quality=options.quality, scale=options.scale)


def _keep(source: bytes, facts: ImageFacts, below: int, time: CpuTime) -> bytes | None:
    pixels = facts.width * facts.height
    return keep(source, source_format=facts.format, pixels=pixels, below=below, time=time)


def _rendition(facts: ImageFacts, size: tuple[int, int], target: str, body: bytes, kept: bytes | None) -> Rendition:
    if kept is not None:
        body, size = kept, (facts.width, facts.height)
    return Rendition(
        body=body,
        content_type=content_type_of(target),
        source=facts,
        output=ImageFacts(len(body), *size, target),
        kept=kept is not None,
    )
