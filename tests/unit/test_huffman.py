"""JPEGs have Huffman tables that suit them, found from a sample: the same pixels in fewer bytes."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from imgproc.pipeline.images.encoders import libjpeg
from imgproc.pipeline.images.encoders.huffman import AC_VALUES, DC_VALUES, completed, sampled
from imgproc.pipeline.images.encoders.libjpeg import Table, encode_jpeg
from imgproc.pipeline.images.encoders.plain_jpeg import save_jpeg
from tests.support.photographs import decode, photo

WHITE_QUALITIES = (20, 34, 77)  # have a quantization step that would spoil white
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    """Pixels that no table suits."""
    return Image.frombytes(mode, size, os.urandom(size[0] * size[1] * len(mode)))


def crop(mode: str, width: int, height: int) -> Image.Image:
    """A part of a photograph."""
    return photo("astronaut").crop((30, 40, 30 + width, 40 + height)).convert(mode)


SHAPES = ((1, 1), (1, 480), (480, 1), (15, 17), (257, 256), (463, 301))
PICTURES = {
    **{f"{mode} of {width}x{height}": crop(mode, width, height) for mode in ("RGB", "L") for width, height in SHAPES},
    "noise": noise("RGB", (300, 301)),
    "grey noise": noise("L", (301, 300)),
    "pixels of another owner": Image.frombuffer("L", (501, 300), os.urandom(501 * 300), "raw", "L", 0, 1),
    "several pieces of memory": photo("coffee").resize((2600, 2601)),
    "a low strip": photo("coffee").resize((65_500, 9)),
    "a narrow strip": photo("coffee").resize((2, 65_500)),
    "one colour": Image.new("RGB", (400, 400), (200, 40, 10)),
}


def by_pillow(picture: Image.Image, **settings: object) -> bytes:
    """The JPEG that Pillow writes with the quantization tables given, or of the quality."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **settings)
    return stream.getvalue()


@pytest.mark.parametrize("colours", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("name", PICTURES)
def test_the_pixels_are_those_that_pillow_encodes(name: str, colours: str) -> None:
    """Whatever the size and mode of a picture, and wherever its pixels are."""
    for quality in (1, 50, 95):
        made = save_jpeg(PICTURES[name], quality=quality, subsampling=colours)
        plain = by_pillow(PICTURES[name], quality=quality, subsampling=colours)
        assert decode(made).tobytes() == decode(plain).tobytes()
        assert len(made) <= len(plain)


@pytest.mark.parametrize("quality", [25, 50, 80])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_sample_shows_nearly_the_best_tables(name: str, quality: int) -> None:
    """The file is at most 4% larger than with the tables of all pixels."""
    picture = photo(name).resize((640, 480))
    best = encode_jpeg(picture, quality=quality, full_colours=False).body
    assert len(save_jpeg(picture, quality=quality)) <= 1.04 * len(best)


@pytest.mark.parametrize("seen", [bytes(1), bytes(range(2)), bytes(range(1, 11)), bytes(range(11))], ids=len)
def test_every_value_has_a_code(seen: bytes) -> None:
    """Also those that the sample lacks; and no code is of ones alone (ITU-T T.81, C.2)."""
    bits = bytes([0, *[1] * (len(seen)), *[0] * (16 - len(seen))])
    tables = completed([Table(bits, seen)] * 4)
    for table, every in zip(tables, (DC_VALUES, AC_VALUES) * 2, strict=True):
        assert sorted(table.values) == sorted(every)
        assert len(table.values) == sum(table.bits)
        assert sum(count * 2 ** (16 - length) for length, count in enumerate(table.bits)) < 2**16


def test_a_sample_that_lacks_much_still_encodes_the_rest() -> None:
    """Noise between stripes of white: none of its values is in the sample."""
    picture = Image.new("RGB", (320, 2560), "white")
    for top in range(0, 2560, 320):
        picture.paste(noise("RGB", (320, 64)), (0, top))
    assert len(sampled(picture, quality=50, full_colours=False)[0].body) < 2000
    tables = completed(sampled(picture, quality=50, full_colours=False)[0].tables)
    made = encode_jpeg(picture, quality=50, full_colours=False, tables=tables).body
    assert decode(made).tobytes() == decode(by_pillow(picture, quality=50)).tobytes()


@pytest.mark.parametrize("quality", WHITE_QUALITIES)
@pytest.mark.parametrize("available", [True, False], ids=["libjpeg-turbo", "another libjpeg"])
def test_white_does_not_cost_bytes(monkeypatch: pytest.MonkeyPatch, quality: int, available: bool) -> None:
    """A quality whose white needs another step makes a file between those of its neighbours."""
    monkeypatch.setattr(libjpeg, "is_available", lambda: available)
    sizes = [len(save_jpeg(photo("coffee"), quality=each)) for each in (quality - 1, quality, quality + 1)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("quality", [*WHITE_QUALITIES, 50])
def test_another_libjpeg_gives_the_same_pixels(monkeypatch: pytest.MonkeyPatch, quality: int) -> None:
    """Pillow encodes where it is linked to a library that we do not know."""
    ours = save_jpeg(photo("coffee"), quality=quality)
    monkeypatch.setattr(libjpeg, "is_available", lambda: False)
    assert decode(save_jpeg(photo("coffee"), quality=quality)).tobytes() == decode(ours).tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "P", "1", "I;16", "F"])
def test_refuses_pixels_that_it_would_misread(mode: str) -> None:
    """libjpeg reads memory; it knows nothing of Pillow's modes."""
    with pytest.raises(OSError, match="L and RGB"):
        encode_jpeg(Image.new(mode, (20, 20)), quality=50, full_colours=False)


def test_refuses_no_rows() -> None:
    """libjpeg would end the process."""
    with pytest.raises(OSError, match="L and RGB"):
        encode_jpeg(Image.new("RGB", (20, 20)), quality=50, full_colours=False, rows=[])


def test_threads_do_not_disturb_each_other() -> None:
    """The library has no state of its own."""
    pictures = [photo(name) for name in PHOTOGRAPHS]
    alone = [save_jpeg(picture, quality=50) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda picture: save_jpeg(picture, quality=50), pictures * 8)) == alone * 8
