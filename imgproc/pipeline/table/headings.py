"""What a heading names: it is compared with the known names of our columns by its key. `column_names` lists them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from imgproc.pipeline.table import column_names as names
from imgproc.pipeline.table.names_by_language import words

MAX_COLUMNS = 1000
ADDED = ("outputimageurls", "error")  # the keys of the columns that our own files add begin so
MAX_HEADING_CHARS = 100  # No column of ours has a longer name, and normalizing one takes quadratic time.
_REMARK = re.compile(r"</?[a-z]{1,6}>|\((?!\d)[^()]*\)|\[(?!\d)[^\[\]]*\]|\{[^{}]*\}")
_NUMBERED = re.compile(r"\s*[(\[]?\d{1,2}\s*[.):\]-]\s*(?=[^\W\d])")  # `1. Product Name`
_AMAZON_PATH = re.compile(r"#\d+(?:\.\w+)*$")  # `item_name[language_tag=en_US]#1.value`
_LOCALE = re.compile(r"[-_.][a-z]{2}[-_][A-Z]{2}$")  # `name-en_US`, as Akeneo writes
_NUMBER_SIGN = re.compile(r"(?<=\w)\s*#\s*$")  # `Item #`
_ALTERNATE = re.compile("alternat(?:e|iva?e?)s?(?=[0-9]|$)|^alternat(?:e|ive)")  # a further picture; no text of one
_LETTERS = str.maketrans("\u0131łøđ", "ilod")

# The names of our columns as the caller gives them: of the pictures there may be several.
Choice = Mapping[str, Sequence[str]]


@lru_cache(maxsize=4096)
def key(heading: str) -> str:
    """A heading without case, accents, spacing, punctuation, a number before it and remarks in brackets.

    A heading of punctuation alone (`#`) stays.
    """
    if len(heading) > MAX_HEADING_CHARS:
        return ""
    text = _LOCALE.sub("", _AMAZON_PATH.sub("", _REMARK.sub("", unicodedata.normalize("NFKC", heading))))
    text = unicodedata.normalize("NFKD", _NUMBER_SIGN.sub("no", _NUMBERED.sub("", text, count=1)).casefold())
    plain = "".join(character for character in text if not unicodedata.combining(character))
    return re.sub(r"[\W_]", "", plain.translate(_LETTERS)) or heading.strip()


def _ranks(*listed: Sequence[str]) -> dict[str, int]:
    return {key(name): rank for rank, name in reversed([*enumerate(name for each in listed for name in each)])}


SERIALS = _ranks(names.SERIAL_NUMBER, words(0), names.WEAK_SERIAL_NUMBER)
NAMES = _ranks(names.PRODUCT_NAME, words(1), names.WEAK_PRODUCT_NAME)
WEAK_SERIALS = {key(name) for name in names.WEAK_SERIAL_NUMBER} - {key(name) for name in names.SERIAL_NUMBER}
WEAK_NAMES = {key(name) for name in names.WEAK_PRODUCT_NAME} - {key(name) for name in names.PRODUCT_NAME}
WEAK_URLS = _ranks(names.WEAK_IMAGE_URLS)
OUR_IMAGES = _ranks(names.INPUT_IMAGE_URLS)
_PICTURES = tuple(key(each) for each in (*names.PICTURES, *words(2)))
_PICTURES_ALONE = {key(each) for each in names.PICTURES_ALONE}
# A listing of Etsy has a title, and only perhaps an SKU.
_ETSY = {"title", "description", "price", "image1"}


@lru_cache(maxsize=4096)
def names_pictures(heading: str) -> bool:
    """Whether a heading names a column of pictures, and not of something said about them."""
    text = key(heading)
    if text.rstrip("0123456789") in _PICTURES_ALONE:
        return True
    rest = text
    for picture in _PICTURES:
        rest = rest.replace(picture, "")
    rest = _ALTERNATE.sub("", rest)
    return rest != text and not any(other in rest or text == other for other in names.NOT_PICTURES)


@lru_cache(maxsize=4096)
def names_links(heading: str) -> bool:
    """Whether a heading names URLs, of pictures or of pages, with or without a number."""
    return key(heading).rstrip("0123456789") in WEAK_URLS


def roles(header: Sequence[str], choice: Choice | None = None) -> set[str]:
    """Which of our columns a line names, so that it may be the header."""
    cells = [cell for cell in header[:MAX_COLUMNS] if cell.strip()]
    found = set()
    for cell in cells:
        text = key(cell)
        if text in SERIALS:
            found.add("serialNumber")
        if text in NAMES:
            found.add("productName")
        if names_links(cell) or names_pictures(cell):
            found.add("inputImageUrls")
    if set(map(key, cells)) >= _ETSY:
        found.add("serialNumber")
    if choice:
        given = {key(cell) for cell in cells}
        found -= choice.keys()
        found |= {column for column, wanted in choice.items() if all(key(each) in given for each in wanted)}
    return found


def are_too_many(header: Sequence[str]) -> bool:
    """Whether a header has more columns than a file may have, without those that our own files add as the last."""
    added = sum(key(heading).startswith(ADDED) for heading in header[MAX_COLUMNS : 2 * MAX_COLUMNS])
    return len(header) - added > MAX_COLUMNS


def cleaned(cells: Sequence[str]) -> list[str]:
    """The cells of a header without the white space and marks around them."""
    return [cell.strip("\ufeff\u200b \t\r\n\xa0") for cell in cells]
