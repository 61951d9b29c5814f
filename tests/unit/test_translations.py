"""The translations of the console: complete, with the same placeholders and tags, and compiled as they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from flask import Flask
from urllib3.util import parse_url

from imgproc.core.delivery_errors import ReceiverAnswer
from imgproc.core.errors import ImageError
from imgproc.pipeline.http.receiver_faults import explain_answer, explain_failure
from imgproc.pipeline.http.refusals import REMEDIES, explain_refusal
from imgproc.pipeline.images.compress import CompressOptions, compress
from imgproc.web import display, languages, receiver_sentences
from imgproc.web.engine_sentences import PARTS, SENTENCES
from imgproc.web.sentences import MAX_CHARS, said, said_text
from scripts import translations
from scripts.file_messages import SECTIONS, message

FILES = sorted(translations.FOLDER.glob("*/LC_MESSAGES/messages.po"))
# What a translation keeps: values to be filled in, and tags.
KEPT = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+[^>]*>")
each_language = pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.parent.name)


def catalogue(path: Path) -> Catalog:
    """The translations of a file."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def texts(entry: Message) -> list[tuple[str, str]]:
    """The texts of an entry, each with its translation; all forms of a plural after the first belong to the second."""
    if isinstance(entry.id, str):
        return [(entry.id, str(entry.string))]
    one, many = entry.id
    first, *others = tuple(entry.string or ())
    return [(one, first), *((many, each) for each in others)]


@pytest.fixture
def german() -> Iterator[None]:
    """A call for a page in German."""
    app = Flask("pages")
    languages.init_app(app)
    with app.test_request_context(headers={"Accept-Language": "de"}):
        yield


@each_language
def test_every_text_is_translated(path: Path) -> None:
    """None is missing, and none is a guess."""
    found = catalogue(path)
    assert translations.missing(found) == []
    assert [each.id for each in found if each.fuzzy and each.id] == []


@each_language
def test_a_translation_keeps_values_and_tags(path: Path) -> None:
    """Else a page would fail, or show a name in place of a number."""
    for entry in catalogue(path):
        for text, translation in texts(entry) if entry.id else []:
            assert Counter(KEPT.findall(translation)) == Counter(KEPT.findall(text)), text


@each_language
def test_the_files_are_those_of_the_texts(path: Path) -> None:
    """`make translations` has nothing to do."""
    catalog = translations.updated(path, translations.template())
    assert translations.written(catalog) == path.read_bytes(), "run make translations"
    assert translations.compiled(catalog) == path.with_suffix(".mo").read_bytes(), "run make translations"


def test_no_sentence_of_the_engine_is_listed_twice() -> None:
    """Each has one translation."""
    listed = (*SENTENCES, *PARTS, *receiver_sentences.SENTENCES, *receiver_sentences.PARTS)
    assert [each for each, count in Counter(listed).items() if count > 1] == []


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize("text", [text for files in SECTIONS.values() for text in files.values()])
def test_every_fault_of_a_file_is_said_in_german(text: str) -> None:
    """All that the documentation lists."""
    _, detail = message(text)
    shown = said(detail)
    assert shown != detail
    assert "lang=" not in shown


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    "source", [b"", b"<!doctype html><html>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"%PDF-1.7", b"no picture at all"]
)
def test_common_faults_of_a_picture_are_said_in_german(source: bytes) -> None:
    """As the engine says them."""
    with pytest.raises(ImageError) as caught:
        compress(source, options=CompressOptions(), max_pixels=1_000_000)
    assert "lang=" not in said(caught.value.detail)


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize("status", sorted(REMEDIES))
def test_refusals_of_hosts_are_said_in_german(status: int) -> None:
    """Every status that the engine has a remedy for."""
    error = explain_refusal(status, {}, b"", url=parse_url("https://shop.example/1.jpg"))
    assert "lang=" not in said(error.detail)


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/html"}, {"Location": "https://shop.example/new"}])
@pytest.mark.parametrize("status", [302, *range(400, 432), *range(500, 531)])
def test_refusals_of_receivers_are_said_in_german(status: int, headers: dict[str, str]) -> None:
    """Every status of an answer that is no success."""
    answer = ReceiverAnswer(status, headers, "")
    assert "lang=" not in said(explain_answer(answer, host="shop.example", url="https://shop.example/hook"))


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("connect_failed", "refuses connections; check that it is up"),
        ("connect_failed", "closed the connection before it had answered; check that it is up"),
        ("dns_failed", "was not found; check how the host is spelled"),
        ("timeout", "did not answer in time; check that it is up and fast enough"),
        ("tls_failed", "has a certificate that has expired; renew it"),
        ("forbidden_address", "is at a private or reserved address; use a public URL"),
    ],
)
def test_receivers_out_of_reach_are_said_in_german(code: str, fault: str) -> None:
    """What the host does is said as for pictures, and the remedy is about receivers."""
    assert "lang=" not in said(explain_failure(code, f"shop.example {fault}."))


@pytest.mark.usefixtures("german")
def test_languages_have_german_names() -> None:
    """As in the note on how an encoding was found."""
    text = (
        "The file does not say its encoding. It is read as Windows-1252, because its letters follow each other as in "
    )
    text += "German: “Größe”. If that is wrong, name the encoding (encoding=…), or save the table as “CSV UTF-8”."
    assert "in der Sprache Deutsch: „Größe“" in said(text)


@pytest.mark.usefixtures("german")
def test_values_are_put_into_the_translation() -> None:
    """Numbers are written as the language does, names stay, and a part is translated itself."""
    text = (
        "The columns 'Bild and more' and 'Bild 2' are read as one list of images. The same holds for 1,234 more lines."
    )
    assert said(text) == (
        "Die Spalten 'Bild and more' und 'Bild 2' werden als eine Liste von Bildern gelesen. "
        "Das gilt auch für 1.234 weitere Zeilen."
    )
    text = "The serial number '<b>{0} %s' is already on line 2: give the row one of its own, or move it directly below "
    text += "line 2 and give it the same name, if it is the same product."
    assert said(text).startswith("Die Artikelnummer '<b>{0} %s' steht schon in Zeile 2")


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    "text",
    [
        "Something that no translator has seen.",
        "The file is <script>alert(1)</script>: unpack it, and upload the file inside.",
        f"The file {'x' * MAX_CHARS} of the ZIP archive is read.",
        "{part} Try again in a few seconds.",
    ],
)
def test_a_text_without_a_translation_stays_english(text: str) -> None:
    """Screen readers are told, and the text is escaped, because it may come from a file."""
    shown = said(text)
    assert shown.startswith('<span lang="en">')
    assert "<script" not in shown
    assert said_text(text) == text


@pytest.mark.usefixtures("german")
def test_numbers_and_times_are_german() -> None:
    """With the comma and the point where Germans have them."""
    assert display.number(1234567) == "1.234.567"
    assert display.number(1234.5, "#,##0.0") == "1.234,5"
    assert (display.size(3_400_000), display.size(1), display.size(128_000)) == ("3,4 MB", "1 Byte", "128 kB")
    assert (display.duration(400_000), display.duration(7500)) == ("5 Tage", "2 h 5 min")
    assert display.time_element("2026-11-28T17:05:09Z") == (
        '<time datetime="2026-11-28T17:05:09.000Z">28.11.2026, 17:05:09 UTC</time>'
    )
    assert display.images(1) == "1 Bild"


@pytest.mark.parametrize(
    ("header", "cookie", "language"),
    [
        ("de", None, "de"),
        ("de-AT,de;q=0.9,en;q=0.5", None, "de"),
        ("fr, de;q=0.5", None, "de"),
        ("en-GB, de;q=0.9", None, "en"),
        ("fr", None, "en"),
        (None, None, "en"),
        ("", None, "en"),
        ("*", None, "en"),
        ("de;q=0", None, "en"),
        (";q=nan, ;;;, =, -de, q=1;de", None, "en"),
        ("\x00\xff../../etc", None, "en"),
        ("de," * 20_000, None, "de"),
        ("x-" * 20_000, None, "en"),
        ("en", "de", "de"),
        ("de", "en", "en"),
        ("de", "../../../etc/passwd", "de"),
        ("de", "xx" * 2000, "de"),
        ("en", "DE", "en"),
        ("en", "", "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_what_the_browser_asks_for(
    header: str | None, cookie: str | None, language: str
) -> None:
    """Whatever is sent, it is a language that there is."""
    app = Flask("pages")
    languages.init_app(app)
    environ = {} if header is None else {"HTTP_ACCEPT_LANGUAGE": header}
    cookies = {} if cookie is None else {"HTTP_COOKIE": f"{languages.COOKIE}={cookie}"}
    with app.test_request_context(environ_overrides=environ | cookies):
        assert languages.chosen() == language
