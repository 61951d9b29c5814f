"""Source bytes and options in, a `Rendition` out: `compress` lists the steps in order.

The order makes it fast. libjpeg decodes a JPEG at a reduced size, so later steps handle a fraction of the pixels. The
slow C calls release the GIL, so the threads of one process share the cores.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageFile

from imgproc.core.metrics import StageSeconds, observe, timed
from imgproc.pipeline.images.child_process.apart import run_apart
from imgproc.pipeline.images.colour.colours import is_srgb
from imgproc.pipeline.images.decode import decode_resized, output_factor
from imgproc.pipeline.images.encoders.encode import check_sides
from imgproc.pipeline.images.encoders.smart import Encoded, encode_plain, encode_smart
from imgproc.pipeline.images.formats import APART, MAX_QUALITY, SMART, SOURCE, content_type_of, extension_of, identify
from imgproc.pipeline.images.guards.cost import IMAGE_BYTES, CpuTime, encoder_bytes
from imgproc.pipeline.images.guards.faults import FAULTS, explain
from imgproc.pipeline.images.guards.limits import check_memory, decoding_bytes
from imgproc.pipeline.images.guards.memory import MemoryBudget
from imgproc.pipeline.images.guards.parts import check_parts
from imgproc.pipeline.images.keep import KEEPERS, keep
from imgproc.pipeline.images.notes import ImageNote
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.images.orientation import UPRIGHT, orientation_of, turn_upright, turned_size
from imgproc.pipeline.images.readers import open_image, silence_pillow
from imgproc.pipeline.images.sizes import fits, scaled_size, size_notes
from imgproc.pipeline.images.source_notes import notes_of

# The names that code outside this folder imports.
__all__ = ["CompressOptions", "ImageFacts", "MemoryBudget", "Rendition", "compress", "content_type_of", "extension_of"]

OTHERWISE = "larger=source stores the picture of the source where that is possible"
NOT_KEPT = "only an upright JPEG, PNG or lossless WebP in sRGB, with one frame, can be stored in its place"


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
    smaller file, or one larger than the source. `likeness` is 1 where the output looks as the resized source does, and
    less the more it differs; None if it was not measured, which only `quality=smart` does. `notes` say what else a
    caller should know.
    """

    body: bytes
    content_type: str
    source: ImageFacts
    output: ImageFacts
    kept: bool = False
    likeness: float | None = None
    notes: tuple[ImageNote, ...] = ()


def compress(
    source: bytes,
    *,
    options: CompressOptions,
    max_pixels: int,
    memory: MemoryBudget | None = None,
    is_apart: bool = False,
    spent: StageSeconds | None = None,
) -> Rendition:
    """Make one rendition of `source`: its first frame, upright, scaled, in sRGB, without metadata.

    Each side becomes as many times the source's as `factor_of` says, rounded as by `scaled_size`. WebP, AVIF and PNG
    keep transparency; a JPEG shows it as white. The call waits until `memory`, which all threads share, has what the
    image needs.
    A picture of a format in `APART` is compressed by another process, which sets `is_apart`. What decoding and encoding
    take is added to `spent`.

    Raises:
        CompressError: `not_an_image`, `unsupported_format`, `too_many_pixels`, `corrupt_image`, `truncated_image`,
            or `encode_failed`.
    """
    silence_pillow()
    time = CpuTime()
    source_format = identify(source)
    if source_format in APART and not is_apart:
        answer = run_apart(source, source_format=source_format, options=options, max_pixels=max_pixels, memory=memory)
        return _made_apart(*answer, spent)
    target = options.output_format(source_format)
    image: ImageFile.ImageFile | None = None
    try:
        check_parts(source, source_format)
        image = open_image(io.BytesIO(source), source_format)  # The headers alone: nothing is decoded yet.
        check_memory(image, source, max_pixels=max_pixels)
        factor = output_factor(image, options)
        check_sides(scaled_size(image.size, factor), target=target, scale=factor)
        full_size = image.size  # Decoding a JPEG at a reduced size changes `image.size`.
        with _hold_memory(memory, image, source, factor, target, options):
            with timed("decode", spent):
                picture = decode_resized(image, source, factor=factor, options=options, target=target)
            orientation = orientation_of(image)
            facts = ImageFacts(len(source), *turned_size(full_size, orientation), source_format)
            may_keep = _may_keep(image, facts, target, options)
            notes = notes_of(image, source, source_format)
            image = None  # Frees the picture at full size.
            picture = turn_upright(picture, orientation)
            with timed("encode", spent):
                made = _encode(picture, target, factor, options, time)
                kept = _keep(source, facts, made.body, options, time) if may_keep else None
    except FAULTS as error:
        raise explain(error, source, source_format, image) from error
    return _rendition(facts, ImageFacts(len(made.body), *picture.size, target), made, kept, options, notes)


def _made_apart(answer: dict[str, Any], body: bytes, spent: StageSeconds | None) -> Rendition:
    """The rendition that another process made and described."""
    for stage, seconds in answer.pop("spent").items():
        observe(stage, seconds, spent)
    parts = {name: ImageFacts(**answer[name]) for name in ("source", "output")}
    notes = tuple(ImageNote(**note) for note in answer["notes"])
    return Rendition(**answer | parts | {"body": body, "notes": notes})


def _hold_memory(
    memory: MemoryBudget | None,
    image: ImageFile.ImageFile,
    source: bytes,
    factor: float,
    target: str,
    options: CompressOptions,
) -> AbstractContextManager[None]:
    """Reserve the most bytes that the decoder or the encoder may take, without those of the source."""
    if memory is None:
        return nullcontext()
    width, height = scaled_size(image.size, factor)
    quality = MAX_QUALITY if options.quality == SMART else options.quality
    alpha = image.has_transparency_data and target != "jpeg"
    encoding = min(encoder_bytes(width * height, target=target, quality=quality, alpha=alpha), IMAGE_BYTES)
    return memory.hold(max(decoding_bytes(image, source, factor=factor), encoding))


def _may_keep(image: ImageFile.ImageFile, facts: ImageFacts, target: str, options: CompressOptions) -> bool:
    """Whether the source's own pixels may be the output: only if viewers show them exactly as they would the output.

    Only `larger=source` gives them in another format than the one asked for.
    """
    return (
        facts.format in KEEPERS
        and (options.larger == SOURCE or (options.quality == SMART and target == facts.format))
        and fits((facts.width, facts.height), options)
        and orientation_of(image) == UPRIGHT
        and getattr(image, "n_frames", 1) == 1  # For some formats Pillow reads the whole file to count.
        and is_srgb(image)
    )


def _encode(picture: Image.Image, target: str, scale: float, options: CompressOptions, time: CpuTime) -> Encoded:
    if options.quality == SMART:
        return encode_smart(picture, target=target, scale=scale, time=time)
    return encode_plain(picture, target=target, quality=options.quality, scale=scale)


def _keep(source: bytes, facts: ImageFacts, body: bytes, options: CompressOptions, time: CpuTime) -> bytes | None:
    """The source's own pixels in fewer bytes than `body`; None if there are none, or `body` is small enough."""
    worth_it = options.quality == SMART and facts.format == options.output_format(facts.format)
    if not worth_it and len(body) <= len(source):
        return None
    pixels = facts.width * facts.height
    return keep(source, source_format=facts.format, pixels=pixels, below=len(body), time=time)


def _rendition(
    source: ImageFacts,
    made: ImageFacts,
    encoded: Encoded,
    kept: bytes | None,
    options: CompressOptions,
    notes: tuple[ImageNote, ...],
) -> Rendition:
    output = made if kept is None else replace(source, bytes=len(kept))
    error = encoded.error if kept is None else 0.0
    notes += size_notes((source.width, source.height), (output.width, output.height), options)
    return Rendition(
        body=encoded.body if kept is None else kept,
        content_type=content_type_of(output.format),
        source=source,
        output=output,
        kept=kept is not None,
        likeness=None if error is None else max(0.0, 1.0 - error),
        notes=(*notes, *_larger_notes(source, made, output, options)),
    )


def _larger_notes(
    source: ImageFacts, made: ImageFacts, output: ImageFacts, options: CompressOptions
) -> tuple[ImageNote, ...]:
    """Say that the rendition is larger than its source, or that the source's picture stands in for it."""
    if made.bytes <= source.bytes:
        return ()
    larger = f"The {made.format} has {made.bytes:,} bytes, and its source {source.bytes:,}"
    if output is made:
        asked = options.larger == SOURCE
        return (ImageNote("larger_than_source", f"{larger}; {NOT_KEPT if asked else OTHERWISE}."),)
    return (ImageNote("source_kept", f"{larger}, so the picture of the source is stored, in its format and size."),)
