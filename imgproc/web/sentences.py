"""What the engine says, in the language of the page.

The engine writes one English sentence with its values in it, and the database, the API, the log and the CSVs have that
sentence. So a text is compared with the sentences of `engine_sentences`, and its values are put into the translation
of the one that it is. A text that is none of them stays English, and the page says so to screen readers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale
from flask_babel import get_locale
from markupsafe import Markup

from imgproc.web import display, receiver_sentences
from imgproc.web.engine_sentences import PARTS, SENTENCES
from imgproc.web.languages import DEFAULT
from imgproc.web.texts import gettext

PLACEHOLDER = re.compile(r"\{(\w+)\}")
MAX_CHARS = 2000  # longer texts stay English
MAX_DEPTH = 4  # of parts in parts


@dataclass(frozen=True)
class Pattern:
    """A sentence as its fixed texts, with a value between each two."""

    text: str
    fixed: tuple[str, ...]
    names: tuple[str, ...]

    def values(self, said: str) -> dict[str, str] | None:
        """The values in a text, None if it is another sentence. Each ends where the next fixed text first occurs.

        The time is linear, whatever the values are; a regular expression would try every place for each value.
        """
        first, last = self.fixed[0], self.fixed[-1]
        if not self.names:
            return {} if said == first else None
        end = len(said) - len(last)
        if not (said.startswith(first) and said.endswith(last) and end > len(first)):
            return None
        at, found = len(first), []
        for fixed in self.fixed[1:-1]:
            place = said.find(fixed, at, end)
            if place < 0:
                return None
            found.append(said[at:place])
            at = place + len(fixed)
        found.append(said[at:end])
        return dict(zip(self.names, found, strict=True)) if all(found) else None


def _pattern(text: str) -> Pattern:
    fixed = PLACEHOLDER.split(text)
    return Pattern(text, tuple(fixed[::2]), tuple(fixed[1::2]))


def _patterns(texts: tuple[str, ...]) -> tuple[Pattern, ...]:
    """The patterns, those with the most fixed text first: they say the most about what they match."""
    return tuple(sorted(map(_pattern, texts), key=lambda each: -sum(map(len, each.fixed))))


SPOKEN = (*SENTENCES, *receiver_sentences.SENTENCES)
WHOLE, ALL = _patterns(SPOKEN), _patterns((*SPOKEN, *PARTS, *receiver_sentences.PARTS))


def said(text: str | None, most: int | None = None) -> str:
    """A text of the engine for a page, cut after `most` characters; marked as English where it is not translated."""
    if not text or str(get_locale()) == DEFAULT:
        return _cut(text or "", most)
    found = _translated(text)
    return _cut(found, most) if found else Markup('<span lang="en">{}</span>').format(_cut(text, most))


def said_text(text: str) -> str:
    """A text of the engine, where no markup can be: English where it is not translated."""
    return (None if str(get_locale()) == DEFAULT else _translated(text)) or text


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def _translated(text: str, *, depth: int = 0) -> str | None:
    if not text or len(text) > MAX_CHARS or depth > MAX_DEPTH:
        return None
    if "{" not in text and "%(" not in text and (known := gettext(text)) != text:
        return known
    for pattern, values in _matches(text, is_part=depth > 0):
        wording = gettext(pattern.text)
        filled = {name: _value(name, value, depth=depth) for name, value in values.items()}
        if wording != pattern.text and None not in filled.values():
            return wording.format_map(filled)
    return None


def _language(english: str) -> str:
    """The name of a language in that of the page, given its English name."""
    code = next((code for code, name in Locale("en").languages.items() if name == english), None)
    return str((get_locale() or Locale("en")).languages.get(code, english))


@lru_cache(maxsize=4096)
def _matches(text: str, *, is_part: bool) -> list[tuple[Pattern, dict[str, str]]]:
    found = ((pattern, pattern.values(text)) for pattern in (ALL if is_part else WHOLE) if pattern.names)
    return [(pattern, values) for pattern, values in found if values is not None]


def _value(name: str, value: str, *, depth: int) -> str | None:
    """A value in the language of the page: a part is translated, a number is written its way, others stay."""
    if name.startswith("part"):
        return _translated(value, depth=depth + 1)
    if name == "language":
        return _language(value)
    if name.startswith("number"):
        plain = value.replace(",", "")
        return display.number(int(plain)) if plain.isdecimal() and len(plain) < 19 else None
    return value
