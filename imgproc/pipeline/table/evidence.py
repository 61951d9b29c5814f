"""The bytes of a text beyond ASCII -> which encodings they may be in, by the letters of the languages each is for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from imgproc.pipeline.table.code_pages import CODE_PAGES, FOREIGN, LANGUAGES_OF, WIDE
from imgproc.pipeline.table.known_words import count_known
from imgproc.pipeline.table.letters import IDEOGRAPHIC, languages, score_characters, score_pairs
from imgproc.pipeline.table.signs import UNREADABLE, script

# Up to the quotes after it.
_URL = re.compile(rb"https?://[^\s|]*?(?=[\x80-\xff]{0,3}(?:[\s|]|$))", re.I)
_DIGITS = re.compile(rb"[0-9]+")
UNLIKELY = -1e6
_BEST_GROUPS = 10  # encodings that are scored language by language; a rough score drops the others
# The likelihood that a run of characters beyond ASCII ends, touches a small Latin letter or digit, is a single one.
_END, _TOUCHING, _LONELY = -1.0, -3.0, -4.0
_NO_WORD = -6.0  # of a text in which no two letters of its script stand side by side
KNOWN_WORD = 12.0  # how much likelier a reading is by each word that shops write
_RUN = re.compile(r"([a-z0-9]?)([^\x00-\x7f]+)(?=([a-z0-9]?))")


@dataclass(frozen=True)
class Reading:
    """One way to read the cells: its codec, the likelihood of the text, and the language that it is likely in."""

    codec: str
    score: float
    language: str

    def read(self, cell: bytes) -> str:
        """The text of a cell."""
        return cell.decode(self.codec, "replace")


def tokens(cells: Iterable[bytes]) -> list[bytes]:
    """The distinct words of cells that have bytes beyond ASCII; each URL counts as one letter.

    Words that only differ in their digits are one: a hundred sizes in inches tell no more than one.
    """
    words = (word for cell in cells for word in _URL.sub(b"u", cell).split() if not word.isascii())
    return list({_DIGITS.sub(b"0", word): word for word in words}.values())


def readings(cells: Iterable[bytes], present: Iterable[int]) -> list[Reading]:
    """The readings of cells, the most likely first. Encodings that decode all `present` bytes alike count as one."""
    words = tokens(cells)
    found = [_wide(words, codec) for codec in WIDE]
    found += _narrow(words, bytes(sorted(present)))
    return sorted((each for each in found if each), key=lambda each: -each.score)


def score_utf8(cells: Iterable[bytes]) -> Reading:
    """The reading as UTF-8."""
    text = [word.decode("utf-8", "replace") for word in tokens(cells)]
    pairs: Counter[tuple[str, str]] = Counter()
    for word in text:
        pairs.update(zip(f" {word}", f"{word} ", strict=True))
    narrow = _best_language([(a, b, times) for (a, b), times in pairs.items() if not (a + b).isascii()])
    wide = max((sum(score_characters(word, codec) for word in text), IDEOGRAPHIC[codec]) for codec in WIDE)
    score, language = max(narrow, wide)
    return Reading("utf-8", score + KNOWN_WORD * count_known(" ".join(text)), language)


def score_as(words: list[bytes], codec: str) -> float:
    """The likelihood of words in an encoding."""
    if codec == "utf-8":
        return score_utf8(words).score
    if codec in WIDE:
        wide = _wide(words, codec)
        return wide.score if wide else UNLIKELY
    table = bytes(range(256)).decode(codec, "replace")
    pairs = [(table[first], table[second], times) for first, second, times in _pairs(words)]
    return _best_language(pairs, codec)[0] + CODE_PAGES[codec][1] + _by_known_words(words, codec)


def _by_known_words(words: list[bytes], codec: str) -> float:
    return KNOWN_WORD * count_known(b" ".join(words).decode(codec, "replace"))


def _wide(words: list[bytes], codec: str) -> Reading | None:
    """The reading in an encoding of two bytes a character; None where a tenth of it is not text."""
    text = " ".join(word.decode(codec, "replace") for word in words)
    if text.count(UNREADABLE) * 10 > len(text) - text.count(" "):
        return None
    score = score_characters(text, codec) + WIDE[codec][1]
    runs = _RUN.findall(text)
    score += _NO_WORD if all(len(run) == 1 for _, run, _ in runs) else 0.0
    for before, run, after in runs:
        touching = bool(before) + bool(after)
        score += _END + touching * _TOUCHING + (_LONELY if touching and len(run) == 1 else 0.0)
    return Reading(codec, score, IDEOGRAPHIC[codec])


def _narrow(words: list[bytes], present: bytes) -> list[Reading]:
    beyond = _pairs(words)
    groups: dict[str, str] = {}
    for codec in CODE_PAGES:
        groups.setdefault(present.decode(codec, "replace"), codec)
    tables = {codec: bytes(range(256)).decode(codec, "replace") for codec in groups.values()}
    decoded = {
        codec: [(table[first], table[second], times) for first, second, times in beyond]
        for codec, table in tables.items()
    }
    rough = {codec: _rough(each) + CODE_PAGES[codec][1] for codec, each in decoded.items()}
    likely = sorted(rough, key=lambda codec: -rough[codec])[:_BEST_GROUPS]
    found = []
    for codec in likely:
        score, language = _best_language(decoded[codec], codec)
        score += CODE_PAGES[codec][1] + _by_known_words(words, codec)
        found.append(Reading(codec, score, language))
    return found


def _pairs(words: list[bytes]) -> list[tuple[int, int, int]]:
    """The pairs of bytes, one of them beyond ASCII, with how often each occurs."""
    pairs: Counter[tuple[int, int]] = Counter()
    for word in words:
        pairs.update(zip(b" " + word, word + b" ", strict=True))
    return [(first, second, times) for (first, second), times in pairs.items() if first > 127 or second > 127]


def _main_script(pairs: list[tuple[str, str, int]]) -> str:
    scripts: Counter[str] = Counter()
    for _, second, times in pairs:
        if not second.isascii():
            scripts[script(second)] += times
    del scripts[""]
    known = [(times, name) for name, times in scripts.items() if name in languages()]
    return max(known)[1] if known else "LATIN"


def _rough(pairs: list[tuple[str, str, int]]) -> float:
    main = _main_script(pairs)
    (score,) = score_pairs(pairs, languages()[main][:1])
    return score + _without_words(pairs, main)


def _without_words(pairs: list[tuple[str, str, int]], main: str) -> float:
    """The penalty for letters of a script that never stand beside one another."""
    with_letters = [pair for pair in pairs if any(script(each) == main and not each.isascii() for each in pair[:2])]
    alone = with_letters and not any(script(first) == script(second) for first, second, _ in with_letters)
    return _NO_WORD if alone else 0.0


def _best_language(pairs: list[tuple[str, str, int]], codec: str = "") -> tuple[float, str]:
    own = LANGUAGES_OF.get(codec)
    main = _main_script(pairs)
    candidates = languages()[main][1:]
    score, language = max(
        (score + (FOREIGN if own and language.code not in own else 0.0), language.code)
        for score, language in zip(score_pairs(pairs, candidates), candidates, strict=True)
    )
    return score + _without_words(pairs, main), language
