"""The limits on encoding: memory that threads share, CPU time of the search, sizes of the formats."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageStat

from imgproc.core.errors import CompressError
from imgproc.pipeline.images import keep
from imgproc.pipeline.images.avif.avif_boxes import has_long_tables
from imgproc.pipeline.images.compress import CompressOptions, MemoryBudget, Rendition, compress
from imgproc.pipeline.images.encoders import avif_grid, smart
from imgproc.pipeline.images.encoders import encode as encoding
from imgproc.pipeline.images.guards import cost
from imgproc.pipeline.images.guards.cost import CpuTime
from imgproc.pipeline.images.guards.limits import check_memory
from imgproc.pipeline.images.guards.parts import check_parts
from imgproc.pipeline.images.readers import open_image
from tests.support.photographs import decode, encode, photo

MIB = 1024 * 1024


def run(source: bytes, **options: Any) -> Rendition:
    """Compress with the default options, except those given."""
    return compress(source, options=CompressOptions(**options), max_pixels=50_000_000)


# Memory that threads share


def test_a_large_image_waits_and_is_not_overtaken() -> None:
    """Three images need 40% of the memory and one 90%: the sum never exceeds 100%, and the large one keeps its turn."""
    memory, lock, held, most, order = MemoryBudget(1000 * MIB), threading.Lock(), 0, 0, list[int]()
    asking = threading.Semaphore(0)

    def work(number: int, share: float) -> None:
        nonlocal held, most
        need = int(memory.size * share)
        asking.release()
        with memory.hold(need):
            with lock:
                held, most = held + need, max(most, held + need)
                order.append(number)
            time.sleep(0.3)
            with lock:
                held -= need

    with ThreadPoolExecutor(4) as pool:
        futures = []
        for number, share in enumerate([0.4, 0.9, 0.4, 0.4]):
            futures.append(pool.submit(work, number, share))
            assert asking.acquire(timeout=60)
            time.sleep(0.05)  # until it waits
        for future in futures:
            future.result()
    assert order[:2] == [0, 1]
    assert sorted(order) == [0, 1, 2, 3]
    assert memory.size * 0.8 < most <= memory.size


def test_memory_is_released_after_a_failure() -> None:
    """The budget is whole again after each image."""
    memory = MemoryBudget(1000 * MIB)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), memory.hold(memory.size):
            raise ZeroDivisionError
    with memory.hold(memory.size):
        pass


def test_an_image_that_never_fits_is_refused() -> None:
    """It does not wait, and the next image is processed."""
    memory = MemoryBudget(500 * MIB)
    with pytest.raises(CompressError) as refused:
        compress(
            encode(Image.new("L", (5000, 5000)), "PNG"), options=CompressOptions(), max_pixels=10**8, memory=memory
        )
    assert refused.value.code == "too_many_pixels"
    assert compress(encode(photo("coffee"), "PNG"), options=CompressOptions(), max_pixels=10**8, memory=memory).body


FOUR_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from imgproc.pipeline.images.compress import CompressOptions, MemoryBudget, compress
from imgproc.core.process import limit_memory
from tests.support.photographs import encode
from PIL import Image

limit = 800 * 1024 * 1024
source = encode(Image.new("RGB", (3000, 3000)), "PNG")
limit_memory(limit)
memory = MemoryBudget(limit)

def make(_):
    return compress(source, options=CompressOptions(format=sys.argv[1], scale=1), max_pixels=50_000_000, memory=memory)

with ThreadPoolExecutor(4) as pool:
    print([made.output.width for made in pool.map(make, range(4))])
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
@pytest.mark.parametrize("target", ["avif", "png"])
def test_four_large_images_at_once_do_not_end_the_process(target: str) -> None:
    """An AVIF takes 300 of the 800 MB: without a budget its encoder would end the process."""
    command = [sys.executable, "-c", FOUR_AT_ONCE, target]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[3000, 3000, 3000, 3000]"), done.stderr


# Sizes and memory of the formats


@pytest.mark.parametrize(("target", "side"), [("jpeg", 65_501), ("webp", 16_384), ("avif", 32_769)])
@pytest.mark.parametrize("quality", [50, "smart"])
def test_a_side_too_long_for_the_format_is_refused(target: str, side: int, quality: int | str) -> None:
    """The error names a scale and a format that work."""
    source = encode(Image.new("RGB", (side, 2)), "PNG")
    with pytest.raises(CompressError) as refused:
        run(source, format=target, scale=1, quality=quality)
    assert refused.value.code == "encode_failed"
    assert "scale of 0.99 or less, or the format png" in refused.value.detail
    assert run(source, format=target, scale=0.99, quality=quality).output.height == 2
    assert run(source, format="png", scale=1).output.width == side


def test_webp_that_takes_too_much_memory_is_refused_with_a_scale_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP, unlike AVIF, cannot be encoded in parts."""
    monkeypatch.setattr(encoding, "IMAGE_BYTES", 2 * 10**6)
    source = encode(photo("coffee"), "PNG")
    with pytest.raises(CompressError) as refused:
        run(source, format="webp", scale=1)
    assert (refused.value.code, "the format avif" in refused.value.detail) == ("encode_failed", True)
    scale = float(refused.value.detail.split("a scale of ")[1].split()[0])
    assert run(source, format="webp", scale=scale).body
    assert run(source, format="avif", scale=1).body


@pytest.mark.exhaustive
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_phone_jpeg_of_48_megapixels_passes(progressive: bool, subsampling: int) -> None:
    """The memory of a progressive JPEG is estimated before decoding, and 48 megapixels are within the limit."""
    source = encode(Image.new("RGB", (8064, 6048)), "JPEG", progressive=progressive, subsampling=subsampling)
    check_memory(open_image(io.BytesIO(source), "jpeg"), source, max_pixels=50_000_000)


def test_large_transparency_is_encoded_with_less_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP then takes a fifth less memory."""
    picture = photo("coffee").convert("RGBA")
    pixels = picture.width * picture.height
    monkeypatch.setattr(encoding, "IMAGE_BYTES", 38 * pixels)
    assert decode(encoding.encode(picture, target="webp", quality=50)).size == picture.size


# AVIF in tiles


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(640, 480), (641, 479), (600, 64), (130, 601)])
def test_tiles_show_the_same_picture(monkeypatch: pytest.MonkeyPatch, mode: str, size: tuple[int, int]) -> None:
    """Tiles are as close to the picture as one whole file; odd sizes do not divide into tiles."""
    monkeypatch.setattr(avif_grid, "TILE", 128)
    picture = photo("coffee").resize(size).convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(size))
    whole = decode(encode(picture, "AVIF", quality=80, speed=8)).convert(mode)
    tiled = decode(avif_grid.encode_grid(picture, quality=80, time=CpuTime(), speed=8, max_threads=1))
    assert (tiled.size, tiled.mode) == (size, "RGB" if mode == "L" else mode) or tiled.mode == mode
    errors = [ImageStat.Stat(ImageChops.difference(each.convert(mode), picture)) for each in (whole, tiled)]
    assert np.all(np.array(errors[1].mean) < 1.2 * np.array(errors[0].mean) + 0.3)
    assert np.all(np.array([high for _, high in errors[1].extrema]) < 60)


def test_tiles_that_are_slow_get_less_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """If that does not help, the picture is refused before the remaining tiles are encoded."""
    monkeypatch.setattr(avif_grid, "TILE", 128)
    speeds, save = list[int](), Image.Image.save

    def note(self: Image.Image, stream: io.BytesIO, *arguments: Any, **settings: Any) -> None:
        speeds.append(settings["speed"])
        save(self, stream, *arguments, **settings)

    monkeypatch.setattr(Image.Image, "save", note)
    picture = photo("coffee")
    assert avif_grid.encode_grid(picture, quality=50, time=CpuTime(), speed=8, max_threads=1)
    assert set(speeds) == {8}
    monkeypatch.setattr(cost, "IMAGE_SECONDS", 0.02)
    speeds.clear()
    with pytest.raises(TimeoutError):
        avif_grid.encode_grid(picture, quality=50, time=CpuTime(), speed=8, max_threads=1)
    assert speeds[-1] in {8, 10}
    assert len(speeds) < 20


def test_tiles_of_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is in memory beside the picture; the remaining tiles are not encoded."""
    monkeypatch.setattr(avif_grid, "TILE", 128)
    picture = photo("coffee")
    size = len(avif_grid.encode_grid(picture, quality=50, time=CpuTime(), speed=8, max_threads=1))
    monkeypatch.setattr(avif_grid, "MOST_BYTES", size // 2)
    monkeypatch.setattr(encoding, "AVIF_SECONDS", 0)
    with pytest.raises(CompressError, match="another format or a smaller scale") as caught:
        encoding.encode(picture, target="avif", quality=50)
    assert caught.value.code == "encode_failed"


@pytest.mark.exhaustive
def test_large_avifs_are_made_of_tiles() -> None:
    """Small ones are encoded in one call."""
    picture = photo("coffee").resize((4200, 3400))
    picture.putalpha(255)
    made = encoding.encode(picture, target="avif", quality=50)
    assert (made.count(b"grid"), decode(made).size) == (2, picture.size)
    assert b"grid" not in encoding.encode(photo("coffee"), target="avif", quality=50)
    assert not has_long_tables(made)  # so that it can be a source
    assert run(made, format="avif", scale=0.05).output.width == 210


@pytest.mark.parametrize("tiles", [256])
def test_a_grid_of_the_most_tiles_is_read(tiles: int) -> None:
    """The limit on parts is above what encoders write."""
    tile = avif_grid._read(encode(Image.new("RGB", (64, 64)), "AVIF", speed=10))
    alpha = avif_grid._read(encode(Image.new("L", (64, 64)), "AVIF", speed=10))
    made = avif_grid._file([tile] * tiles, [alpha] * tiles, size=(1024, 1024), tile=(64, 64), grid=(16, 16))
    check_parts(made, "avif")
    assert decode(made).size == (1024, 1024)


# Time


def test_the_search_ends_with_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """No probe starts without enough time left; the plain rendition is the fallback."""
    source, probes = encode(photo("coffee"), "PNG"), list[int]()
    encoder, first = smart.STRONGER["webp"]

    def note(picture: Image.Image, quality: int) -> bytes:
        probes.append(quality)
        return encoder(picture, quality)

    monkeypatch.setitem(smart.STRONGER, "webp", (note, first))
    monkeypatch.setattr(cost, "IMAGE_SECONDS", 0)
    assert run(source, quality="smart", format="webp").body == run(source, format="webp").body
    assert probes == []


def test_a_smart_jpeg_is_not_packed_without_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing takes longer than all else; without it the JPEG is sequential."""
    source = encode(photo("coffee"), "PNG")
    packed = run(source, quality="smart", scale=1)
    monkeypatch.setattr(cost, "IMAGE_SECONDS", 0)
    made = run(source, quality="smart", scale=1)
    assert "progressive" in decode(packed.body).info
    assert "progressive" not in decode(made.body).info
    assert decode(made.body).tobytes() == decode(packed.body).tobytes()


def test_smart_png_falls_back_to_plain_without_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best Deflate level takes two seconds a megabyte on some pictures."""
    chance = np.random.default_rng(5)
    source = encode(Image.fromarray(chance.integers(0, 2, (900, 900, 3), dtype=np.uint8) * 255), "PNG")
    monkeypatch.setattr(cost, "IMAGE_SECONDS", 0)
    smart = run(source, quality="smart", format="png", scale=1)
    assert smart.body == run(source, format="png", scale=1).body


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_nothing_is_kept_without_time(image_format: str) -> None:
    """Rewriting a file can be made to take long."""
    source = encode(photo("coffee"), image_format, **{"lossless": True} if image_format == "WEBP" else {})
    time_up = CpuTime()
    time_up._started -= 100
    asked: dict[str, Any] = {"source_format": image_format.lower(), "pixels": 0, "below": 10**9}
    assert keep.keep(source, **asked, time=CpuTime()) is not None
    assert keep.keep(source, **asked, time=time_up) is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_with_transparency_gets_less_effort(mode: str) -> None:
    """Method 6 takes a hundred times longer with transparency."""
    assert smart._webp_method(Image.new(mode, (2, 2))) == (4 if mode == "RGBA" else 6)


# Exceptions


FAULTS = [SyntaxError("x"), Image.DecompressionBombError("x"), AttributeError("x"), KeyError("x"), MemoryError()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("quality", [50, "smart"])
@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
def test_any_exception_of_an_encoder_is_a_compress_error(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, quality: int | str, target: str
) -> None:
    """A GIF of 353 bytes and a PNG of 40,000 x 1 once failed the whole product with such exceptions."""

    def fail(*_: object, **__: Any) -> None:
        raise fault

    source = encode(photo("coffee"), "BMP")
    monkeypatch.setattr(Image.Image, "save", fail)
    for encoder in ("save_jpeg", "save_webp"):
        monkeypatch.setattr(encoding, encoder, fail)
    with pytest.raises(CompressError) as refused:
        run(source, quality=quality, format=target)
    assert refused.value.code == "encode_failed"


@pytest.mark.exhaustive
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("step", ["distance", "layers", "_search", "_lossless", "encode_strong", "repacked"])
def test_a_step_of_the_search_that_fails_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, step: str
) -> None:
    """The plain rendition is the fallback."""

    def fail(*_: object, **__: Any) -> None:
        raise fault

    source, target = encode(photo("coffee"), "PNG"), {"_lossless": "png", "_search": "webp"}.get(step, "jpeg")
    monkeypatch.setattr(smart, step, fail)
    assert run(source, quality="smart", format=target).body == run(source, format=target).body


@pytest.mark.parametrize(
    "step", ["decode.to_srgb", "decode.reduce", "decode.white_of", "compress.check_parts", "compress.check_memory"]
)
def test_any_exception_before_encoding_is_a_compress_error(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Pillow raises such exceptions for broken files."""

    def fail(*_: object, **__: Any) -> None:
        raise SyntaxError("x")

    monkeypatch.setattr(f"imgproc.pipeline.images.{step}", fail)
    with pytest.raises(CompressError) as refused:
        run(encode(photo("coffee"), "PNG"))
    assert refused.value.code == "corrupt_image"
