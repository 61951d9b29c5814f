"""Draw the README's picture of a result, from a finished request: `python -m scripts.result_picture URL REQUEST_ID`.

The pictures, their sizes and the bytes saved are what the API gives; nothing in the picture is typed in.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import requests
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "result.png"
WIDTH, HEAD, ROW, FOOT, THUMB = 1280, 64, 152, 60, 128
COLUMNS = {"Product": 32, "Input picture": 300, "Output picture": 700, "Saved": 1120}
INK, GREY, LINE, GREEN = "#1f2328", "#57606a", "#d0d7de", "#1a7f37"


def draw(products: list[dict[str, Any]], totals: dict[str, Any]) -> Image.Image:
    """A table: a row for each product with its first picture before and after, and the bytes of the whole request."""
    sheet = Image.new("RGB", (WIDTH, HEAD + ROW * len(products) + FOOT), "white")
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((0, 0, WIDTH, HEAD), fill="#f6f8fa")
    for title, x in COLUMNS.items():
        _write(pen, (x, 20), title, size=24)
    for number, product in enumerate(products):
        top = HEAD + ROW * number
        pen.line((0, top, WIDTH, top), fill=LINE, width=2)
        _row(sheet, pen, product["productName"], product["images"][0], top=top)
    bottom = sheet.height - FOOT
    pen.rectangle((0, bottom, WIDTH, sheet.height), fill="#dafbe1")
    saved = f"{totals['source'] / 1e6:.1f} MB in, {totals['output'] / 1e6:.2f} MB out: {totals['savedPercent']}% saved"
    _write(pen, (COLUMNS["Product"], bottom + 16), f"The whole catalogue: {saved}", size=26, colour=GREEN)
    return sheet


def _row(sheet: Image.Image, pen: ImageDraw.ImageDraw, name: str, image: dict[str, Any], *, top: int) -> None:
    middle = top + ROW // 2
    _write(pen, (COLUMNS["Product"], middle - 16), name, size=26)
    for column, side in (("Input picture", "source"), ("Output picture", "output")):
        x, facts, url = COLUMNS[column], image[side], image[f"{side}Url"]
        thumbnail = _thumbnail(requests.get(url, timeout=30).content)
        sheet.paste(thumbnail, (x, top + (ROW - thumbnail.height) // 2))
        _write(pen, (x + 164, middle - 44), f"{facts['bytes'] / 1000:,.0f} kB", size=26)
        _write(pen, (x + 164, middle - 8), f"{facts['width']} x {facts['height']} {facts['format'].upper()}", size=20)
        _write(pen, (x + 164, middle + 20), url.rpartition("/")[2], size=20, colour=GREY)
    share = 100 * (1 - image["output"]["bytes"] / image["source"]["bytes"])
    _write(pen, (COLUMNS["Saved"], middle - 18), f"{share:.0f}%", size=32, colour=GREEN)


def _thumbnail(content: bytes) -> Image.Image:
    """The picture as a browser shows it: upright, in sRGB, on white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    if profile := image.info.get("icc_profile"):
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb) or image
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    page.thumbnail((THUMB + 20, THUMB))
    return page


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, *, size: int, colour: str = INK) -> None:
    pen.text(at, text, fill=colour, font=ImageFont.load_default(size))


def main(url: str, request_id: str) -> None:
    """Ask the API for the request and write the picture."""
    totals = requests.get(f"{url}/api/status/{request_id}", timeout=30).json()["bytes"]
    products = requests.get(f"{url}/api/requests/{request_id}/products", timeout=30).json()["items"]
    draw(products[:4], totals).quantize(128).save(TARGET, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
