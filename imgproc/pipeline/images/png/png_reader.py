"""Reads PNG as Chromium shows it: lenient about chunks, exact about colours and the transparent colour."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any, cast

from PIL import Image, ImageChops, ImageFile, ImagePalette
from PIL.PngImagePlugin import PngImageFile

from imgproc.pipeline.images.colour.colours import to_plain, white_of
from imgproc.pipeline.images.png.png_chunks import PALETTE, SmallFrame, read_chunks
from imgproc.pipeline.images.png.png_colours import colours_of_png
from imgproc.pipeline.images.png.png_rows import check_rows, mend

STRIP_PIXELS = 4 * 1024 * 1024
MARK = 0xA5  # the samples of the last row until the decoder writes it
DEEP_GREY, DEEP_RGB = (16, 0), (16, 2)  # depths and colour types


class PngFile(PngImageFile):
    """A PNG whose `info` has the colour space or profile that counts, and whose colour key fits its samples."""

    def _open(self) -> None:
        self._chunks = read_chunks(cast("io.BytesIO", self.fp).read())
        self.fp = io.BytesIO(self._chunks.body)
        super()._open()
        self._kind = (self._chunks.body[24], self._chunks.body[25])
        self.n_frames = max(self.n_frames, self._chunks.frames)
        colours = colours_of_png(self._chunks.colours)
        self.info["icc_profile" if isinstance(colours, bytes) else "colour_space"] = colours
        self.info["is_grey"] = not self._kind[1] & 2
        self._fill_palette()
        self._scale_key()

    def _fill_palette(self) -> None:
        """Repeat the last colour and its transparency, because samples may be beyond the palette."""
        if self._kind[1] == PALETTE and self.png:
            if not self.png.im_palette:
                raise SyntaxError("no palette")  # A small output would be white.
            colours = self.png.im_palette[1]
            count = len(colours) // 3
            self.palette = ImagePalette.raw(
                "RGB", colours[: 3 * count] + colours[3 * count - 3 : 3 * count] * (256 - count)
            )
            if len(self._chunks.key) >= count > 0:
                alphas = self._chunks.key[:count]
                self.info["transparency"] = alphas + alphas[-1:] * (256 - count)

    def _scale_key(self) -> None:
        """Scale the transparent colour as Pillow scales the samples. Below 16 bits only its low byte counts."""
        depth, colour = self._kind
        if not self._chunks.key or colour == PALETTE:
            return
        most = 65535 if depth == 16 else 255
        key = [sample & most for (sample,) in struct.iter_unpack(">H", self._chunks.key[: 6 if colour else 2])]
        if colour == 2:
            self.info["transparency"] = tuple(key)
        elif key[0] < 2**depth:
            self.info["transparency"] = key[0] * (255 // (2**depth - 1) if depth < 8 else 1)
        else:
            del self.info["transparency"]  # No sample has it.

    def load(self) -> Any:
        """Decode the picture.

        Raises:
            CompressError: `truncated_image`, where pixels are missing; the detail says how much is there.
        """
        if self.tile:
            try:
                self._load_pixels()
            except (OSError, SyntaxError, struct.error):
                self._im = None  # Frees it before another is decoded.
                whole = PngFile(io.BytesIO(mend(self._chunks.body)))
                whole._load_pixels()
                self._mode, self.im, self.info, self.tile = whole._mode, whole.im, whole.info, []
        return super().load()

    def _load_pixels(self) -> None:
        key = self.info.get("transparency")
        deep = key if self._kind == DEEP_RGB else None
        matching = _match_low_bytes(self._chunks.body, deep) if deep else None
        super().load()
        if self._is_unwritten():
            check_rows(self._chunks.body)
        if matching and deep:
            _match(self, [sample >> 8 for sample in deep], matching)
            self.info.pop("transparency")
            self.putalpha(ImageChops.invert(matching))
        elif self._kind == DEEP_GREY and (key is not None or self.info.get("colour_space")):
            self.info.pop("transparency", None)
            self._make_plain(key)

    def load_prepare(self) -> None:
        """Mark the last row. The mark stays where the file has too few pixels, which Pillow does not notice."""
        super().load_prepare()
        self.im.paste(MARK if len(self.getbands()) == 1 else (MARK,) * len(self.getbands()), self._last_row())

    def _last_row(self) -> tuple[int, int, int, int]:
        """The row that is decoded last: of an interlaced picture an odd one."""
        last = self.height - 1
        if self.info.get("interlace") and last > 0:
            last -= 1 - last % 2
        return (0, last, self.width, last + 1)

    def _is_unwritten(self) -> bool:
        mark = MARK * 257 if self.mode == "I;16" else MARK
        bands = self.crop(self._last_row()).split()
        return all(band.getextrema() == (mark, mark) for band in bands)

    def _make_plain(self, key: int | None) -> None:
        """Turn grey of 16 bits into its high bytes, and transparency if there is a key, by strips.

        Samples of 16 bits are otherwise rounded. Here they are cut, because near black one level of linear light more
        would be 13 levels of sRGB.
        """
        plain = Image.new("L" if key is None else "LA", self.size)
        rows = max(1, STRIP_PIXELS // self.width)
        for top in range(0, self.height, rows):
            strip = self.crop((0, top, self.width, min(self.height, top + rows))).convert("I")
            part = strip.point(_high_bytes(), "L")
            if key is not None:
                part = Image.merge("LA", (part, strip.point(_all_but(key), "L")))
            plain.paste(part, (0, top))
        self._mode, self.im = plain.mode, plain.im


class _OnCanvas(ImageFile.ImageFile):
    """The first frame of an animation that it does not fill; what is around the frame is transparent."""

    format, format_description = "PNG", "Animated PNG"

    def __init__(self, found: SmallFrame) -> None:
        self._found = found
        super().__init__(io.BytesIO(found.body))

    def _open(self) -> None:
        self._frame: PngFile | None = PngFile(io.BytesIO(self._found.body))
        self._size, self._mode, self.n_frames = self._found.canvas, "RGBA", 2
        self.info = {name: self._frame.info.get(name) for name in ("icc_profile", "colour_space", "is_grey", "exif")}

    def load(self) -> Any:
        """Decode the frame at first use, and put it in its place."""
        if self._frame is not None:
            frame, self._frame = self._frame, None
            frame.load()
            plain = to_plain(frame, white=white_of(frame)).convert("RGBA")
            self.im = Image.new("RGBA", self.size).im
            left, top = self._found.left, self._found.top
            self.im.paste(plain.im, (left, top, left + plain.width, top + plain.height))
        return Image.Image.load(self)


def open_png(stream: io.BytesIO) -> ImageFile.ImageFile:
    """Read the headers of a PNG."""
    try:
        return PngFile(stream)
    except SmallFrame as found:
        return _OnCanvas(found)


@lru_cache(maxsize=1)
def _high_bytes() -> list[int]:
    return [sample >> 8 for sample in range(65536)]


def _all_but(key: int) -> list[int]:
    return [255] * key + [0] + [255] * (65535 - key)


def _match_low_bytes(body: bytes, key: tuple[int, ...]) -> Image.Image:
    """255 where the low bytes of the samples are those of `key`, and 0 elsewhere.

    Pillow decodes RGB of 16 bits to the high byte of each sample; read as little-endian, to the low byte.
    """
    file = PngImageFile(io.BytesIO(body))
    file.tile = [tile._replace(args="RGB;16L") for tile in file.tile]
    matching = Image.new("L", file.size, 255)
    _match(file, [sample & 255 for sample in key], matching)
    return matching


def _match(image: Image.Image, key: list[int], matching: Image.Image) -> None:
    """Set `matching` to 0 where the image has another colour than `key`, by strips."""
    levels = [255 * (level == sample) for sample in key for level in range(256)]
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(image.height, top + rows))
        same = matching.crop(box)
        for band in image.crop(box).point(levels).split():
            same = ImageChops.darker(same, band)
        matching.paste(same, box)
