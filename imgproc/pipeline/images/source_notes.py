"""What a rendition does not show as its source has it."""

from __future__ import annotations

from PIL import ImageFile

from imgproc.pipeline.images.child_process.svg import has_references, has_text
from imgproc.pipeline.images.child_process.svgz import unpacked
from imgproc.pipeline.images.gif_bmp.gif_blocks import after_blocks, table_size
from imgproc.pipeline.images.notes import ImageNote

MAX_EXTENSIONS = 100  # of a GIF up to its second frame


def notes_of(image: ImageFile.ImageFile, source: bytes, source_format: str) -> tuple[ImageNote, ...]:
    """The notes on an opened source."""
    notes = []
    if _has_more(image, source, source_format):
        detail = "The source is an animation or has several pictures; the first one is shown."
        notes.append(ImageNote("first_frame", detail))
    drawing = unpacked(source) if source_format == "svg" else b""
    if has_text(drawing):
        detail = "The drawing's text is shown in a font of the server; convert the text to paths to keep its own."
        notes.append(ImageNote("font_replaced", detail))
    if has_references(drawing):
        detail = "The drawing names other files, which are left out; embed them as data: URLs."
        notes.append(ImageNote("reference_left_out", detail))
    return tuple(notes)


def _has_more(image: ImageFile.ImageFile, source: bytes, source_format: str) -> bool:
    """Whether the source has more than one frame or page. To count those of a GIF or TIFF, Pillow reads all of it."""
    if source_format == "gif":
        return _has_second_frame(source)
    if source_format == "tiff":
        return bool(getattr(image, "is_animated", False))
    return source_format in {"png", "webp", "avif", "heic"} and getattr(image, "n_frames", 1) > 1


def _has_second_frame(source: bytes) -> bool:
    """Whether a GIF has two pictures (GIF89a, 15 to 26)."""
    position, frames = 13 + table_size(source[10]), 0
    for _ in range(MAX_EXTENSIONS):
        kind = source[position : position + 1]
        if kind == b",":
            frames += 1
            if frames == 2:
                return True
            position = after_blocks(source, position + 11 + table_size(source[position + 9]))
        elif kind == b"!":
            position = after_blocks(source, position + 2)
        else:
            return False
    return False
