"""Opens WebPs as Chromium shows them.

Of an animation it shows the first frame and ignores the colour profile. Around a frame smaller than the canvas, the
picture is transparent.
"""

from __future__ import annotations

import io
import struct
from typing import cast

from PIL.WebPImagePlugin import WebPImageFile

ANIMATION, ALPHA = 0x02, 0x10  # flags of a VP8X chunk (RFC 9649, 2.7.1)
FLAGS, CANVAS, CHUNKS = 20, slice(24, 30), 30  # places in a file that begins with such a chunk
FRAME, LOSSLESS_ALPHA = 16, 12  # where the chunks of a frame start, and the byte of its pixels with the flag


class WebP(WebPImageFile):
    """Frees the decoder and its two copies of the picture before Pillow allocates its own."""

    def _open(self) -> None:
        source = cast("io.BytesIO", self.fp).read()
        is_animation = source[12:16] == b"VP8X" and bool(source[FLAGS] & ANIMATION)
        self.fp = io.BytesIO(_with_clear_canvas(source) if is_animation else source)
        super()._open()
        if is_animation:
            self.info.pop("icc_profile", None)

    def load_prepare(self) -> None:
        """Free the decoder."""
        del self._decoder
        super().load_prepare()


def _with_clear_canvas(source: bytes) -> bytes:
    """The file marked as transparent if its first frame is, or is smaller than its canvas: libwebp makes that black."""
    frame = _first_frame(source)
    if frame is None or (frame[6:12] == source[CANVAS] and not _has_alpha(frame[FRAME:])):
        return source
    return source[:FLAGS] + bytes([source[FLAGS] | ALPHA]) + source[FLAGS + 1 :]


def _first_frame(source: bytes) -> bytes | None:
    """The first frame (RFC 9649, 2.7.1.1): its place, its sides, and its chunks from `FRAME` on."""
    at = CHUNKS
    while at + 8 <= len(source):
        name, length = struct.unpack_from("<4sI", source, at)
        if name == b"ANMF":
            return source[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return None


def _has_alpha(chunks: bytes) -> bool:
    """Whether the chunks of a frame begin with one of transparency, or lossless pixels that say to have it (3.4)."""
    is_lossless = chunks.startswith(b"VP8L") and len(chunks) > LOSSLESS_ALPHA
    return chunks.startswith(b"ALPH") or (is_lossless and bool(chunks[LOSSLESS_ALPHA] & 0x10))
