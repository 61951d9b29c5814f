"""Chromium as a judge: what it shows of a picture, on white, in sRGB, upright."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, sync_playwright

from tests.corpora.shown import Shown

MOST_SIDE = 16_384  # pixels; a frame of ImageDecoder cannot be larger
INTERLACED = 28  # where the header of a PNG says so
SITE = "http://localhost/"  # a secure context, which ImageDecoder asks for; nothing listens there
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip
TYPES = {
    "png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "bmp": "image/bmp",
    "avif": "image/avif", "ico": "image/x-icon", "svg": "image/svg+xml",
}  # fmt: skip
# The picture as a page draws it, whether the decoder has all of its first frame, and whether anything is drawn.
DRAW = """
async ({url, type, mostSide}) => {
  const image = new Image();
  image.src = url;
  const loaded = await new Promise(done => { image.onload = () => done(true); image.onerror = () => done(false); });
  if (!loaded || !image.naturalWidth) return null;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  let levels;
  try {
    levels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  } catch {
    return null;  // No script may read a canvas with HTML in it (foreignObject).
  }
  let empty = 0;
  for (let at = 3; at < levels.length; at += 4) empty += !levels[at];
  context.globalCompositeOperation = 'destination-over';
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  let whole = true;
  const isLarge = Math.max(canvas.width, canvas.height) > mostSide;
  if (!isLarge && await ImageDecoder.isTypeSupported(type)) {
    const decoder = new ImageDecoder({type, data: (await fetch(url)).body});
    try { whole = (await decoder.decode({completeFramesOnly: false})).complete; } catch { whole = false; }
  }
  return {whole, isDrawn: !empty, isEmpty: empty == canvas.width * canvas.height, drawn: canvas.toDataURL('image/png')};
}
"""


class Chromium:
    """Draws pictures in one page, which reaches no host."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._body, self._type, self._number = b"", "", 0
        page.route("**/*", self._answer)
        page.goto(SITE)

    def show(self, body: bytes, kind: str) -> Shown | None:
        """What it shows of a picture of this kind; None if that is nothing."""
        self._body, self._type = body, TYPES[kind]
        self._number += 1  # another address for each, because the page keeps pictures by their addresses
        drawn = self._page.evaluate(DRAW, {"url": f"{SITE}{self._number}", "type": self._type, "mostSide": MOST_SIDE})
        if drawn is None or (kind in {"ico", "webp"} and drawn["isEmpty"]):  # It loads some that it cannot decode.
            return None
        png = base64.b64decode(drawn["drawn"].partition(",")[2])
        # A wrong checksum makes a PNG incomplete, even if all of its rows are drawn.
        is_whole = drawn["whole"] or (kind == "png" and drawn["isDrawn"] and not body[INTERLACED])
        with Image.open(io.BytesIO(png)) as picture:
            return Shown(np.asarray(picture.convert("RGB")), is_whole=is_whole)

    def _answer(self, route: Route) -> None:
        if route.request.url == SITE:
            route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            route.fulfill(body=self._body, content_type=self._type)


def missing() -> str | None:
    """Why Chromium cannot judge here, or None."""
    return None if _binary() else "Install Chromium (Debian: apt-get install chromium)."


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_binary(), args=[*FLAGS])
        yield Chromium(browser.new_page())
        browser.close()


def _binary() -> Path | None:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    return Path(found) if found else None
