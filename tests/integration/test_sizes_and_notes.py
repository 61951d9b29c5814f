"""The options for sizes and larger outputs from the upload to the products, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imgproc.db.models import ProductImage
from tests.integration.driver import drain, get, products_of, rows, status_of, submit
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import encode
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")
SMALL = encode(Image.new("RGB", (24, 24), (200, 30, 20)), "PNG")


def images_of(request_id: str) -> list[dict[str, Any]]:
    """The images of a request, in order."""
    drain(request_id)
    return [image for product in products_of(request_id) for image in product["images"]]


def size_of(image: dict[str, Any]) -> tuple[int, int]:
    """The width and height of an image's output."""
    return image["output"]["width"], image["output"]["height"]


def test_sizes_reach_the_outputs_and_the_status(shop: ImageHost) -> None:
    """The status repeats what was given, and only that."""
    (image,) = images_of(given := submit(csv_of(f"{shop.url}/coffee.png"), maxWidth="200", scale="1"))
    assert (size_of(image), "notes" in image) == ((200, 133), False)
    assert status_of(given)["options"] == {"quality": 50, "scale": 1.0, "format": "jpeg", "maxWidth": 200}
    (image,) = images_of(submit(csv_of(f"{shop.url}/coffee.png"), minSide="350", maxHeight="390"))
    assert size_of(image) == (525, 350)
    (image,) = images_of(plain := submit(csv_of(f"{shop.url}/coffee.png"), maxWidth="", larger="keep"))
    assert size_of(image) == (300, 200)
    assert status_of(plain)["options"] == {"quality": 50, "scale": 0.5, "format": "jpeg"}


def test_requests_with_different_sizes_share_no_output(shop: ImageHost) -> None:
    """Only an upload with the same sizes reuses what an earlier one made."""
    url = shop.says("/a.png", Answer(body=SMALL, headers={"ETag": '"v1"'}))
    wanted: list[dict[str, Any]] = [{"scale": "1"}, {"scale": "1", "maxWidth": "10"}, {"scale": "1", "maxWidth": "12"}]
    wanted += [{"scale": "1", "maxHeight": "11"}, {"scale": "0.5", "minSide": "20"}, {"scale": "1", "larger": "source"}]
    sizes, formats = [], []
    for options in wanted:
        (image,) = images_of(submit(csv_of(url), **options))
        sizes.append(size_of(image))
        formats.append(image["output"]["format"])
    assert sizes == [(24, 24), (10, 10), (12, 12), (11, 11), (20, 20), (24, 24)]
    assert formats == ["jpeg"] * 5 + ["png"]


def test_notes_are_stored_and_shown(shop: ImageHost, objects: ObjectStore) -> None:
    """Also for the copies of an image, within its request and in a later one; an image without notes has none."""
    url = shop.says("/b.png", Answer(body=SMALL, headers={"ETag": '"v1"'}))
    request_id = submit(csv_of([url, f"{shop.url}/coffee.png", url], duplicates=True))
    first, without, copy = images_of(request_id)
    assert [note["code"] for note in first["notes"]] == ["larger_than_source"]
    assert "larger=source" in first["notes"][0]["detail"]
    assert (copy["notes"], "notes" in without) == (first["notes"], False)
    assert [image.notes for image in rows(ProductImage)] == [first["notes"], None, first["notes"]]
    (later,) = images_of(submit(csv_of(url)))
    assert later["notes"] == first["notes"]
    (kept,) = images_of(submit(csv_of(url), larger="source"))
    assert ([note["code"] for note in kept["notes"]], kept["output"]["kept"]) == (["source_kept"], True)
    assert kept["outputUrl"].endswith(".png")
    assert objects.get("outputs", kept["outputUrl"].removeprefix("http://public.example/outputs/"))


def test_an_image_that_is_not_made_has_no_notes(shop: ImageHost) -> None:
    """A failed one has an error instead."""
    request_id = submit(csv_of(f"{shop.url}/lost.jpg"))
    assert get(f"/api/requests/{request_id}/products")["items"] == []
    (image,) = images_of(request_id)
    assert ("notes" in image, image["error"]["code"]) == (False, "http_404")
