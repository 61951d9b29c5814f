"""A URL cell in the notation of a program -> its URLs: formulas, JSON, HTML, CSS, Markdown, attachments."""

from __future__ import annotations

import json
import re
from typing import Any

# The functions of a picture or a link, as spreadsheets in other languages show them.
_NAMES = (
    "IMAGE|HYPERLINK|BILD|IMAGEN|IMAGEM|IMMAGINE|OBRAZ|AFBEELDING|LIEN_HYPERTEXTE|HIPERVINCULO|HIPERVÍNCULO"
    r"|HIPERLIGAÇÃO|COLLEG\.IPERTESTUALE|HIPERŁĄCZE|KÖPRÜ|ГИПЕРССЫЛКА|ИЗОБРАЖЕНИЕ"
)
_CALL = re.compile(rf'(?:^=|[=&(+,;])\s*(?:@|_xlfn\.)?(?:{_NAMES})\s*\(\s*"(https?://[^"]*)"\s*(?=[,;)])', re.I)
_REFERENCE = re.compile(r"(?<![\w.])\$?[A-Z]{1,3}\$?[0-9]{1,7}\b")
_IN_QUOTES = re.compile(r'"[^"]*"')
_TAG = re.compile(
    r"""<(?:img|source|a)\b[^<>]*?\s(?:src|srcset|href)\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s"'<>]+))""", re.I
)
_BREAK = re.compile(r"<\s*/?\s*(?:br|p|div|li|ul|ol|td|tr|span)\b[^<>]*>|\[/?(?:img|url)\]", re.I)
_IN_BRACKETS = r"https?://[^\s()]*(?:\([^\s()]*\)[^\s()]*)*"
_LINKED = rf"!\[[^\[\]]*\]\(\s*({_IN_BRACKETS})[^()]*\)"
_MARKDOWN = re.compile(rf"!?\[(?:{_LINKED}|[^\[\]]*)\]\(\s*({_IN_BRACKETS})[^()]*\)", re.I)
_ATTACHMENT = re.compile(rf"(?:^|(?<=[(),;|\n]))[^(),;|\n]*\(({_IN_BRACKETS})\)", re.I)
_WIDTHS = re.compile(r"\s{1,3}[0-9.]{1,8}[wx]\b.*$", re.S)  # the sizes of a `srcset`, and its other pictures
_CSS = re.compile(
    r"(?:[\w-]{1,30}\s{0,3}:\s{0,3})?\burl\(\s{0,3}[\"']?(https?://[^\"'()\s]+)[\"']?\s{0,3}\)\s{0,3};?", re.I
)
_PHP = re.compile(r's:[0-9]+:"(https?://[^"]*)"', re.I)
_LABELLED = re.compile(r"\bProduct Image URL:\s*(https?://[^\s,|]+)", re.I)  # as BigCommerce writes
# The keys of a JSON object that have its picture; the first of them that it has counts.
_KEYS = ("url", "src", "image", "image_url", "imageUrl", "secure_url", "original", "href", "link", "images", "photos")


def without_breaks(text: str) -> str:
    """The text with a line break for each tag that breaks lines."""
    return _BREAK.sub("\n", text)


def listed_urls(text: str) -> tuple[str, list[str]] | None:
    """The code of the notation that a cell is in, and its URLs; None for plain text."""
    if text[:1] == "=":
        calls = _CALL.findall(text)
        if calls and not _REFERENCE.search(_IN_QUOTES.sub("", text)):
            return "formula_read", [url.strip() for url in calls]
    if text[:1] in ("[", "{", '"', "(") and (found := _json_urls(text)):
        return "json_read", found
    if text[:2] == "a:" and (found := _PHP.findall(text)):
        return "json_read", found
    if found := _LABELLED.findall(text):
        return "labels_read", found
    return _marked_up(text)


def _marked_up(text: str) -> tuple[str, list[str]] | None:
    for code, pattern, sign in (
        ("html_read", _TAG, "<"),
        ("markdown_read", _MARKDOWN, "]("),
        ("html_read", _CSS, "url("),
        ("attachments_read", _ATTACHMENT, "("),
    ):
        if sign in text and text[:4].lower() != "http" and (matches := list(pattern.finditer(text))):
            rest = _BREAK.sub("", pattern.sub("", text)) if pattern is not _TAG else ""
            if not rest.strip(" \t\r\n,;|"):
                return code, [_shown(match) for match in _pictures(matches)]
    return None


def _pictures(matches: list[re.Match[str]]) -> list[re.Match[str]]:
    """Of HTML tags those of the pictures themselves: a link around one leads to a page, a `source` has it again."""
    for start in ("<img", "<source"):
        if found := [match for match in matches if match[0].lower().startswith(start)]:
            return found
    return matches


def _shown(match: re.Match[str]) -> str:
    url = next((group for group in match.groups() if group), "").strip()
    return _WIDTHS.sub("", url)


def _json_urls(text: str) -> list[str]:
    """The texts of a JSON list, and the pictures of objects in it; none if it is neither JSON nor of Python."""
    value = _loaded(text)
    if value is None and "{" in text and '"' not in text:
        value = _loaded(re.sub(r"\bNone\b", "null", text.replace("'", '"')))
    if isinstance(value, str):
        return [value.strip()]
    found: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, str):
            found.append(each.strip())
        elif isinstance(each, list):
            waiting[:0] = each
        elif isinstance(each, dict):
            pictures = [each[key] for key in _KEYS if each.get(key)][:1]
            waiting[:0] = pictures or _numbered(each)
    return found


def _numbered(value: dict[str, Any]) -> list[Any]:
    """The values of an object whose keys are all numbers, as PHP writes a list."""
    return list(value.values()) if all(key.isdigit() for key in value) else []


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
