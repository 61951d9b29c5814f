"""HEIC and HEIF by libheif, which the extra `heic` brings. libheif crops, turns and mirrors the picture itself."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageFile

from imgproc.pipeline.images.avif.avif_colours import coded_space
from imgproc.pipeline.images.colour.colour_spaces import peak_of
from imgproc.pipeline.images.colour.icc import is_usable


class Heic(ImageFile.ImageFile):
    """The primary picture of a file, 8 bits a channel. Thumbnails, depth and gain maps are other pictures beside it."""

    fp: Any
    format = "HEIF"
    format_description = "HEIC or HEIF"

    def _open(self) -> None:
        import pillow_heif  # noqa: PLC0415 - an extra

        pillow_heif.options.DECODE_THREADS = 1  # Other images keep the cores busy.
        for part in ("THUMBNAILS", "DEPTH_IMAGES", "AUX_IMAGES"):
            setattr(pillow_heif.options, part, False)
        file = pillow_heif.open_heif(self.fp)  # the headers alone
        self._heic: Any = file[file.primary_index]
        self._size, self._mode = self._heic.size, self._heic.mode
        self.n_frames = len(file)
        profile, codes = (self._heic.info.get(name) for name in ("icc_profile", "nclx_profile"))
        if profile and is_usable(profile):
            self.info["icc_profile"] = profile
        elif codes:
            peak = peak_of(content=0, display=0)  # libheif does not tell it.
            space = coded_space(codes["color_primaries"], codes["transfer_characteristics"], peak)
            self.info["colour_space"] = space

    def load(self) -> Any:
        """Decode the picture at first use."""
        if self._heic is not None:
            picture, self._heic = self._heic, None
            pixels = picture.data  # Decoding tells the size that the picture really has.
            if picture.size != self._size:
                raise SyntaxError("The picture has another size than the file says.")
            decoded = Image.frombytes(picture.mode, picture.size, pixels, "raw", picture.mode, picture.stride)
            self.im, self._mode = decoded.im, decoded.mode
        return Image.Image.load(self)
