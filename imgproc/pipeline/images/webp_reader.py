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
    """The file marked as transparent if its first frame is smaller than its canvas: libwebp makes the rest black."""
    size = _first_size(source)
    if size in {None, source[CANVAS]}:
        return source
    return source[:FLAGS] + bytes([source[FLAGS] | ALPHA]) + source[FLAGS + 1 :]


def _first_size(source: bytes) -> bytes | None:
    """The sides of the first frame as they are written: each less one, in 24 bits."""
    at = CHUNKS
    while at + 8 <= len(source):
        name, length = struct.unpack_from("<4sI", source, at)
        if name == b"ANMF":
            return source[at + 14 : at + 20]
        at += 8 + length + length % 2
    return None
