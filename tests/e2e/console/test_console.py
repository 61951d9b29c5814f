"""The console in a browser: from a file to its result, as a person does it who knows no other tool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.e2e.console.conftest import Visit
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api", reason="run `make test`, which installs playwright")
expect = playwright.expect

STRANGE = "Key;Label;Front;Back\nA-1;Mug;{0}/chelsea.jpg;{0}/coffee.png\nA-2;Cup;{0}/astronaut.jpg;{0}/rocket.webp\n"


def start(page: Page) -> str:
    """Start the file whose reading is shown; the id of the request."""
    page.get_by_role("button", name=re.compile("^Start")).click()
    page.wait_for_url("**/requests/*")
    return page.url.rpartition("/")[2].partition("?")[0]


def wait_for_end(page: Page) -> None:
    """Wait, without a reload by hand, until the page offers the result."""
    page.get_by_role("link", name="Download CSV").wait_for()


def test_a_strange_file_becomes_a_download(visit: Visit, console: Stack, shop: ImageHost, tmp_path: Path) -> None:
    """Choose, tell the columns, choose an option, start, watch, compare a picture by keyboard, download."""
    with visit(accept_downloads=True) as visitor:
        page = visitor.choose(STRANGE.format(shop.url), name="Frühling (1).csv")
        expect(page.get_by_role("heading", name="It cannot start yet")).to_be_visible()
        visitor.check()
        page.get_by_label("Product name").select_option("Label")
        page.wait_for_load_state()
        page.get_by_label("Serial number").select_option("Key")
        page.get_by_role("checkbox", name="Front").check()
        page.get_by_role("checkbox", name="Back").check()
        page.get_by_role("button", name="Read it again").click()
        expect(page.get_by_role("button", name="Start 4 images")).to_be_visible()
        page.get_by_role("cell", name="Cup").scroll_into_view_if_needed()
        expect(page.locator(".thumb img")).to_have_count(4)
        page.get_by_label("Format").select_option("webp")
        page.get_by_role("button", name="Try it on a picture").click()
        expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
        expect(page.get_by_label("Format")).to_have_value("webp")
        visitor.check()
        request_id = start(page)
        wait_for_end(page)
        expect(page.locator("#progress")).to_contain_text("4 of 4 images")
        visitor.check()

        page.locator("a[data-compare]").first.focus()
        page.keyboard.press("Enter")
        slider = page.get_by_role("slider")
        expect(slider).to_be_focused()
        for _ in range(10):
            page.keyboard.press("ArrowLeft")
        assert slider.input_value() == "40"
        assert page.locator(".compare").evaluate("each => each.style.getPropertyValue('--at')") == "40%"
        visitor.check()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
        expect(page.locator("a[data-compare]").first).to_be_focused()

        with page.expect_download() as saving:
            page.get_by_role("link", name="Download CSV").click()
        saved = tmp_path / "saved.csv"
        saving.value.save_as(saved)
        assert saved.read_bytes() == requests.get(f"{console.url}/api/requests/{request_id}/output.csv").content
        assert ".webp" in saved.read_text(encoding="utf-8-sig")


def test_an_option_survives_another_choice_of_columns(visit: Visit, shop: ImageHost) -> None:
    """The page is read again at once, and the options stay as they were chosen."""
    with visit() as visitor:
        page = visitor.choose(f"SKU,Title,Subtitle,Images\n1,Mug,Blue,{shop.url}/chelsea.jpg\n")
        page.get_by_label("Quality").select_option("80")
        page.get_by_label("Product name").select_option("Subtitle")
        expect(page.get_by_role("cell", name="Blue", exact=True)).to_be_visible()
        expect(page.get_by_label("Quality")).to_have_value("80")


def test_a_file_that_is_no_table_is_explained(visit: Visit) -> None:
    """The page stays, and another file can be chosen at once."""
    with visit() as visitor:
        page = visitor.choose(b"%PDF-1.7 a catalogue", name="catalogue.pdf")
        expect(page.get_by_role("alert")).to_contain_text("catalogue.pdf cannot be read")
        visitor.check()
        visitor.pick("SKU,Title,Images\n", name="b.csv")
        expect(page.get_by_role("heading", name="b.csv")).to_be_visible()
        visitor.check()


def test_a_file_that_is_too_large_is_not_sent(visit: Visit) -> None:
    """The page says what helps; an archive would not, because the limit is that of the file inside. Another works."""
    with visit() as visitor:
        page = visitor.open()
        page.locator("form[data-drop]").evaluate("form => { form.dataset.maxBytes = 60; }")
        visitor.pick("x" * 61, name="large.csv")
        expect(page.locator(".fault")).to_contain_text(
            re.compile("large.csv is larger than .*Split it into several files")
        )
        visitor.check()
        visitor.pick("SKU,Title,Images\n", name="small.csv")
        expect(page.get_by_role("heading", name="small.csv")).to_be_visible()


def test_a_failed_picture_is_understood_and_mended(visit: Visit, shop: ImageHost) -> None:
    """Its group says why, and is retried alone."""
    with visit() as visitor:
        page = visitor.choose(csv_of(f"{shop.url}/late.jpg", f"{shop.url}/page.jpg", f"{shop.url}/chelsea.jpg"))
        start(page)
        wait_for_end(page)
        group = page.get_by_role("article").filter(has_text="The picture is not there")
        expect(group).to_contain_text("answered 404 instead of a picture")
        visitor.check()
        shop.says("/late.jpg", Answer(body=photo_file("coffee.png")))
        group.get_by_role("button", name="Retry this one").click()
        expect(page.locator("#progress")).to_contain_text("2 of 3 images")
        wait_for_end(page)
        expect(page.get_by_role("article").filter(has_text="The picture is not there")).to_have_count(0)


def test_a_request_is_cancelled_and_deleted(visit: Visit, shop: ImageHost) -> None:
    """Both ask first; deleting wants the name."""
    shop.before = lambda path: None
    shop.says("/slow.jpg", Answer(body=photo_file("chelsea.jpg"), delay=2))
    with visit() as visitor:
        page = visitor.choose(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3, *[f"{shop.url}/slow.jpg"] * 300))
        start(page)
        expect(page.locator("#progress")).to_contain_text(re.compile(r"[1-9]\d* of 303 images"))
        page.locator("summary", has_text="Cancel").click()
        expect(page.get_by_role("button", name=re.compile(r"^Cancel (?!303)\d+ images"))).to_be_visible()
        visitor.check()
        page.get_by_role("button", name=re.compile(r"^Cancel \d+ images")).click()
        expect(page.get_by_text("Cancelled. What is done stays")).to_be_visible()
        wait_for_end(page)
        page.locator("summary", has_text="Delete").click()
        page.get_by_label("Type products.csv").fill("wrong")
        page.get_by_role("button", name="Delete for good").click()
        expect(page.get_by_text("Nothing was deleted")).to_be_visible()
        visitor.check()
        page.get_by_label("Type products.csv").fill("products.csv")
        page.get_by_role("button", name="Delete for good").click()
        page.wait_for_url("**/")


def test_everything_works_without_javascript(visit: Visit, shop: ImageHost) -> None:
    """The page is loaded again by itself until the request has ended."""
    with visit(java_script_enabled=False, accept_downloads=True) as visitor:
        page = visitor.choose(csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"))
        page.get_by_role("button", name="Read the file").click()
        start(page)
        wait_for_end(page)
        expect(page.locator("#progress")).to_contain_text("1 of 2 images")
        page.locator("a[data-compare]").first.click()
        expect(page.locator("figure")).to_have_count(2)
        page.go_back()
        with page.expect_download() as saving:
            page.get_by_role("link", name="Download CSV").click()
        assert saving.value.path().stat().st_size


def test_the_sample_is_a_click_away(visit: Visit) -> None:
    """A person without a file sees what happens with one."""
    with visit() as visitor:
        page = visitor.open()
        page.get_by_role("button", name="Try it with our sample").click()
        start(page)
        wait_for_end(page)
        expect(page.locator("#progress")).to_contain_text("4 of 4 images")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_is_accessible_and_fits(
    visit: Visit, console: Stack, shop: ImageHost, width: int, scheme: str
) -> None:
    """At the width of a small phone, in both schemes, with long names and failures."""
    name = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 3
    file = f"S. No.,{name}\n".replace(name, "Product Name,Input Image Urls") + "".join(
        f'{number},"{name}","{shop.url}/{path}"\n' for number, path in enumerate(["chelsea.jpg", "missing.jpg"], 1)
    )
    status = console.wait(console.submit(file, webhookUrl=f"{shop.url}/webhook", reference=name)["requestId"])
    with visit(viewport={"width": width, "height": 800}, color_scheme=scheme) as visitor:
        page = visitor.choose(f"{file}3,,not a url\n", name=f"{name}.csv")
        page.get_by_role("button", name=re.compile("^Start")).wait_for()
        visitor.check()
        image = f"/images/{image_id(visitor.open('/requests/' + status['requestId']))}"
        for path in ("", "?show=failed", "?show=done", "/products", "/webhook", "/file", image):
            visitor.open(f"/requests/{status['requestId']}{path}")
            visitor.check()
        for path in ("/", "/?q=nothing+matches+this", "/docs/errors/", "/docs/errors/timeout"):
            visitor.open(path)
            visitor.check()


def test_the_api_can_be_browsed(visit: Visit) -> None:
    """With JavaScript it is accessible; without, it says where the same is."""
    with visit() as visitor:
        visitor.open("/docs").get_by_role("button", name="POST /api/upload").first.wait_for()
        visitor.check()
    with visit(java_script_enabled=False) as visitor:
        visitor.open("/docs").get_by_role("link", name="reference").click()
        expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()


def image_id(page: Page) -> str:
    """The id of the first picture of a request's page."""
    found = page.locator("a[data-compare]").first.get_attribute("href") or ""
    return found.rpartition("/")[2]


def test_everything_is_reached_by_keyboard(visit: Visit, shop: ImageHost) -> None:
    """From the link that skips the navigation to the start."""
    with visit() as visitor:
        page = visitor.choose(csv_of(f"{shop.url}/chelsea.jpg"))
        page.get_by_role("button", name=re.compile("^Start")).wait_for()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(40):
            page.keyboard.press("Tab")
            if (page.evaluate("document.activeElement.textContent") or "").strip().startswith("Start"):
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/requests/*")
