"""`make screenshots`: the pictures of the console in docs/images/, taken of a stack with the pictures of the demo.

Each shows a page in light, in dark, or on a phone. Two images of the catalogue are missing, so that failures show.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page

from imgproc.demo.catalogue import CATALOGUE, PICTURES
from imgproc.demo.site import serve_site
from tests.support.browser import running_browser
from tests.support.stack import Stack, running_stack

IMAGES = Path(__file__).parent.parent / "docs" / "images"
DESKTOP, PHONE = (1200, 800), (375, 812)
MISSING = ("Stoneware Mug", "Notebook")


def main() -> None:
    """Take every screenshot."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "var") as stack,
        serve_site(PICTURES) as site,
        running_browser() as browser,
    ):
        catalogue = _catalogue(f"{site.url}/pictures")
        ended = stack.wait(stack.submit(catalogue, webhookUrl=f"{site.url}/webhook")["requestId"])
        request = f"/requests/{ended['requestId']}"
        with _page(browser, stack, DESKTOP, "light") as page:
            page.goto(stack.url)
            _save(page, "console-start", height=860)
            _choose(page, catalogue)
            _save(page, "console-reading", height=1000)
            page.goto(f"{stack.url}{request}")
            _load_pictures(page)
            _save(page, "console-failures", height=1000)
            page.goto(f"{stack.url}{request}?show=done")
            page.locator("a[data-compare]").nth(1).click()
            page.get_by_role("slider").wait_for()
            page.wait_for_load_state("networkidle")
            _save(page, "console-slider", height=800)
        with _page(browser, stack, DESKTOP, "dark") as page:
            page.goto(f"{stack.url}{request}?show=done#pictures")
            _load_pictures(page)
            _save(page, "console-dark", height=800)
        with _page(browser, stack, PHONE, "light") as page:
            page.goto(f"{stack.url}{request}")
            _save(page, "console-phone")


def _catalogue(pictures: str) -> str:
    """The demo's catalogue in the words of a shop, with an image too many in the rows of `MISSING`."""
    rows = ["SKU,Title,Image 1,Image 2,Image 3"]
    for number, (name, found) in enumerate(CATALOGUE.items(), start=101):
        urls = [f"{pictures}/{each.name}" for each in found]
        if name in MISSING:
            urls[-1] = f"{pictures}/old/{found[-1].name}"
        rows.append(",".join([f"SH-{number}", name, *urls, *[""] * (3 - len(urls))]))
    return "\n".join(rows)


@contextmanager
def _page(browser: Browser, stack: Stack, size: tuple[int, int], scheme: str) -> Iterator[Page]:
    width, height = size
    context = browser.new_context(
        base_url=stack.url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if size == PHONE else 1,
    )
    yield context.new_page()
    context.close()


def _choose(page: Page, catalogue: str) -> None:
    file = FilePayload(name="spring-catalogue.csv", mimeType="text/csv", buffer=catalogue.encode())
    page.set_input_files("input[type=file]", files=file)
    page.get_by_role("heading", name="The rows").wait_for()
    page.get_by_role("heading", name="The rows").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(4000)  # thumbnails come one after the other
    page.evaluate("scrollTo(0, 0)")


def _load_pictures(page: Page) -> None:
    """Scroll once through the page, so that lazy pictures load."""
    page.locator("footer").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    if "#" not in page.url:
        page.evaluate("scrollTo(0, 0)")
    else:
        page.locator("#pictures").evaluate("each => each.scrollIntoView()")


def _save(page: Page, name: str, *, height: int | None = None) -> None:
    """Save what the window shows, with few colours: these files belong to the repository."""
    if height and page.viewport_size:
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    main()
