"""Photoshop documents (PSD, PSB): the composite that Photoshop saves beside the layers.

Adobe Photoshop File Formats Specification, 2019. Pillow's own reader takes any fourth channel for transparency, and
reads neither 16 bits a channel nor PSB.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from PIL import Image, ImageFile, ImagePalette

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.guards.parts import unusual

MAX_RESOURCES = 5000
MAX_CHANNELS = 56
STRIP = 4 * 1024 * 1024  # pixels
BITMAP, GREY, INDEXED, RGB, CMYK, DUOTONE, LAB = 0, 1, 2, 3, 4, 8, 9
MODES = {BITMAP: "1", GREY: "L", DUOTONE: "L", INDEXED: "P", RGB: "RGB", CMYK: "CMYK", LAB: "LAB"}
REFUSED = {7: "multichannel colours"}
ICC_PROFILE, TRANSPARENT_INDEX, VERSION_INFO = 1039, 1047, 1057
RAW, PACKBITS = 0, 1
INVERT_COLOURS = [*(255 - value for value in range(256))] * 3 + list(range(256))


class _Header(NamedTuple):
    signature: bytes
    version: int
    channels: int
    height: int
    width: int
    depth: int
    colours: int


class Psd(ImageFile.ImageFile):
    """The composite; its transparency only where the document says that it has one."""

    fp: Any
    format = "PSD"
    format_description = "Adobe Photoshop"

    def _open(self) -> None:
        header = _Header(*struct.unpack(">4sH6xHIIHH", self.fp.read(26)))
        _check(header)
        self._header, self._size = header, (header.width, header.height)
        self._mode = MODES[header.colours]
        palette = self._block()
        if self._mode == "P":
            self.palette = ImagePalette.raw("RGB;L", palette[:768])
        self._read_resources(self._block())
        layers = self._block(long=header.version == 2)
        self._has_alpha = header.channels > header.colours == RGB and _first_channel_is_alpha(layers, header)
        if self._has_alpha:
            self._mode = "RGBA"
        (self._compression,) = struct.unpack(">H", self.fp.read(2))
        if self._compression not in (RAW, PACKBITS):
            raise unusual("Photoshop document", "a composite of a rare compression")
        self._places = self._find_channels(len(Image.new(self._mode, (1, 1)).getbands()))
        if header.depth != 16:
            self.tile = [self._tile(place, self._raw(band)) for band, place in enumerate(self._places)]

    def _block(self, *, long: bool = False) -> bytes:
        """The next section, after its length."""
        (size,) = struct.unpack(">Q" if long else ">I", self.fp.read(8 if long else 4))
        return bytes(self.fp.read(size))

    def _read_resources(self, block: bytes) -> None:
        position = 0
        for _ in range(MAX_RESOURCES):
            if position + 12 > len(block):
                return
            (number,) = struct.unpack_from(">H", block, position + 4)
            position += 6 + (block[position + 6] + 2) // 2 * 2  # a name of even length, its own length included
            size = int.from_bytes(block[position : position + 4], "big")
            self._take(number, block[position + 4 : position + 4 + size])
            position += 4 + size + size % 2
        raise unusual("Photoshop document", "too many resources")

    def _take(self, number: int, body: bytes) -> None:
        if number == ICC_PROFILE:
            self.info["icc_profile"] = body
        elif number == TRANSPARENT_INDEX and self._mode == "P":
            self.info["transparency"] = int.from_bytes(body[:2], "big")
        elif number == VERSION_INFO and body[4:5] == b"\0":
            detail = (
                "The Photoshop document has no composite of its layers; in Photoshop set Preferences > File Handling > "
                "Maximize PSD and PSB File Compatibility to Always and save it again, or export it as PNG."
            )
            raise CompressError(detail, code="unsupported_format")

    def _find_channels(self, count: int) -> list[int]:
        """Where the rows of each channel start: one channel follows the other."""
        header, start = self._header, self.fp.tell()
        if self._compression == RAW:
            size = -(-header.width * header.depth // 8) * header.height
            return [start + size * band for band in range(count)]
        width = 4 if header.version == 2 else 2  # bytes of the length of a row
        lengths = self.fp.read(width * header.channels * header.height)
        start += len(lengths)
        places = []
        for band in range(count):
            places.append(start)
            table = lengths[width * header.height * band : width * header.height * (band + 1)]
            start += sum(struct.unpack(f">{len(table) // width}{'I' if width == 4 else 'H'}", table))
        return places

    def _raw(self, band: int) -> str:
        """The name that Pillow's decoders have for the samples of a channel. Photoshop stores inks inverted."""
        if self._mode == "CMYK":
            return "CMYK"[band] + ";I"
        if self._mode in {"RGB", "RGBA", "LAB"}:
            return self._mode[band]
        return "1;I" if self._mode == "1" else self._mode

    def _tile(self, place: int, raw: str) -> ImageFile._Tile:
        rows = (0, 0, *self.size)
        if self._compression == RAW:
            return ImageFile._Tile("raw", rows, place, (raw, 0, 1))
        return ImageFile._Tile("packbits", rows, place, raw)

    def load(self) -> Any:
        """Decode the composite at first use."""
        if self._im is not None:
            return super().load()
        if self._header.depth == 16:
            self._load_sixteen_bits()
        else:
            super().load()
        if self._has_alpha:
            self._take_out_white()
        return Image.Image.load(self)

    def _load_sixteen_bits(self) -> None:
        """Decode each channel as bytes, at twice its width: the high byte of each sample comes first."""
        self.im = Image.new(self._mode, self.size).im
        for band, place in enumerate(self._places):
            wide = _Wide(self.fp, size=(2 * self.width, self.height), place=place, compression=self._compression)
            high = wide.transform(self.size, Image.Transform.AFFINE, (2, 0, -0.5, 0, 1, 0))
            del wide
            if self._mode == "CMYK":
                high = high.point(INVERT_COLOURS[:256])
            if self._mode == "L":
                self.im = high.im
            else:
                self.im.putband(high.im, band)

    def _take_out_white(self) -> None:
        """Undo what Photoshop did: it saves the colours of the composite mixed with white.

        White minus the colour is then premultiplied by the transparency, which Pillow can divide by.
        """
        whole: Any = Image.Image._new(self, self.im)
        rows = max(1, STRIP // self.width)
        for top in range(0, self.height, rows):
            strip = whole.crop((0, top, self.width, min(self.height, top + rows))).point(INVERT_COLOURS)
            strip = Image.frombytes("RGBa", strip.size, strip.tobytes()).convert("RGBA").point(INVERT_COLOURS)
            whole.paste(strip, (0, top))
        self.im = whole.im


class _Wide(ImageFile.ImageFile):
    """The bytes of one channel as a picture of shades."""

    fp: Any
    format = "PSD"

    def __init__(self, stream: Any, *, size: tuple[int, int], place: int, compression: int) -> None:
        self._wanted = size
        raw = ("raw", place, ("L", 0, 1)) if compression == RAW else ("packbits", place, "L")
        self._only = ImageFile._Tile(raw[0], (0, 0, *size), raw[1], raw[2])
        super().__init__(stream)

    def _open(self) -> None:
        self._mode, self._size, self.tile = "L", self._wanted, [self._only]


def _check(header: _Header) -> None:
    """Refuse a document that is no document, or of colours or a depth that are not supported."""
    if header.colours in REFUSED or header.depth == 32:
        what = REFUSED.get(header.colours, "32 bits a channel")
        detail = f"A Photoshop document with {what} is not supported; convert it to RGB of 8 bits, or export it as PNG."
        raise CompressError(detail, code="unsupported_format")
    if header.depth != (1 if header.colours == BITMAP else header.depth) or header.depth not in (1, 8, 16):
        raise SyntaxError("no such depth")
    if header.colours not in MODES or not 1 <= header.channels <= MAX_CHANNELS:
        raise SyntaxError("no such colours")
    if header.channels < {RGB: 3, CMYK: 4, LAB: 3}.get(header.colours, 1):
        raise SyntaxError("too few channels")


def _first_channel_is_alpha(layers: bytes, header: _Header) -> bool:
    """Whether the fourth channel is the transparency of the composite: the number of layers is then negative.

    Otherwise it is a saved selection. A document of 16 bits has its layers in a block of their own.
    """
    width = 8 if header.version == 2 else 4
    size = int.from_bytes(layers[:width], "big")
    start = width if size else layers.find(b"Lr16") + 4 + width
    if start < width + (0 if size else 4):
        return False
    return int.from_bytes(layers[start : start + 2], "big", signed=True) < 0
