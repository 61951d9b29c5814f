"""The console in German, on a phone: long words fit, the script speaks German, and the switch works without it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.console.conftest import Visit
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

if TYPE_CHECKING:
    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api", reason="run `make test`, which installs playwright")
expect = playwright.expect

PHONE = {"width": 320, "height": 640}


def names(page: Page) -> list[str]:
    """What the footer offers."""
    return page.locator(".languages a").all_inner_texts()


def test_a_german_phone_goes_from_a_file_to_its_pictures(visit: Visit, shop: ImageHost) -> None:
    """Each page fits 320 pixels, and axe and the console of the browser have nothing to say."""
    with visit(locale="de-DE", viewport=PHONE) as visitor:
        page = visitor.choose(csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg", "www.shop.example/1.jpg"))
        expect(page.get_by_role("heading", name="1 Zeile ist nicht verwendbar")).to_be_visible()
        visitor.check()
        page.get_by_role("button", name="Ohne diese Zeile starten").click()
        page.wait_for_url("**/requests/*")
        page.get_by_role("link", name="CSV herunterladen").wait_for()
        expect(page).to_have_title(re.compile("^1 von 2 · "))
        expect(page.get_by_role("heading", name="Das Bild ist nicht vorhanden")).to_be_visible()
        visitor.check()
        page.locator("a[data-compare]").first.click()
        expect(page.get_by_role("slider", name="Vorher ↔ nachher")).to_be_focused()
        expect(page.get_by_role("button", name="Schließen")).to_be_visible()
        visitor.check()
        page.keyboard.press("Escape")
        address = page.url.partition("?")[0]
        for path in ("/products", "/webhook", "/file", "/share"):
            page.goto(address + path)
            visitor.check()
        visitor.open("/login")
        visitor.check()


def test_the_switch_works_without_javascript(visit: Visit) -> None:
    """It leads back to the page, and the choice stays."""
    with visit(java_script_enabled=False, locale="de-DE", viewport=PHONE) as visitor:
        page = visitor.open("/?show=done")
        assert names(page) == ["English", "Deutsch"]
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
        assert page.url.endswith("/?show=done")
        visitor.open("/login")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "zone", "pattern"),
    [
        ("en-US", "Asia/Kolkata", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("de-DE", "America/New_York", r"\d\d?\.\d\d\.\d{4}, \d\d:\d\d:\d\d"),
    ],
)
def test_times_are_those_of_the_reader(visit: Visit, shop: ImageHost, locale: str, zone: str, pattern: str) -> None:
    """The time of the server, in UTC, is the hint. The pages have the form that the server writes."""
    with visit(locale=locale, timezone_id=zone) as visitor:
        page = visitor.choose(csv_of(f"{shop.url}/chelsea.jpg"))
        page.locator("#start-form .go button").click()
        page.wait_for_url("**/requests/*")
        page.goto(page.url.partition("?")[0] + "/file")
        shown = page.locator("dd time").first
        expect(shown).to_have_text(re.compile(f"^{pattern}$"))
        expect(shown).to_have_attribute("title", re.compile(f"^{pattern} UTC$"))
        moment = datetime.fromisoformat((shown.get_attribute("datetime") or "").replace("Z", "+00:00"))
        assert f"{moment.astimezone(ZoneInfo(zone)):%H:%M:%S}" in shown.inner_text()
        visitor.check()
