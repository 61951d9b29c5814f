"""The pages about errors at `/docs/errors/`: every code has one, and the type of a problem leads to it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest

from imgproc.app import create_app
from imgproc.core.config import load_settings
from tests.unit.test_docs import _documented_errors


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of an app without any server: these pages read files alone."""
    return create_app(load_settings({"DATA_DIR": str(tmp_path_factory.mktemp("data"))})).test_client()


def text_of(client: Any, code: str) -> str:
    """The text of the page about a code."""
    page = client.get(f"/docs/errors/{code}")
    assert page.status_code == 200, code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2])))


def test_every_documented_code_has_a_page_that_says_what_it_means(client: Any) -> None:
    """It has the cells of each of its rows."""
    for code, cells in _documented_errors().items():
        if code == "http_":
            continue
        said = text_of(client, code).replace(" ", "")
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cells[0]).replace("`", "").replace(" ", "")
        assert plain in said, code


def test_every_code_is_listed_and_every_link_leads_somewhere(client: Any) -> None:
    """Those of the pages, too: cells link to other pages of the documentation."""
    page = client.get("/docs/errors/").text
    links = re.findall(r'href="(/docs/errors/[a-z0-9_]+)"', page)
    assert {link.rpartition("/")[2] for link in links} == set(_documented_errors()) - {"http_"}
    found = {link for each in links for link in re.findall(r'href="(/help/[^"#]*)', client.get(each).text)}
    assert {link for link in found if client.get(link).status_code != 200} == set()
    assert len(found) > 1


@pytest.mark.parametrize(
    ("code", "said", "not_said"),
    [
        ("http_404", "nothing is at this path", "A login, firewall"),
        ("http_302", "the receiver redirects", "is overloaded"),
        ("http_418", "something other than 2xx", "nothing is at this path"),
        ("http_403", "a login, firewall", "wants no more"),
        ("timeout", "FIRST_BYTE_TIMEOUT", "no such timeout"),
    ],
)
def test_a_status_is_explained_by_its_row(client: Any, code: str, said: str, not_said: str) -> None:
    """Of images and of webhooks, which are told apart by their sections."""
    text = text_of(client, code)
    assert "Errors of an image" in text
    assert said in text
    assert not_said not in text


@pytest.mark.parametrize("code", ["nothing_like_it", "http_", "http_99", "Timeout", "..", "%3Cscript%3E"])
def test_a_code_that_there_is_not_is_not_found(client: Any, code: str) -> None:
    """The page of that error does not show what was asked for as markup."""
    page = client.get(f"/docs/errors/{code}", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<script>" not in page.text


def test_the_type_of_a_problem_leads_to_its_page(client: Any) -> None:
    """As an absolute URL, as RFC 9457 recommends (3.1.1), also where a key is needed."""
    problem = client.get("/nothing", base_url="http://localhost:8000").json
    assert problem["type"] == "http://localhost:8000/docs/errors/not_found"
    assert "there is nothing at this address" in text_of(client, urlsplit(problem["type"]).path.rpartition("/")[2])


def test_the_type_names_no_host_that_is_not_ours(client: Any) -> None:
    """The page is found at the host that was called."""
    answer = client.get("/", base_url="http://evil.example")
    assert (answer.status_code, answer.json["type"]) == (400, "/docs/errors/untrusted_host")
