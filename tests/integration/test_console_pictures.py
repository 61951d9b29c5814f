"""The console's pictures of a request: their order, their pages, and what each took and looks like."""

from __future__ import annotations

import html
import re

import pytest
import sqlalchemy as sa

from imgproc.db import gallery
from imgproc.db.engine import db, transaction
from imgproc.db.models import ProductImage
from imgproc.web import display, request_page
from tests.integration.driver import drain, products_of, rows, submit
from tests.integration.pages import ask, made, text_of
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")


def test_pictures_come_worst_first_and_through_this_server(shop: ImageHost) -> None:
    """Failed ones, then those that save least. No page names the host of a bucket."""
    request_id = made(shop, "/coffee.png", "/chelsea.jpg", "/missing.jpg")
    shown = gallery.worst(request_id, status=None, limit=9, offset=0)
    ratios = [each.image.output_bytes / each.image.source_bytes for each in shown[1:]]
    assert (shown[0].image.error_code, ratios) == ("http_404", sorted(ratios, reverse=True))
    page = ask(f"/requests/{request_id}").text
    assert not re.findall(r'src="http', page)
    for image in shown[1:]:
        path = f"/requests/{request_id}/images/{image.image.id}"
        assert "Before" in text_of(path)
        after, before = ask(f"{path}/after"), ask(f"{path}/before")
        assert (after.content_type, len(after.data)) == ("image/jpeg", image.image.output_bytes)
        assert before.content_type == f"image/{image.image.source_format}"
        assert "sandbox" in after.headers["Content-Security-Policy"]
        assert after.headers["X-Content-Type-Options"] == "nosniff"


def test_of_pictures_that_save_the_same_the_least_alike_come_first(shop: ImageHost) -> None:
    """Savings are compared in whole percent, and one that nothing has measured comes last."""
    request_id = made(shop, *["/chelsea.jpg"] * 4)
    alike = [0.9, None, 1.0, 0.7]
    images = rows(ProductImage)
    with transaction() as connection:
        for image, likeness in zip(images, alike, strict=True):
            size = image.output_bytes + round(1000 * (likeness or 0)) % 7  # less than a percent
            values = {"likeness": likeness, "output_bytes": size}
            connection.execute(sa.update(ProductImage).where(ProductImage.id == image.id).values(values))
    db.session.rollback()  # on SQLite the session would see the past
    shown = gallery.worst(request_id, status=None, limit=9, offset=0)
    assert [each.image.likeness for each in shown] == pytest.approx([0.7, 0.9, 1.0, None])


def test_the_timeline_of_an_image_is_drawn_and_written(shop: ImageHost) -> None:
    """Of made, failed and reused ones, and with the API's numbers."""
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg"] * 2 + [f"{shop.url}/missing.jpg"], duplicates=True))
    drain(request_id)
    (product,) = products_of(request_id)
    first, copy, failed = (image["stagesMs"] for image in product["images"])
    assert {"wait", "connect", "firstByte", "download", "decode", "encode", "store"} <= set(first)
    assert (set(copy), "decode" in failed, "firstByte" in failed) == ({"wait", "copy"}, False, True)
    page = ask(f"/requests/{request_id}/products").text
    assert page.count('<svg class="timeline"') == 3
    assert "style=" not in page
    assert "reused, " in page
    ids = [image.id for image in rows(ProductImage)]
    texts = [text_of(f"/requests/{request_id}/images/{image_id}") for image_id in ids]
    assert f"First byte {display.milliseconds(first['firstByte'])}" in texts[0]
    assert ["Made in" in texts[0], "Reused:" in texts[1], "Failed after" in texts[2]] == [True, True, True]
    with transaction() as connection:  # as an older version has left it
        connection.execute(sa.update(ProductImage).values(stages_ms=None))
    assert "was not kept" in text_of(f"/requests/{request_id}/images/{ids[0]}")
    assert '<svg class="timeline"' not in ask(f"/requests/{request_id}/products").text


@pytest.mark.parametrize(
    ("options", "measured", "said"),
    [
        ({"quality": "smart"}, True, "A likeness of 100%"),
        ({"format": "png"}, True, "nothing of the picture was lost"),
        ({}, False, "only smart quality does that"),
    ],
)
def test_a_likeness_is_shown_where_it_was_measured(
    shop: ImageHost, options: dict[str, str], *, measured: bool, said: str
) -> None:
    """Nothing is made up where it was not."""
    request_id = made(shop, "/chelsea.jpg", **options)
    (image,) = products_of(request_id)[0]["images"]
    assert ("likeness" in image) is measured
    assert said in text_of(f"/requests/{request_id}/images/{rows(ProductImage)[0].id}")
    assert ("% alike" in text_of(f"/requests/{request_id}")) is measured


def test_a_retried_image_keeps_no_times_of_before(shop: ImageHost) -> None:
    """They would be those of its failure."""
    request_id = made(shop, "/missing.jpg")
    assert rows(ProductImage)[0].stages_ms
    ask(f"/requests/{request_id}/retry", method="POST")
    assert rows(ProductImage)[0].stages_ms is None


@pytest.mark.parametrize("image_id", ["0", "-1", "1e3", "9" * 30, "x"])
def test_an_image_that_there_is_not_is_not_found(shop: ImageHost, image_id: str) -> None:
    """Whatever the id is."""
    request_id = made(shop, "/chelsea.jpg")
    assert ask(f"/requests/{request_id}/images/{image_id}").status_code == 404


def test_an_image_of_another_request_is_not_found(shop: ImageHost) -> None:
    """Although both belong to the caller."""
    one, two = made(shop, "/chelsea.jpg"), made(shop, "/coffee.png")
    image_id = gallery.worst(one, status=None, limit=1, offset=0)[0].image.id
    assert [ask(f"/requests/{each}/images/{image_id}/after").status_code for each in (one, two)] == [200, 404]


def test_large_requests_are_shown_in_row_order(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages follow each other without a gap, and the filters hold."""
    request_id = made(shop, *["/chelsea.jpg"] * 4, "/missing.jpg")
    monkeypatch.setattr(gallery, "MOST_SORTED", 3)
    monkeypatch.setattr(request_page, "PICTURES", 2)
    path, lines = f"/requests/{request_id}", []
    while path:
        page = ask(path).text
        lines += re.findall(r"SKU (\d)(?:</p>|, image)", page.partition('id="pictures"')[2].partition("</section>")[0])
        following = re.search(r'rel="next" href="([^"#]*)', page)
        path = html.unescape(following[1]) if following else ""
    assert list(dict.fromkeys(lines)) == ["1", "2", "3", "4", "5"]
    assert "SKU 5" in text_of(f"/requests/{request_id}?show=failed")
