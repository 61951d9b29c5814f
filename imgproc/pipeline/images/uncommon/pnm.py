"""PBM, PGM, PPM and PAM (Netpbm). Pillow decodes most of them in Python, so numpy does it here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from imgproc.core.errors import CompressError

MAX_HEADER = 4096
MAX_TEXT = 16 * 1024 * 1024  # bytes of a file that writes its samples as digits; reading them takes a second
CHUNK = 4 * 1024 * 1024  # samples that are converted at a time
BITMAPS, PLAIN = {"1", "4"}, {"1", "2", "3"}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
DEPTHS = {"1": 1, "2": 1, "3": 3, "4": 1, "5": 1, "6": 3}
_GAP = rb"(?:\s|#[^\n]*\n)+"
_SIDES = rb"P[1-6]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})"
_BITMAP = re.compile(_SIDES + rb"\s")
_SAMPLES = re.compile(_SIDES + _GAP + rb"(\d{1,5})\s")
_PAM = re.compile(rb"P7\n(.*?\n)?ENDHDR\n", re.DOTALL)


class Pnm(ImageFile.ImageFile):
    """The first picture of a file."""

    fp: Any
    format = "PNM"
    format_description = "Portable anymap"

    def _open(self) -> None:
        head = self.fp.read(MAX_HEADER)
        self._kind = chr(head[1])
        if self._kind == "7":
            self._most, depth = self._read_pam(head)
        else:
            depth = DEPTHS[self._kind]
            found = (_BITMAP if self._kind in BITMAPS else _SAMPLES).match(head)
            if found is None:
                raise SyntaxError("no PNM header")
            self._size, self._start = (int(found[1]), int(found[2])), found.end()
            self._most = 1 if self._kind in BITMAPS else int(found[3])
        if not 0 < self._most < 65536:
            raise SyntaxError("the largest sample is out of range")
        self._mode = "1" if self._kind in BITMAPS else MODES[depth]
        self._shape = (self.height, self.width, depth)
        if self._kind == "4" or (self._kind in "567" and self._most == 255):
            raw = "1;I" if self._kind == "4" else self._mode
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), self._start, (raw, 0, 1))]

    def _read_pam(self, head: bytes) -> tuple[int, int]:
        found = _PAM.match(head)
        if found is None:
            raise SyntaxError("no PAM header")
        lines = (line.split() for line in (found[1] or b"").splitlines() if not line.startswith(b"#"))
        fields = {line[0]: line[1] for line in lines if len(line) > 1}
        self._size, self._start = (int(fields[b"WIDTH"]), int(fields[b"HEIGHT"])), found.end()
        depth = int(fields[b"DEPTH"])
        if depth not in MODES or b"CMYK" in fields.get(b"TUPLTYPE", b""):
            raise CompressError(
                f"PAM of {depth} channels is not supported; export it as PNG.", code="unsupported_format"
            )
        return int(fields[b"MAXVAL"]), depth

    def load(self) -> Any:
        """Decode the samples at first use."""
        if self.tile or self._im is not None:
            return super().load()
        self.fp.seek(self._start)
        samples = self._digits() if self._kind in PLAIN else self._words()
        if samples.size < np.prod(self._shape):
            raise EOFError("truncated")
        shades = _eight_bits(samples[: np.prod(self._shape)], self._most)
        if self._kind == "1":
            shades = 255 - shades
            self._mode = "L"
        self.im = Image.frombuffer(self._mode, self.size, shades, "raw", self._mode, 0, 1).copy().im
        return Image.Image.load(self)

    def _digits(self) -> Any:
        text = self.fp.read(MAX_TEXT + 1)
        if len(text) > MAX_TEXT:
            detail = "PNM with that many samples in digits is not supported; save it as binary PNM, or as PNG."
            raise CompressError(detail, code="unsupported_format")
        text = re.sub(rb"#[^\n]*", b"", text)
        if self._kind == "1":
            return np.frombuffer(re.sub(rb"[^01]", b"", text), np.uint8) - ord("0")
        if re.search(rb"[^\d\s]|\d{6}", text):
            raise SyntaxError("not a number")
        return np.fromstring(text.decode("ascii"), np.uint32, sep=" ")

    def _words(self) -> Any:
        kind = np.dtype(">u2" if self._most > 255 else "u1")
        body = self.fp.read(int(np.prod(self._shape)) * kind.itemsize)
        return np.frombuffer(body[: len(body) // kind.itemsize * kind.itemsize], kind)


def _eight_bits(samples: Any, most: int) -> Any:
    """The samples from 0 to `most` as 0 to 255, some at a time."""
    shades = np.empty(samples.size, np.uint8)
    for start in range(0, samples.size, CHUNK):
        part = np.minimum(samples[start : start + CHUNK].astype(np.uint32), most)
        shades[start : start + CHUNK] = (part * 255 + most // 2) // most
    return shades
