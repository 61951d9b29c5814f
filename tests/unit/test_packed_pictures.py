"""The packed sources of the hostile images are what `_square` makes, but larger."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from tests.unit.hostile_images import _all_extras, _square

PACKED = Path(__file__).parents[1] / "fixtures/images/packed"
DEFLATE: dict[str, Any] = {"compression": "tiff_deflate"}
PROGRESSIVE: dict[str, Any] = {"progressive": True}
MADE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "4537-rgba.avif": ("RGBA", "AVIF", {"speed": 10}),
    "5400-lossless.webp": ("RGB", "WEBP", {"lossless": True, "method": 0}),
    "5400-rgba.webp": ("RGBA", "WEBP", {"method": 0}),
    "6215-progressive-cmyk.jpg": ("CMYK", "JPEG", PROGRESSIVE),
    "7040-progressive-full-chroma.jpg": ("RGB", "JPEG", PROGRESSIVE | {"subsampling": 0}),
    "7071-cmyk.tiff": ("CMYK", "TIFF", DEFLATE),
    "7071-float.tiff": ("F", "TIFF", DEFLATE),
    "7071-grey-alpha.png": ("LA", "PNG", {}),
    "7071-progressive.jpg": ("RGB", "JPEG", PROGRESSIVE),
    "7071-rgba-extras.png": ("RGBA", "PNG", _all_extras()),
    "7071-rgba-extras.tiff": ("RGBA", "TIFF", DEFLATE | _all_extras()),
    "7071-rgba.png": ("RGBA", "PNG", {}),
    "7071.webp": ("RGB", "WEBP", {"method": 0}),
}


def _traits(source: bytes) -> dict[str, Any]:
    """What the headers say, beside the size."""
    image = _opened(source)
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    chunk = source[12:16] if image.format == "WEBP" else b""
    said: dict[str, Any] = {str(name): value for name, value in image.info.items()}
    said.pop("exif", None)  # It has the orientation alone.
    profile = said.pop("icc_profile", b"")[128:]  # The header has the time when it was made (ICC.1, 7.2).
    return said | {"kind": (image.format, image.mode, orientation, profile, chunk, getattr(image, "layer", None))}


def _opened(source: bytes) -> Image.Image:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Image, "MAX_IMAGE_PIXELS", None)
        return Image.open(io.BytesIO(source))


@pytest.mark.parametrize("name", MADE)
def test_a_packed_picture_is_as_its_name_tells(name: str) -> None:
    """A small one is made of the same options, because a large one takes seconds."""
    mode, image_format, options = MADE[name]
    packed = lzma.decompress((PACKED / f"{name}.xz").read_bytes())
    assert _traits(packed) == _traits(_square(64, mode, image_format, **options))
    side = int(name.partition("-")[0].partition(".")[0])
    assert _opened(packed).size == (side, side)


def test_names_every_packed_picture() -> None:
    """A new one is compared, too."""
    assert {path.stem for path in PACKED.iterdir()} == MADE.keys()
