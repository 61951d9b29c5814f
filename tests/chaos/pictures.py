"""Real photographs in small sizes, so that the processor is left to the faults; and what broken URLs answer."""

from __future__ import annotations

import hashlib
import io
from functools import cache

from PIL import Image
from skimage import data

# No two have the same size, so that a picture in the wrong place shows.
PICTURES = {
    "astronaut.jpg": (400, 396),
    "chelsea.jpg": (451, 300),
    "coffee.jpg": (480, 320),
    "rocket.webp": (420, 280),
    "coffee.png": (300, 200),
}
# The error code each must end with; see `Shop.answer` for what is served.
BROKEN = {"missing.jpg": "http_404", "page.jpg": "not_an_image", "cut.jpg": "truncated_image"}
MENDED = "chelsea.jpg"  # what the broken ones show once mended


@cache
def photo(name: str) -> bytes:
    """The encoded file of a picture, in the format its name says."""
    stem, _, extension = name.partition(".")
    out = io.BytesIO()
    picture = Image.fromarray(getattr(data, stem)()).resize(PICTURES[name])
    picture.save(out, {"jpg": "JPEG"}.get(extension, extension), quality=80)
    return out.getvalue()


def digest(content: bytes) -> str:
    """What two equal files have in common."""
    return hashlib.sha256(content).hexdigest()
