"""Signing in, keys and share links in a browser, on a server that asks for keys."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.stack import ROOT, Stack, running_stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser

playwright = pytest.importorskip("playwright.sync_api", reason="run `make test`, which installs playwright")
expect = playwright.expect


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that requires keys."""
    from tests.support.browser import find_browser  # noqa: PLC0415 - playwright may be missing

    find_browser()  # before the stack is started for nothing
    with running_stack(tmp_path_factory.mktemp("access") / "var", API_KEYS_REQUIRED="true") as stack:
        yield stack


def admin_key(stack: Stack) -> str:
    """A new admin key."""
    command = [sys.executable, "-m", "imgproc", "keys", "create", "Anna", "--scope", "admin"]
    made = subprocess.run(command, env={**os.environ, **stack.environ}, cwd=ROOT, check=True, capture_output=True)
    return made.stdout.decode().strip()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="light"),
        pytest.param({"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"}, id="phone, dark"),
        pytest.param({"java_script_enabled": False}, id="no JavaScript"),
    ],
)
def test_a_person_signs_in_makes_a_key_and_shares_a_request(
    browser: Browser, guarded: Stack, shop: ImageHost, options: dict[str, Any]
) -> None:
    """A wrong key is told plainly; each page is accessible and fits; the link shows the request to a stranger."""
    from tests.support.browser import Visitor, visiting  # noqa: PLC0415 - playwright may be missing

    def check(visitor: Visitor) -> None:
        if options.get("java_script_enabled", True):
            visitor.check()

    with visiting(browser, guarded.url, **options) as visitor:
        page = visitor.open("/keys")
        page.get_by_label("API key").fill("imgproc_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Not signed in")
        check(visitor)
        page.get_by_label("API key").fill(admin_key(guarded))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="API keys")).to_be_visible()
        page.get_by_label("Name").fill("Shop " * 19)
        page.get_by_role("button", name="Create the key").click()
        expect(page.get_by_label("New key")).to_contain_text("imgproc_")
        check(visitor)
        visitor.choose(csv_of(f"{shop.url}/chelsea.jpg"))
        if not options.get("java_script_enabled", True):
            page.get_by_role("button", name="Read the file").click()
        page.get_by_role("button", name="Start 1 image").click()
        page.get_by_role("link", name="Download CSV").wait_for()
        page.get_by_role("link", name="Share").click()
        check(visitor)
        page.get_by_role("button", name="Make a link").click()
        link = page.get_by_label("Link", exact=True).inner_text().strip()
        check(visitor)
        with visiting(browser, guarded.url, **options) as stranger:
            shown = stranger.open(link.removeprefix(guarded.url))
            expect(shown.locator("#progress")).to_contain_text("1 of 1 image")
            expect(shown.locator("main form")).to_have_count(0)
            check(stranger)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
