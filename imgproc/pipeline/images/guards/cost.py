"""The memory and processor time that one image may take."""

from __future__ import annotations

import time

MB = 10**6
IMAGE_BYTES = 440 * MB  # the picture, its encoder and the file made; the source, up to 50 MiB, is not counted
IMAGE_SECONDS = 8.0  # of processor time; optional work stops at it

# Bytes a pixel while a picture is encoded, the picture included. Measured at quality 95 on noise, gradients, flat
# colour and black and white dots (python -m tests.unit.hostile_images).
JPEG_BYTES = 8  # with colours at full size; 6 without
PNG_BYTES = 8.8  # The file takes up to four bytes a pixel, in a buffer that is an eighth larger.
WEBP_BYTES, WEBP_BYTES_A_QUALITY = 9.2, 0.067  # without transparency; a larger file takes more
WEBP_ALPHA_BYTES, WEBP_ALPHA_LEAST_BYTES = 42, 34  # with the usual and with the least effort
AVIF_BYTES, AVIF_ALPHA_BYTES = 34, 40  # with the copy of a picture that has white areas
FULL_COLOUR = 3 * MB  # Pictures up to so many pixels may keep their colours at full size, which takes more:
FULL_COLOUR_BYTES, FULL_COLOUR_ALPHA_BYTES = 49, 56


class CpuTime:
    """The processor time of this thread since construction; our decoders and encoders run in the calling thread."""

    def __init__(self) -> None:
        self._started = time.thread_time()

    @property
    def left(self) -> float:
        """Seconds left of the time an image may take; below 0 once it took more."""
        return IMAGE_SECONDS - (time.thread_time() - self._started)


def encoder_bytes(pixels: int, *, target: str, quality: int, alpha: bool, least: bool = False) -> int:
    """Bytes that a picture and its encoder take at most; `least` is for the encoder's least effort."""
    if target == "webp":
        each = _webp_bytes(quality, alpha=alpha, least=least)
    elif target == "avif" and pixels <= FULL_COLOUR:
        each = FULL_COLOUR_ALPHA_BYTES if alpha else FULL_COLOUR_BYTES
    elif target == "avif":
        each = AVIF_ALPHA_BYTES if alpha else AVIF_BYTES
    else:
        each = PNG_BYTES if target == "png" else JPEG_BYTES
    return int(pixels * each)


def _webp_bytes(quality: int, *, alpha: bool, least: bool) -> float:
    if not alpha:
        return WEBP_BYTES + WEBP_BYTES_A_QUALITY * quality
    return WEBP_ALPHA_LEAST_BYTES if least else WEBP_ALPHA_BYTES
