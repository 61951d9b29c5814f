"""The documentation at `/help/`: every page renders, and every link in it leads somewhere."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from imgproc.app import create_app
from imgproc.core.config import load_settings

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of an app without any server: these pages read files alone."""
    return create_app(load_settings({"DATA_DIR": str(tmp_path_factory.mktemp("data"))})).test_client()


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(client: Any, name: str) -> None:
    """To another page, a heading of it, or a picture."""
    page = client.get(f"/help/{name}")
    assert page.status_code == 200
    article = page.text.partition('<article class="prose">')[2].partition("</article>")[0]
    assert " style=" not in article
    for link in re.findall(r'(?:href|src)="([^"]*)"', article):
        address = urlsplit(urljoin(f"/help/{name}", unescape(link)))
        if address.netloc or address.scheme or not address.path.startswith("/help/"):
            continue
        found = client.get(address.path, buffered=True)  # closes the file
        assert found.status_code == 200, link
        if address.fragment:
            assert f'id="{address.fragment}"' in found.text, link


def test_the_index_is_the_first_page(client: Any) -> None:
    """Every page of the console has a link to it, in its navigation."""
    page = client.get("/help/")
    assert page.status_code == 200
    assert '<a href="/help/"' in page.text


@pytest.mark.parametrize("name", ["../pyproject.toml", "../README.md", "images/../../Makefile", "nothing.md", "adr"])
def test_nothing_but_the_documentation_is_served(client: Any, name: str) -> None:
    """A path that leads out of the folder is not found."""
    assert client.get(f"/help/{name}").status_code == 404


def test_markup_in_the_text_of_a_page_stays_text(client: Any) -> None:
    """Examples of HTML are shown as they are."""
    assert "&lt;?php" in client.get("/help/how-to/webhooks.md").text
