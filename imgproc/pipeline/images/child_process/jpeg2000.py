"""JPEG 2000 by Pillow's OpenJPEG, with the colour profile that Pillow leaves out (ISO/IEC 15444-1, I.5.3)."""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.avif.avif_boxes import boxes
from imgproc.pipeline.images.child_process.jpeg2000_white import whiten

MAX_HEADER_BYTES = 8 * 1024 * 1024
CODESTREAM = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
PICTURE_BYTES = 4  # a pixel
MASKS = 4  # of a byte a pixel: a channel, where it is high, where it is zero, and where both are true
SAMPLE_BYTES = 4  # of a tile while it is decoded, beside one, two or four for its bits; measured on 12 megapixels
ICC_METHODS = (2, 3)  # restricted profiles, and any (JPX)
ENUMERATED, LAB = 1, 14  # a method, and a colour space (M.11.7.3.1 of ISO/IEC 15444-2)
COLOUR, OPACITIES = 0, (1, 2)  # types of channels (I.5.3.6)
USED, MOST_BOXES = {b"colr", b"cdef"}, 16  # of a name
MOST_CHANNELS = 16  # that are looked at; a picture of more than four is refused
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Jpeg2000(Jpeg2KImageFile):
    """Gives the ICC profile in `info`, as other formats do, and white where the samples have fewer than 8 bits.

    Its channels are in the order that the file states.
    """

    fp: Any

    def _open(self) -> None:
        super()._open()
        self.fp.seek(0)
        head = self.fp.read(MAX_HEADER_BYTES)
        header = _header(head)
        if profile := _icc_profile(header):
            self.info["icc_profile"] = profile
        self._order = _order(header)
        place = head.find(CODESTREAM)
        if place < 0:
            raise SyntaxError("no codestream")
        self.tile_pixels = _tile_pixels(head, place)
        self._depths = _depths(head, place)
        if self.mode == "L" and self._depths == [9]:
            self._mode = "I;16"  # Pillow reads 9 bits as black.

    @property
    def is_decoded_again(self) -> bool:
        """Whether `load` looks for lost white; pictures of one channel or with a palette lose none."""
        return max(self._depths) > 8 and len(self._depths) == len(self.getbands()) > 1

    def load(self) -> Any:
        """Decode, and widen samples of fewer than 8 bits, which Pillow only shifts to the left."""
        depths, order, is_new = self._depths, self._order, bool(self.tile)
        source = self.fp.getvalue() if is_new else b""
        loaded = super().load()
        if not is_new:
            return loaded
        if self.is_decoded_again:
            plain = Image.Image()._new(self.im)
            self.im = whiten(plain, source, source.find(CODESTREAM), depths).im
        if min(depths) < 8 and len(depths) == len(self.getbands()):
            widths = [None if self.mode in {"P", "PA"} else 255, *[255] * (len(depths) - 1)]
            levels = [level for depth, most in zip(depths, widths, strict=True) for level in _levels(depth, most)]
            self.im = self.im.point(levels, None)
        if self.mode in {"LA", "RGB", "RGBA"} and max(order, default=9) < len(self.getbands()):
            ordered = Image.merge(MODES[len(order)], [self.getchannel(channel) for channel in order])
            self._mode, self.im = ordered.mode, ordered.im
        return super().load()


def decoder_bytes(image: Any) -> float:
    """Bytes of the picture and of one tile, which OpenJPEG decodes as a whole; most pictures are one tile."""
    pixels: int = image.width * image.height
    channels, depth = len(image.getbands()), max(image._depths)
    samples: int = min(pixels, image.tile_pixels) * channels
    if not image.is_decoded_again:
        return pixels * PICTURE_BYTES + samples * _sample_bytes(depth)
    # The first picture and its channels wait for the second one, of a bit more, and then for the masks.
    return pixels * (2 * PICTURE_BYTES + channels) + max(samples * _sample_bytes(depth + 1), pixels * MASKS)


def _sample_bytes(depth: int) -> int:
    return SAMPLE_BYTES + (1 if depth <= 8 else 2 if depth <= 16 else 4)


def _tile_pixels(head: bytes, place: int) -> int:
    """The pixels of a tile (ISO/IEC 15444-1, A.5.1); the codestream begins at `place`."""
    width, height = struct.unpack_from(">II", head, place + 24)
    return int(width * height)


def _depths(head: bytes, place: int) -> list[int]:
    """The bits of a sample of each channel (ISO/IEC 15444-1, A.5.1); the codestream begins at `place`."""
    (count,) = struct.unpack_from(">H", head, place + 40)
    return [(bits & 0x7F) + 1 for bits in head[place + 42 : place + 42 + 3 * count : 3]]


def _levels(depth: int, most: int | None) -> list[int]:
    """What each level that Pillow gives means: a share of `most`, or the number of a palette's colour."""
    numbers = [level >> max(0, 8 - depth) for level in range(256)]
    return numbers if most is None else [round(number * most / (2 ** min(depth, 8) - 1)) for number in numbers]


def _header(head: bytes) -> dict[bytes, list[bytes]]:
    """The first boxes of the file's header by their names; none for a bare codestream."""
    found: dict[bytes, list[bytes]] = {}
    for name, start, end in boxes(head, 0, len(head)):
        if name == b"jp2h":
            for inner, at, stop in boxes(head, start, end):
                if inner in USED and len(same := found.setdefault(inner, [])) < MOST_BOXES:
                    same.append(head[at:stop])
        if name in {b"jp2h", b"jp2c"}:
            break
    return found


def _icc_profile(header: dict[bytes, list[bytes]]) -> bytes | None:
    """The profile, if the file has one.

    Raises:
        CompressError: `unsupported_format`, where the colours are Lab.
    """
    colours = header.get(b"colr", [])
    if colours and colours[0][:1] == bytes([ENUMERATED]) and int.from_bytes(colours[0][3:7], "big") == LAB:
        detail = (
            "The JPEG 2000 picture is in Lab colours, which is not supported; export it as an ordinary JPEG or PNG."
        )
        raise CompressError(detail, code="unsupported_format")
    return next((body[3:] for body in colours if body and body[0] in ICC_METHODS), None)


def _order(header: dict[bytes, list[bytes]]) -> list[int]:
    """The numbers of the channels that are red, green, blue (or grey) and opacity (I.5.3.6).

    Empty for the usual order.
    """
    (body, *_) = header.get(b"cdef", [b""])
    body = body[: 2 + 6 * MOST_CHANNELS]
    defined = list(struct.iter_unpack(">HHH", body[2 : 2 + (len(body) - 2) // 6 * 6])) if len(body) > 2 else []
    colours = sorted((meant, channel) for channel, kind, meant in defined if kind == COLOUR)
    order = [channel for _, channel in colours] + [channel for channel, kind, _ in defined if kind in OPACITIES][:1]
    is_usual = order == list(range(len(defined)))
    return [] if is_usual or len(set(order)) != len(order) or len(order) not in MODES else order
