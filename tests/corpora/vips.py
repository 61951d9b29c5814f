"""libvips as a judge, for the kinds that no browser shows."""

from __future__ import annotations

import numpy as np
import pyvips

from tests.corpora.shown import Shown


def show(body: bytes) -> Shown | None:
    """What libvips makes of a picture: its first page, upright, in sRGB, on white; None if it cannot read it whole."""
    try:
        image = pyvips.Image.new_from_buffer(body, "", access="sequential", fail_on="error").autorot()
        if image.get_typeof("icc-profile-data"):  # The intent is that of Chromium and sharp.
            image = image.icc_transform("srgb", embedded=True, intent="perceptual")
        image = image.colourspace("srgb")
        image = image.flatten(background=[255]) if image.hasalpha() else image
        pixels = np.asarray(image.cast("uchar").copy_memory().numpy())
    except pyvips.Error:
        return None
    return Shown(np.broadcast_to(np.atleast_3d(pixels), (*pixels.shape[:2], 3)) if pixels.ndim < 3 else pixels[..., :3])
