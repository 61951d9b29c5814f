"""The products of the demo and their CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from imgproc.demo.pictures import Picture, ball, glasses, lamp, mug, notebook, scarf

CATALOGUE: Mapping[str, tuple[Picture, ...]] = {
    "Stoneware Mug": (
        Picture("mug-front.jpg", (2000, 2000), mug, (190, 80, 60)),
        Picture("mug-wide.jpg", (2400, 1600), mug, (190, 80, 60)),
        Picture("mug-thumbnail.jpg", (400, 400), mug, (190, 80, 60)),
    ),
    "Desk Lamp": (
        Picture("lamp-upright.jpg", (1200, 1600), lamp, (40, 110, 150), kind="rotated jpeg"),
        Picture("lamp-square.jpg", (1200, 1200), lamp, (40, 110, 150)),
    ),
    "Sunglasses": (
        Picture("glasses-cut-out.png", (1600, 900), glasses, (30, 30, 34), kind="png with alpha"),
        Picture("glasses-table.jpg", (1800, 1200), glasses, (30, 30, 34)),
    ),
    "Wool Scarf": (
        Picture("scarf-folded.jpg", (1800, 2400), scarf, (235, 80, 40), kind="display-p3 jpeg"),
        Picture("scarf-detail.jpg", (1000, 800), scarf, (235, 80, 40)),
    ),
    "Notebook": (
        Picture("notebook-green.jpg", (1600, 2000), notebook, (50, 90, 70)),
        Picture("notebook-blue.jpg", (1600, 2000), notebook, (50, 70, 120)),
        Picture("notebook-red.jpg", (1600, 2000), notebook, (140, 50, 55)),
    ),
    "Rubber Ball": (
        Picture("ball-yellow.jpg", (1400, 1400), ball, (210, 170, 40)),
        Picture("ball-violet.jpg", (1400, 1400), ball, (120, 80, 160)),
    ),
}
PICTURES: Mapping[str, Picture] = {picture.name: picture for pictures in CATALOGUE.values() for picture in pictures}


def catalogue_csv(base_url: str) -> str:
    """The CSV: one row for each product, with the URLs of its pictures (`{base_url}/{name}`) in one quoted cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["S. No.", "Product Name", "Input Image Urls"])
    for number, (product, pictures) in enumerate(CATALOGUE.items(), start=1):
        writer.writerow([f"{number}.", product, ",".join(f"{base_url}/{picture.name}" for picture in pictures)])
    return text.getvalue()
