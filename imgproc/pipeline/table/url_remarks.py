"""What stands beside the URLs of a cell and is left out: signs, numbers, words with a colon, titles of pictures."""

from __future__ import annotations

import re

PICTURE = r"\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?|svg)"
# Signs between two URLs, line breaks written as `\n`, a word before a URL, what the WooCommerce Import Suite says of a
# picture, signs or a number by themselves, and signs after a picture.
_BETWEEN = re.compile(rf"({PICTURE})[^\w\s/?%=,;|\"'“”‘’«»<>()\[\]{{}}，、；،]{{1,3}}(?=https?://)", re.I)  # noqa: RUF001
_ESCAPED_BREAK = re.compile(r"(?:\\[rn]){1,4}(?=\s|https?://|$)", re.I)
_LABEL = re.compile(r"(^|[,;|\n])[ \t]?(?!https?:|blob:|feed:)[^\W\d][\w .()-]{0,30}:[ \t]{0,3}(?=https?://)", re.I)
_TITLES = re.compile(r"\s!\s*(?:alt|title|desc|caption|featured)\s?:[^|]*", re.I)
# Signs, the number or letter of a list, and the two sizes of a `srcset`, such as `640w` and `2x`.
_SIGNS = re.compile(
    r"(?!://)[^\w\s.…?\"'“”‘’«»\\]{1,3}|\(?(?:\d{1,2}|[A-Za-z])[.)]|\d{2,5}w|\d(?:\.\d{1,2})?x"  # noqa: RUF001
)
_AFTER_PICTURE = re.compile(rf"({PICTURE})(?:[^\w/?%=&#]{{1,3}}|:\d{{1,2}})$", re.I)
_IN_BRACKETS = re.compile(r"(^|[\s,;|])\((?!https?:)[^()/\\:]{1,40}\)(?=$|[\s,;|])", re.I)
_ANY_LABEL = re.compile(r"(^|[,;|\n])[ \t]{0,3}[^\W\d][\w ]{0,30}(?:=|[ \t][-–][ \t])[ \t]{0,3}(?=https?://)", re.I)  # noqa: RUF001
_WRAPPED = re.compile(r"([>)\]}])\s{0,3}(?=[<(\[{]https?://)", re.I)


def without_remarks(text: str) -> str:
    """The text without titles of pictures, words before URLs, and signs between them, which become line breaks."""
    if " ! " in text:
        text = _TITLES.sub("", text)
    text = _ESCAPED_BREAK.sub("\n", text)
    if text.count("://") > 1:
        text = _WRAPPED.sub(r"\1\n", _BETWEEN.sub(r"\1\n", text))
    if "(" in text and "://" in text:
        text = _IN_BRACKETS.sub(r"\1", text)
    if 0 < text.count("://") == len(_ANY_LABEL.findall(text)):
        text = _ANY_LABEL.sub(r"\1", text)
    return _LABEL.sub(r"\1", text) if text[:4].lower() != "http" or text.count(":") > text.count("://") else text


def is_sign(item: str) -> bool:
    """Whether an item is no more than signs, or the number of a list."""
    return _SIGNS.fullmatch(item) is not None


def without_signs_around(item: str) -> str:
    """The URL without a quote that opens before it, and without the signs after the name of a picture at its end."""
    bare = item.lstrip("\"'“‘")  # noqa: RUF001
    return _AFTER_PICTURE.sub(r"\1", bare) if bare[:4].lower() == "http" else item
