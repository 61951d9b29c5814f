"""Object keys and public URLs are built from ids and a slug of the product name."""

from __future__ import annotations

import re

import pytest

from imgproc.pipeline.storage.object_keys import (
    failed_csv_key,
    input_key,
    original_key,
    output_csv_key,
    rendition_key,
    slugify,
)
from imgproc.pipeline.storage.store import Store

REQUEST_ID = "6f1c9f0e-5a55-4c1f-9d0a-0c6f7a1b2c3d"


@pytest.mark.parametrize(
    ("product_name", "slug"),
    [
        pytest.param("SKU1", "sku1", id="plain"),
        pytest.param("  Red  Shoe, size 9! ", "red-shoe-size-9", id="spaces-and-punctuation"),
        pytest.param("Crème brûlée", "creme-brulee", id="accents"),
        pytest.param("\uff21\uff22\uff23\uff11", "abc1", id="full-width"),
        pytest.param("e\u0301te\u0301", "ete", id="decomposed-accents"),
        pytest.param("Weißer Stuhl, Größe 9 ½", "weisser-stuhl-grosse-9-1-2", id="german"),
        pytest.param("Blåbær & smørbrød, Łódź", "blabaer-smorbrod-lodz", id="letters-without-a-decomposition"),
        pytest.param("Синяя кружка", "sinyaya-kruzhka", id="cyrillic"),
        pytest.param("红鞋", "hongxie", id="chinese"),
        pytest.param("マグ カップ", "magu-katpu", id="japanese"),
        pytest.param("👟", "athletic-shoe", id="emoji"),
        pytest.param("\u2028\ue000", "product", id="no-ascii-form"),
        pytest.param("", "product", id="empty"),
        pytest.param("...", "product", id="dots"),
        pytest.param("../../etc/passwd", "etc-passwd", id="path-traversal"),
        pytest.param("a\\b/c.jpg", "a-b-c-jpg", id="slashes-and-extension"),
        pytest.param("a\x00b\r\nc\x7f", "a-b-c", id="control-characters"),
        pytest.param("abc\u202egpj.exe", "abcgpj-exe", id="right-to-left-override"),
        pytest.param("x" * 10_000, "x" * 60, id="long"),
        pytest.param("x" * 59 + " y", "x" * 59, id="cut-at-a-hyphen"),
        pytest.param("=1+1|cmd", "1-1-cmd", id="formula"),
        pytest.param("%2e%2e%2f?x#y&z", "2e-2e-2f-x-y-z", id="url-syntax"),
    ],
)
def test_slugs_are_short_plain_ascii(product_name: str, slug: str) -> None:
    """A slug has only letters, digits and inner hyphens, and is never empty."""
    assert slug == slugify(product_name)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?", slug)


def test_keys_follow_the_documented_layout() -> None:
    """Every key starts with the request's id, so that one prefix has all objects of a request."""
    assert [
        f"{REQUEST_ID}/input.csv",
        f"{REQUEST_ID}/7/2.png",
        f"{REQUEST_ID}/7/2-red-shoe.jpg",
        f"{REQUEST_ID}/c0ffee/output.csv",
        f"{REQUEST_ID}/c0ffee/failed.csv",
    ] == [
        input_key(REQUEST_ID),
        original_key(REQUEST_ID, row=7, position=2, extension="png"),
        rendition_key(REQUEST_ID, row=7, position=2, product_name="Red Shoe", extension="jpg"),
        output_csv_key(REQUEST_ID, token="c0ffee"),
        failed_csv_key(REQUEST_ID, token="c0ffee"),
    ]


@pytest.mark.parametrize("base", ["https://cdn.example.com/img", "https://cdn.example.com/img/"])
def test_urls_are_the_base_and_the_key(base: str) -> None:
    """One slash joins base and key, also if the base ends in a slash; making a URL opens no connection."""
    store = Store(
        endpoint_url="http://127.0.0.1:1/",
        access_key_id="key",
        secret_access_key="secret",
        region="us-east-1",
        originals_bucket="originals",
        outputs_bucket="outputs",
        public_url=base,
    )
    assert store.public_url("a/1/2-shoe.jpg") == "https://cdn.example.com/img/a/1/2-shoe.jpg"
    assert store.original_url("a/1/2.png") == "s3://originals/a/1/2.png"
