"""The console at its limits: 100,000 products, hosts that are waited for, and the bytes that a page loads."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

import pytest

from tests.e2e.console.conftest import Visit
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.stack import Stack

playwright = pytest.importorskip("playwright.sync_api", reason="run `make test`, which installs playwright")
expect = playwright.expect

PRODUCTS = 100_000
MOST_ITEMS = 100  # of a page
MOST_BYTES = 200_000  # of everything that the pages load beside their text
STATIC = Path(__file__).parents[3] / "imgproc" / "web" / "static" / "console"

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :products)"
REQUEST = """
INSERT INTO processing_requests (id, owner, status, filename, input_key, input_bytes, options, skip_invalid,
 fingerprint, rows_total, products_total, products_completed, products_failed, images_total, images_completed,
 images_failed, source_bytes, output_bytes, created_at, started_at, finished_at, planned_at, output_key, failed_key)
VALUES (:id, '', 'completed_with_errors', 'everything.csv', 'x', 9000000, '{}', 0, 'x', :products, :products,
 :products - :failed, :failed, :products, :products - :failed, :failed, 9000000000, 3000000000,
 '2026-01-01 00:00:00.000000', '2026-01-01 00:00:01.000000', '2026-01-01 01:00:00.000000',
 '2026-01-01 00:00:02.000000', 'a/output.csv', 'a/failed.csv')
"""
PRODUCT = f"""
INSERT INTO products (request_id, row, line, serial_number, product_name, input_cell, status) {NUMBERS}
SELECT :id, i, i + 1, 'SKU-' || i, 'Product ' || i, '', CASE WHEN i % 10 THEN 'completed' ELSE 'failed' END FROM n
"""
IMAGE = """
INSERT INTO product_images (request_id, product_id, position, source_url, status, source_bytes, source_format,
 output_key, output_bytes, output_width, output_height, output_format, error_code, error_detail, refusals)
SELECT request_id, id, 1, 'https://img' || (row % 30) || '.shop.example/' || row || '.jpg', status, 90000, 'jpeg', 'x',
 30000, 9, 9, 'jpeg', CASE status WHEN 'failed' THEN 'http_404' END, CASE status WHEN 'failed' THEN 'Gone.' END, 0
FROM products WHERE request_id = :id
"""


@pytest.fixture(scope="module")
def large(console: Stack) -> str:
    """The id of a request of 100,000 products, of which every tenth has failed, at 30 hosts."""
    request_id = uuid.uuid4()
    values = {"id": request_id.hex, "products": PRODUCTS, "failed": PRODUCTS // 10}
    database = sqlite3.connect(Path(console.environ["DATA_DIR"]) / "imgproc.db", timeout=60)
    with database:
        for statement in (REQUEST, PRODUCT, IMAGE):
            database.execute(statement, values)
    database.close()
    return str(request_id)


def test_no_page_of_a_large_request_has_more_than_a_hundred_items(visit: Visit, large: str) -> None:
    """Its pages follow each other, and its failures are groups with examples."""
    with visit(java_script_enabled=False) as visitor:
        for path in ("", "?show=failed", "?show=done", "/products", "/products?status=failed"):
            page = visitor.page.context.new_page()
            page.route("**/images/**", lambda route: route.abort())  # the pictures are not in the bucket
            page.goto(f"{visitor.base}/requests/{large}{path}")
            items = page.locator(".tile, tbody tr, .places li, .failures li, .group")
            assert 10 < items.count() <= MOST_ITEMS + len("tbody"), path
            visitor.faults = [each for each in visitor.faults if "ERR_FAILED" not in each]
            if "show" in path:
                first = page.locator(".tile-name").first.text_content()
                page.get_by_role("link", name="Next").click()
                assert page.locator(".tile-name").first.text_content() != first
            visitor.faults = [each for each in visitor.faults if "ERR_FAILED" not in each]
            page.close()


def test_a_host_that_is_waited_for_is_named(visit: Visit, shop: ImageHost) -> None:
    """The page says until when, and that nothing has to be done."""
    shop.says("/busy.jpg", Answer(429, headers={"Retry-After": "600"}))
    with visit() as visitor:
        page = visitor.choose(csv_of(*[f"{shop.url}/busy.jpg"] * 3))
        page.get_by_role("button", name="Start 3 images").click()
        expect(page.get_by_text("Waiting for 1 host.")).to_be_visible(timeout=60_000)
        expect(page.locator("#progress")).to_contain_text("3 products, because it")
        visitor.check()


def test_the_pages_load_little() -> None:
    """All styles, scripts and icons together."""
    assert sum(file.stat().st_size for file in STATIC.rglob("*") if file.is_file()) < MOST_BYTES
