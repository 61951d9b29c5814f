"""Opens JPEGs that Chromium shows and Pillow alone does not: without their end marker, or with odd segments."""

from __future__ import annotations

import io
from typing import Any, cast

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from imgproc.pipeline.images.guards.faults import FAULTS
from imgproc.pipeline.images.jpeg.jpeg_eighths import decode_rgb, simplejpeg
from imgproc.pipeline.images.jpeg.jpeg_segments import (
    EXIF,
    EXIF_NAME,
    MARKER,
    PIECE_AT,
    PROFILE,
    PROFILE_NAME,
    SCAN,
    metadata,
    segments,
)

END = b"\xff\xd9"
ADOBE, TABLES = 0xEE, 0xC4
COEFFICIENTS = 64
LARGE = 32 * 1024 * 1024  # pixels


class Jpeg(JpegImageFile):
    """Takes Exif and the profile from the segments that Chromium takes them from."""

    def _open(self) -> None:
        super()._open()
        self.info.update(metadata(cast("io.BytesIO", self.fp).getvalue()))

    def _read_dpi_from_exif(self) -> None:
        """No-op: we ignore the DPI, which may be a table of millions of numbers."""

    def load(self) -> Any:
        """Decode, with an end marker where it alone is missing.

        Raises:
            OSError: a part of the picture is missing or damaged.
        """
        if self._is_large() and (whole := decode_rgb(cast("io.BytesIO", self.fp).getvalue(), self.size)):
            self.im, self.tile = whole.im, []
            return Image.Image.load(self)
        try:
            return super().load()
        except OSError:
            ended = _with_end(cast("io.BytesIO", self.fp).getvalue(), self.mode)
            if ended is None:
                raise
        self.fp = io.BytesIO(ended)
        return super().load()

    def _is_large(self) -> bool:
        """Whether the picture is large, progressive, and decoded in full, so that memory is short.

        Beside the coefficients, of up to six bytes a pixel, simplejpeg keeps three bytes of a pixel, and Pillow four.
        """
        is_in_full = self.decoderconfig in {(), (1, 0)} and self.width * self.height > LARGE
        return bool(self.tile) and is_in_full and "progressive" in self.info and self.mode == "RGB"


def open_jpeg(stream: io.BytesIO) -> ImageFile.ImageFile:
    """Read the headers of a JPEG; segments that Pillow stumbles over are left out, as libjpeg ignores them."""
    try:
        return Jpeg(stream)
    except FAULTS:
        plain = _without_odd_segments(stream.getvalue())
        if plain is None:
            raise
    return Jpeg(io.BytesIO(plain))


def _with_end(source: bytes, mode: str) -> bytes | None:
    """`source` with an end marker if that makes it whole; None if more is missing.

    libjpeg tells by a warning where it made up for missing data, and simplejpeg makes an error of that.
    """
    for body in (source, source.rstrip(b"\0")):
        ended = body + END
        try:
            simplejpeg().decode_jpeg(ended, "CMYK" if mode == "CMYK" else "GRAY", min_width=1, min_height=1)
        except ValueError:
            continue
        return ended if _has_all_scans(ended) else None
    return None


def _has_all_scans(source: bytes) -> bool:
    """Whether the scans of a progressive JPEG reach the last bit of each coefficient; others have all in one pass."""
    components, sent = {}, set()
    position = 2
    while found := MARKER.search(source, position):
        kind, start = found[1][0], found.end()
        if kind in range(0xC0, 0xD0) and kind not in {TABLES, 0xC8, 0xCC}:
            if kind not in {0xC2, 0xCA}:
                return True
            components = {source[at]: () for at in range(start + 6, start + 6 + 3 * source[start + 5], 3)}
        if kind == SCAN:
            count = source[start]
            first, last, bits = source[start + 1 + 2 * count : start + 4 + 2 * count]
            names = source[start + 1 : start + 1 + 2 * count : 2]
            sent |= {(name, at) for name in names for at in range(first, last + 1) if bits & 15 == 0}
        position = start + (0 if kind >= 0xD8 and kind < SCAN else int.from_bytes(found[2], "big") - 2)
    return all((name, at) in sent for name in components for at in range(COEFFICIENTS))


def _without_odd_segments(source: bytes) -> bytes | None:
    """The JPEG with no application segments but Exif, profiles, and Adobe's where they are long enough.

    None where that changes nothing.
    """
    kept, position = [source[:2]], 2
    for segment in segments(source):
        if segment.kind not in range(0xE0, 0xF0) or _is_used(segment.kind, source[segment.body : segment.end]):
            kept.append(source[segment.start : segment.end])
        position = segment.end
    plain = b"".join(kept) + source[position:]
    return plain if plain != source else None


def _is_used(kind: int, body: bytes) -> bool:
    if kind == PROFILE:
        return body.startswith(PROFILE_NAME) and len(body) >= PIECE_AT
    return (kind == EXIF and body.startswith(EXIF_NAME)) or (kind == ADOBE and len(body) >= 12)
