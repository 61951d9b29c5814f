"""A browser for the tests of the pages: Debian's chromium, driven by playwright, which records what goes wrong."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
SERIOUS = {"serious", "critical"}
# Without what axe found in order: its 50 kB take as long to bring here as the search for faults.
FIND_VIOLATIONS = "axe.run({resultTypes: ['violations']}).then(found => found.violations)"


def find_browser() -> str:
    """The path of the browser; the test is skipped where there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip("There is no browser: install one with `make browser` (Debian: apt install chromium).")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The browser, without a window and with an empty profile."""
    path = find_browser()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), downloads_path=folder)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A page of the browser, and what went wrong on it: errors in its console, and requests to other hosts."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        """Go to a path of the server."""
        self.page.goto(self.base + path)
        return self.page

    def choose(self, content: str | bytes, *, name: str = "products.csv") -> Page:
        """Choose a file on the start page."""
        self.open()
        return self.pick(content, name=name)

    def pick(self, content: str | bytes, *, name: str = "products.csv") -> Page:
        """Choose a file on the page that is shown."""
        body = content.encode() if isinstance(content, str) else content
        file = FilePayload(name=name, mimeType="application/octet-stream", buffer=body)
        self.page.set_input_files("input[type=file]", files=file)
        return self.page

    def check(self) -> None:
        """Assert that axe finds nothing serious on the page, and that nothing sticks out of it at its side."""
        self.page.evaluate(AXE_SCRIPT)
        serious = [
            f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for each in self.page.evaluate(FIND_VIOLATIONS)
            if each["impact"] in SERIOUS
            for node in each["nodes"]
        ]
        assert not serious, "\n".join(serious)
        sides = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert sides[0] <= sides[1], f"{self.page.url} is wider than the window: {sides}"


@contextmanager
def visiting(browser: Browser, base: str, **options: Any) -> Iterator[Visitor]:
    """A new page in a context of its own; at the end nothing may have gone wrong on it."""
    context = browser.new_context(**options)
    context.set_default_timeout(60_000)
    visitor = Visitor(context.new_page(), base)
    host = urlsplit(base).netloc

    def watch(request: Request) -> None:
        if urlsplit(request.url).scheme in {"http", "https"} and urlsplit(request.url).netloc != host:
            visitor.faults.append(f"request to {request.url}")

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            visitor.faults.append(f"{message.text} ({message.location.get('url')})")

    context.on("request", watch)
    context.on("console", note)
    context.on("weberror", lambda error: visitor.faults.append(str(error.error)))
    try:
        yield visitor
        assert not visitor.faults, visitor.faults
    finally:
        context.close()
