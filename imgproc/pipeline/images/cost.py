"""What one image may cost, in memory and processor time, and the memory that the images of one process share."""

from __future__ import annotations

import time

MB = 10**6
IMAGE_BYTES = 440 * MB  # of a picture, what encodes it, and the file made; the source, of up to 50 MiB, comes beside
IMAGE_SECONDS = 8.0  # of processor time in all; what is optional stops before
OTHER_BYTES = 300 * MB  # of a worker: itself, sources that wait, and what each thread keeps of the memory it gave back
DEFAULT_LIMIT = 4096 * 1024 * 1024  # bytes of a worker that has no limit of its own

# Bytes a pixel while a picture is encoded, itself included: measured on noise, gradients, flat colour and black and
# white dots, at quality 95 (python -m tests.unit.hostile_images).
PICTURE_BYTES = 4
JPEG_BYTES = 6
PNG_BYTES = 8.8  # It grows by up to four bytes a pixel, in a buffer that is an eighth larger.
WEBP_BYTES, WEBP_BYTES_A_QUALITY = 9.2, 0.067  # without transparency; the larger the file, the more
WEBP_ALPHA_BYTES, WEBP_ALPHA_LEAST = 42, 34  # with the usual effort, and with the least
AVIF_BYTES, AVIF_ALPHA_BYTES = 33, 38


class CpuTime:
    """Processor time of this thread since it was made; all our decoders and encoders work in the thread that calls."""

    def __init__(self) -> None:
        self._started = time.thread_time()

    @property
    def left(self) -> float:
        """Seconds that are left of those an image may take; below 0 where it took more."""
        return IMAGE_SECONDS - (time.thread_time() - self._started)


def encoder_bytes(pixels: int, *, target: str, quality: int, alpha: bool, least: bool = False) -> int:
    """Bytes that a picture of so many pixels and its encoder take at most; `least` is with the least effort."""
    if target == "webp":
        opaque = WEBP_BYTES + WEBP_BYTES_A_QUALITY * quality
        each = (WEBP_ALPHA_LEAST if least else WEBP_ALPHA_BYTES) if alpha else opaque
    elif target == "avif":
        each = AVIF_ALPHA_BYTES if alpha else AVIF_BYTES
    else:
        each = PNG_BYTES if target == "png" else JPEG_BYTES
    return int(pixels * each)
