"""JPEG 2000 whose channels have few bits, another order than usual, or a palette."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.jpeg2000 import Jpeg2000, decoder_bytes
from imgproc.pipeline.images.child_process.jpeg2000_white import whiten
from imgproc.pipeline.images.guards.limits import decoding_bytes
from tests.support.half_pictures import ALPHA, GREY, IS_RIGHT, LIME, RED, RGB, box, indexed_jp2, of_depth, with_alpha
from tests.support.photographs import encode
from tests.support.rendered import on_white, refused

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
COLOUR, OPACITY, UNSPECIFIED = 0, 1, 65535
Channel = tuple[int, int, int]  # its number, its type, and the colour that it means from 1 on; 0 for all
INVERTED = Image.eval(ALPHA, lambda level: 255 - level)


def _masked() -> bytes:
    """Colours of 8 bits, and transparency of one, whose 0 is stored as 127."""
    alpha = Image.fromarray(np.where(IS_RIGHT, 127, 128).astype(np.uint8))
    source = of_depth(encode(with_alpha(alpha, RGB), "JPEG2000", mct=0), 1, channel=3)
    at, end = source.index(b"jp2h") - 4, source.index(b"ihdr") + 18
    (length,) = struct.unpack_from(">I", source, at)
    depths = box(b"bpcc", bytes([7, 7, 7, 0]))
    head = source[at + 4 : end - 4] + b"\xff" + source[end - 3 : end]
    return source[:at] + struct.pack(">I", length + len(depths)) + head + depths + source[end:]


def _defined(picture: Image.Image, *channels: Channel) -> bytes:
    """A JP2 that says what its channels are."""
    source = encode(picture, "JPEG2000", mct=0)
    at = source.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", source, at)
    inner = source[at + 8 : at + length]
    if (usual := inner.find(b"cdef") - 4) >= 0:
        inner = inner[:usual] + inner[usual + int.from_bytes(inner[usual : usual + 4], "big") :]
    definition = b"".join(struct.pack(">HHH", *channel) for channel in channels)
    body = inner + box(b"cdef", struct.pack(">H", len(channels)) + definition)
    return source[:at] + box(b"jp2h", body) + source[at + length :]


def test_a_jp2_may_have_transparency_of_one_bit() -> None:
    """It hides or shows, and nothing is half transparent."""
    shown = on_white(_masked(), is_apart=True)
    assert (shown[8, 8] == RED).all()
    assert (shown[8, 24] == WHITE).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_jp2_may_have_a_palette_of_few_colours(bits: int) -> None:
    """The numbers are those of the palette, whatever their bits."""
    shown = on_white(indexed_jp2(bits), is_apart=True)
    assert (shown[8, 8] == RED).all()
    assert (shown[8, 24] == LIME).all()


@pytest.mark.parametrize(
    ("bands", "channels", "right"),
    [
        pytest.param("BGR", ((0, COLOUR, 3), (1, COLOUR, 2), (2, COLOUR, 1)), LIME, id="blue-first"),
        pytest.param(
            "ARGB", ((0, OPACITY, 0), (1, COLOUR, 1), (2, COLOUR, 2), (3, COLOUR, 3)), WHITE, id="opacity-first"
        ),
        pytest.param(
            "RGBA", ((0, COLOUR, 1), (1, COLOUR, 2), (2, COLOUR, 3), (3, UNSPECIFIED, 65535)), LIME, id="not-opacity"
        ),
        pytest.param("RGB", ((9, COLOUR, 1), (1, COLOUR, 2), (2, COLOUR, 3)), LIME, id="a-channel-that-is-not-there"),
    ],
)
def test_channels_are_what_the_file_says(bands: str, channels: tuple[Channel, ...], right: tuple[int, ...]) -> None:
    """Pillow takes them in the order of the file, and the fourth as transparency."""
    there = dict(zip("RGBA", with_alpha(ALPHA, RGB).split(), strict=True))
    picture = Image.merge("RGBA" if len(bands) == 4 else "RGB", [there[band] for band in bands])
    shown = on_white(_defined(picture, *channels), is_apart=True)
    assert (shown[8, 8] == RED).all()
    assert (shown[8, 24] == right).all()


def test_opacity_may_come_before_grey() -> None:
    """A transparent pixel is white, whatever its grey."""
    picture = Image.merge("LA", [INVERTED, Image.new("L", GREY.size)])
    shown = on_white(_defined(picture, (0, OPACITY, 0), (1, COLOUR, 1)), is_apart=True)
    assert (shown[8, 8] == WHITE).all()
    assert (shown[8, 24] == BLACK).all()


def test_lab_is_refused_by_name() -> None:
    """Its channels would be shown as red, green and blue."""
    source = encode(RGB, "JPEG2000")
    place = source.index(b"colr") + 7
    error = refused(source[:place] + struct.pack(">I", 14) + source[place + 4 :])
    assert (error.code, "Lab" in error.detail) == ("unsupported_format", True)


def _deep(*levels: tuple[int, int], bits: int = 16, irreversible: bool = False) -> bytes:
    """A codestream of channels of more than 8 bits, each of a left and a right level: one packet for each channel."""
    streams = []
    for pair in levels:
        samples = np.repeat(np.array([pair], np.uint16), 16, axis=1).repeat(16, axis=0) << (16 - bits)
        grey = Image.fromarray(samples)
        stream = encode(grey, "JPEG2000", no_jp2=True, num_resolutions=1, irreversible=irreversible, mct=0)
        streams.append(stream)
    head, _, first = streams[0].partition(b"\xff\x93")
    tile = head.index(b"\xff\x90")
    packets = first[:-2] + b"".join(stream.partition(b"\xff\x93")[2][:-2] for stream in streams[1:])
    (size,) = struct.unpack_from(">H", head, 4)
    sizes = struct.pack(">H", size + 3 * (len(levels) - 1)) + head[6:40] + struct.pack(">H", len(levels))
    main = head[:4] + sizes + head[42:45] * len(levels) + head[45:tile]
    part = head[tile : tile + 6] + struct.pack(">I", 14 + len(packets)) + head[tile + 10 :]
    return main + part + b"\xff\x93" + packets + b"\xff\xd9"


@pytest.mark.parametrize("irreversible", [False, True], ids=["lossless", "lossy"])
@pytest.mark.parametrize("channels", [3, 4])
def test_white_of_16_bits_stays_white(channels: int, irreversible: bool) -> None:
    """Rounded up to 256, it would be black."""
    deep = _deep((65535, 0), (65535, 30_000), (0, 0), *[(65535, 65535)] * (channels - 3), irreversible=irreversible)
    shown = on_white(deep, is_apart=True)
    assert np.abs(shown[:, :12] - (255, 255, 0)).max() <= 1
    assert np.abs(shown[:, 20:] - (0, 117, 0)).max() <= 1


def test_refuses_deep_samples_without_guard_bits() -> None:
    """Their white cannot be told from black."""
    deep = bytearray(_deep((0, 0), (0, 0), (0, 0), irreversible=True))
    deep[deep.index(b"\xff\x5c") + 4] &= 31
    with pytest.raises(CompressError, match="rare depth"):
        whiten(Image.new("RGB", (32, 16)), bytes(deep), 0, [16, 16, 16])


@pytest.mark.parametrize(
    ("source", "bytes_a_pixel"),
    [
        pytest.param(_deep((65535, 0)), 4 + 6, id="grey of 16 bits"),
        pytest.param(encode(RGB, "JPEG2000"), 4 + 3 * 5, id="colours of 8 bits"),
        pytest.param(of_depth(encode(RGB, "JPEG2000"), 12), 8 + 3 + 3 * 6, id="colours of 12 bits"),
        pytest.param(_deep((65535, 0), (0, 0), (0, 0)), 8 + 3 + 3 * 8, id="colours of 16 bits"),
    ],
)
def test_holds_what_the_decoder_takes(source: bytes, bytes_a_pixel: int) -> None:
    """Only pictures that may have lost their white are decoded again."""
    image = Jpeg2000(io.BytesIO(source))
    needed = bytes_a_pixel * image.width * image.height
    assert (decoder_bytes(image), decoding_bytes(image, source, factor=1)) == (needed, needed)
