"""The pages in German: each page and state, the switch, and what stays English."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import pytest
from flask import current_app

from imgproc.api.api_keys import create_key
from imgproc.db.models import ProductImage
from imgproc.web.languages import COOKIE
from tests.integration.driver import configure, drain, rows, submit
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.visitor import PAGE, Browser, text_of

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]

ENGLISH_PART = re.compile(r'<(code|pre|script|option|svg)\b.*?</\1>|<((?!html)\w+)[^>]* lang="en".*?</\2>', re.DOTALL)
SHOWN = re.compile(r'>([^<>]+)<|(?:aria-label|title|alt|placeholder|data-alt)="([^"]+)"')
# Names that are the same in German, and values of files.
NAMES = re.compile(
    r"imgproc.*|API|OpenAPI|Deutsch|English|[A-Z]+|Webhook.*|Status|Name|Link|Format|Smart|[\W\d]*|"
    r"(CSV|JPEG|HTTP).*|[\d.,:]+ (kB|ms|s|min)|S\. No\.|Product Name|Input Image Urls|"
    r"Key|Label|utf-8|jpeg|Frühling|Bytes|\d+ . \d+ [A-Z]+|.*(\.csv|SKU \d|\d\.jpg|chelsea|://|_|127\.0\.0\.1).*"
)


class German(Browser):
    """A person whose browser asks for German."""

    def _open(self, path: str, method: str, *, headers: dict[str, str] | None = None, **given: Any) -> Any:
        return super()._open(path, method, headers={"Accept-Language": "de"} | (headers or {}), **given)


def shown(page: str) -> set[str]:
    """The texts of a page, in its elements and attributes, without those that are marked as English."""
    parts = [first or second for first, second in SHOWN.findall(ENGLISH_PART.sub(" ", page))]
    return {text for each in parts if (text := " ".join(html.unescape(each).split())) and not NAMES.fullmatch(text)}


def untranslated(path: str) -> set[str]:
    """The texts that a page shows to English and to German readers."""
    english, german = Browser().get(path), German().get(path)
    assert german.status_code == english.status_code, german.text
    assert '<html lang="de">' in german.text, path
    return shown(english.text) & shown(german.text)


def choose(content: str, name: str = "products.csv") -> str:
    """Choose a file; the path of its page."""
    answer = current_app.test_client().post("/", data={"file": (io.BytesIO(content.encode()), name)})
    assert answer.status_code == 303, answer.text
    path: str = answer.location
    return path


def test_a_chosen_file_is_read_in_german(shop: ImageHost) -> None:
    """The start page, a file with good and bad rows, one without our columns, and one that is no table."""
    rows_of = f"{shop.url}/chelsea.jpg"
    for path in ("/", choose(csv_of(rows_of, "www.shop.example/1.jpg", "")), choose("Key,Label\n1,Mug\n")):
        assert untranslated(path) == set(), path
    page = German().client.post(
        "/", data={"file": (io.BytesIO(b"%PDF-1.7"), "list.pdf")}, headers=PAGE | {"Accept-Language": "de"}
    )
    assert "Die Datei ist ein PDF-Dokument" in text_of(page)
    assert "Kopfzeile in Zeile 1" in text_of(German().get(choose(csv_of(rows_of))))


def test_a_faulty_option_is_said_in_german(shop: ImageHost) -> None:
    """The page with the error and the preview are in German."""
    path = choose(csv_of(f"{shop.url}/chelsea.jpg"))
    page = text_of(German().post(f"{path}/start", quality="smart", scale="0.5", format="jpeg", reference="x" * 999))
    assert "Geben Sie höchstens 500 Zeichen an." in page
    assert "Vorher und nachher" in text_of(German().post(f"{path}/preview", quality="50", scale="1", format="jpeg"))


@pytest.fixture
def mixed(shop: ImageHost) -> str:
    """A request with a picture, failures of several kinds and a webhook, processed to its end; its id."""
    shop.says("/hook", Answer(status=204))
    cells = (f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg", f"{shop.url}/page.jpg", "http://10.0.0.1/x.jpg")
    request_id = submit(csv_of(*cells), webhookUrl=f"{shop.url}/hook", reference="Frühling")
    drain(request_id)
    return request_id


def test_the_pages_of_a_request_are_german(mixed: str) -> None:
    """While it runs, once it has ended, after an action, and its pictures."""
    waiting = submit(csv_of("https://shop.example/1.jpg"))
    pages = ["", "?show=failed", "?show=done", "/products", "/products?status=skipped", "/webhook", "/file", "/share"]
    pages += ["?did=retried", "?did=cancelled", "/webhook?did=resent", "?name=wrong"]
    for request_id, page in [(mixed, page) for page in pages] + [(waiting, page) for page in ("", "/products")]:
        assert untranslated(f"/requests/{request_id}{page}") == set(), page
    for image in rows(ProductImage):
        assert untranslated(f"/requests/{image.request_id}/images/{image.id}") == set()
    assert "1 von 4 Bildern · 3 zu klären" in text_of(German().get(f"/requests/{mixed}"))
    assert "Der Test kam an." in text_of(German().post(f"/requests/{mixed}/webhook/test"))
    link = current_app.test_client().post(f"/api/requests/{mixed}/shares").get_json()["url"]
    shared = "/share/" + link.rpartition("/")[2]
    image_id = next(each.id for each in rows(ProductImage) if each.output_key)
    for path in (shared, f"{shared}?show=failed", f"{shared}/images/{image_id}"):
        assert untranslated(path) == set(), path


def test_the_progress_is_german_and_its_tag_is_its_own(mixed: str) -> None:
    """A browser that has changed its language gets no 304 for the other one's text."""
    english = Browser().get(f"/requests/{mixed}/progress")
    german = German().get(f"/requests/{mixed}/progress", If_None_Match=english.headers["ETag"])
    assert (german.status_code, "Fehlgeschlagen" in german.text) == (200, True)
    assert {"Accept-Language", "Cookie"} <= set(german.headers["Vary"].split(", "))


def test_keys_and_the_sign_in_are_german() -> None:
    """With a wrong key, a new one, and a session that has ended."""
    assert untranslated("/login") == set()
    assert "Kein aktiver Schlüssel lautet so." in text_of(German().sign_in("imgproc_wrong"))
    browser = German()
    browser.sign_in(create_key("Frühling", scope="admin"))
    english = Browser()
    english.sign_in(create_key("Spring", scope="admin"))
    both = shown(browser.get("/keys").text) & shown(english.get("/keys").text)
    assert both - {"Frühling", "Spring"} == set()
    made = text_of(browser.send("/keys", "/keys", name="Sommer", scope="read", expires="30"))
    assert "Kopieren Sie diesen Schlüssel jetzt" in made


def test_error_pages_are_german_and_the_api_is_english() -> None:
    """Also for a client that asks for German."""
    for path in ("/nowhere", "/docs/errors/", "/docs/errors/http_404", "/docs/errors/unsupported_format"):
        assert untranslated(path) == set()
    assert untranslated("/requests/4b3c1d52-0000-4000-8000-000000000000") == set()
    answer = German().client.get("/api/nowhere", headers={"Accept-Language": "de"})
    assert answer.get_json()["detail"] == "There is nothing at this address; /docs lists the API."
    assert "Vary" not in answer.headers
    problem = German().get("/nowhere", Accept="application/json", Accept_Language="de").get_json()
    assert problem["detail"] == "There is nothing at this address; /docs lists the API."


def test_help_is_english_inside_a_german_page() -> None:
    """The documentation has one language, and says so."""
    page = German().get("/help/").text
    assert '<html lang="de">' in page
    assert '<article class="prose" lang="en">' in page


def test_a_chosen_language_is_remembered(shop: ImageHost) -> None:
    """By a link in the footer, without JavaScript; it leads back to the page, and no address has a language."""
    browser = Browser()
    link = re.search(r'href="(/language/de\?next=[^"]*)"', browser.get("/?q=shoes&show=open").text)
    assert link
    answer = browser.get(html.unescape(link[1]))
    assert (answer.status_code, answer.location) == (303, "/?q=shoes&show=open")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert '<html lang="de">' in browser.get("/").text
    browser.get("/language/en?next=/")
    assert '<html lang="en">' in browser.get("/", Accept_Language="de").text


@pytest.mark.parametrize(
    "given", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "\0", ""]
)
def test_the_switch_leads_to_no_other_site(given: str) -> None:
    """To the start page instead."""
    answer = Browser().client.get("/language/de", query_string={"next": given})
    assert (answer.status_code, answer.location) == (303, "/")


@pytest.mark.parametrize("code", ["fr", "..", "%2e%2e", "de%00", "x" * 5000])
def test_an_unknown_language_is_not_remembered(code: str) -> None:
    """No cookie is set."""
    answer = Browser().client.get(f"/language/{code}")
    assert answer.status_code in {303, 404}
    assert "Set-Cookie" not in answer.headers


def test_the_page_of_a_refused_form_leads_back_to_one_that_can_be_opened(shop: ImageHost) -> None:
    """Its own address takes no GET."""
    path = choose(csv_of(f"{shop.url}/chelsea.jpg"))
    page = Browser().post(f"{path}/start", quality="0", scale="0.5", format="jpeg")
    assert f'/language/de?next={path}"' in html.unescape(page.text).replace("%2F", "/")


def test_a_server_that_wants_keys_lets_strangers_choose() -> None:
    """The sign-in page can be switched too."""
    configure(api_keys_required=True)
    assert Browser().get("/language/de?next=/login").location == "/login"
    assert COOKIE in Browser().get("/language/de").headers["Set-Cookie"]
