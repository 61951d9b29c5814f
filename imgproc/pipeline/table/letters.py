"""How likely a text is in each language: the evidence by which an encoding is told from another."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files

from imgproc.pipeline.table.signs import BROKEN, UNREADABLE, place, score_after, score_sign, script

LANGUAGES = {
    "fr": "French", "de": "German", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch", "da": "Danish",
    "sv": "Swedish", "nb": "Norwegian", "fi": "Finnish", "is": "Icelandic", "ga": "Irish", "cy": "Welsh",
    "ca": "Catalan", "gl": "Galician", "eu": "Basque", "sq": "Albanian", "et": "Estonian", "lv": "Latvian",
    "lt": "Lithuanian", "pl": "Polish", "cs": "Czech", "sk": "Slovak", "hu": "Hungarian", "ro": "Romanian",
    "hr": "Croatian", "sl": "Slovenian", "bs": "Bosnian", "tr": "Turkish", "az": "Azerbaijani", "vi": "Vietnamese",
    "ru": "Russian", "uk": "Ukrainian", "be": "Belarusian", "bg": "Bulgarian", "sr": "Serbian", "mk": "Macedonian",
    "el": "Greek", "he": "Hebrew", "ar": "Arabic", "fa": "Persian", "ur": "Urdu", "th": "Thai", "en": "English",
    "ja": "Japanese", "zh": "Chinese", "tw": "Chinese (traditional)", "ko": "Korean",
}  # fmt: skip
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI")
IDEOGRAPHIC = {"cp932": "ja", "euc_jp": "ja", "gb18030": "zh", "cp950": "tw", "cp949": "ko"}
# Natural logarithms of probabilities.
_MIXED_SCRIPTS, _CAPITAL_INSIDE, _CAPITALS, _AFTER_DIGIT = -7.0, -7.0, -0.7, -4.0
_FOREIGN = 0.04  # how much of a text is in other languages of the same script
_BORROWED = 4.0  # how many occurrences the letters by themselves count for in a pair
_PAIRS_KEPT = 1 << 14  # of all characters, since a file may have any of them
_LIKELIHOODS_KEPT = 1 << 12  # of each language


@lru_cache(_PAIRS_KEPT)
def fold(letter: str) -> str:
    """The letter in lower case, where that is one letter."""
    return letter.lower() if len(letter.lower()) == 1 else letter


@dataclass(frozen=True)
class Language:
    """The counts of pairs in one language, or in all languages of a script (`others` is None)."""

    code: str
    pairs: Mapping[str, float]
    others: Language | None = None

    @property
    def name(self) -> str:
        """The English name."""
        return LANGUAGES[self.code]

    @cached_property
    def script(self) -> str:
        """The script most of its letters are of."""
        return Counter(script(each) for pair in self.pairs for each in pair if not each.isascii()).most_common(1)[0][0]

    @cached_property
    def letters(self) -> dict[str, float]:
        """How often each letter beyond ASCII occurs."""
        found: dict[str, float] = defaultdict(float)
        for pair, count in self.pairs.items():
            if not pair[1].isascii():
                found[pair[1]] += count
        return _shares(found)

    @cached_property
    def _after_any(self) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for pair, count in self.pairs.items():
            if not pair[0].isascii():
                found[pair[1]] += count
        return _shares(found)

    @cached_property
    def _totals(self) -> dict[str, float]:
        totals: dict[str, float] = defaultdict(float)
        for pair, count in self.pairs.items():
            totals[pair[0]] += count
        return totals

    @cached_property
    def likelihoods(self) -> _Likelihoods:
        """What `likelihood` says of each pair of letters."""
        return _Likelihoods(self)

    def likelihood(self, before: str, letter: str) -> float:
        """The logarithm of the probability of a letter after another; one of them is beyond ASCII."""
        share = self._share(before, letter)
        if self.others:
            share = (1 - _FOREIGN) * share + _FOREIGN * self.others._share(before, letter)
        return math.log(share + 1e-6)

    def _share(self, before: str, letter: str) -> float:
        alone = (self.letters if before.isascii() else self._after_any).get(letter, 0.0)
        return (self.pairs.get(before + letter, 0.0) + _BORROWED * alone) / (self._totals.get(before, 0.0) + _BORROWED)


class _Likelihoods(dict[tuple[str, str], float]):
    """The likelihoods of a language: each is computed when it is first asked for, and kept while there is room."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __missing__(self, letters: tuple[str, str]) -> float:
        if len(self) >= _LIKELIHOODS_KEPT:
            self.clear()
        self[letters] = found = self._language.likelihood(*letters)
        return found


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {each: count / total for each, count in counts.items()}


@cache
def _table() -> dict[str, dict[str, float]]:
    """The counts of letters.txt: of pairs, or of single characters."""
    table = {}
    text = files(__package__).joinpath("letters.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        code, *levels = line.split("\t")
        if code in LANGUAGES:
            size = 1 if code in IDEOGRAPHIC.values() else 2
            table[code] = {
                level[at : at + size]: 2.0 ** int(level[0], 16) for level in levels for at in range(1, len(level), size)
            }
    return table


@cache
def languages() -> dict[str, list[Language]]:
    """The languages of each script; the first stands for all of them."""
    found: dict[str, list[Language]] = {}
    for name in SCRIPTS:
        codes = [
            c for c, pairs in _table().items() if c not in IDEOGRAPHIC.values() and Language(c, pairs).script == name
        ]
        everything: dict[str, float] = defaultdict(float)
        for code in codes:
            total = sum(_table()[code].values())
            for pair, count in _table()[code].items():
                everything[pair] += 1000 * count / total
        others = Language("", everything)
        found[name] = [others, *(Language(code, _table()[code], others) for code in codes)]
    return found


def score_pairs(pairs: Iterable[tuple[str, str, int]], candidates: Iterable[Language]) -> list[float]:
    """The likelihood, in each of these languages, of pairs of characters, each with how often it occurs."""
    same, of_letters = 0.0, []
    for before, after, times in pairs:
        cost, letters = _pair(before, after)
        same += times * cost
        if letters:
            of_letters.append((letters, times))
    return [
        same + sum([times * likelihoods[letters] for letters, times in of_letters])
        for likelihoods in (language.likelihoods for language in candidates)
    ]


@lru_cache(_PAIRS_KEPT)
def _pair(before: str, after: str) -> tuple[float, tuple[str, str] | None]:
    """What a pair adds in every language, and the letters whose likelihood a language adds, where there are any."""
    first, second = script(before), script(after)
    if after.isascii() and before.isascii():
        return 0.0, None
    if not first and not before.isascii():  # a sign, which counted when it came second
        misplaced = score_after(before, place(after))
        if after.isascii():
            return misplaced, None
        return (misplaced, (" ", fold(after))) if second else (misplaced + score_sign("B", after), None)
    if not second and not after.isascii():
        return score_sign(place(before), after), None
    cost = 0.0
    if first and second:
        if first != second:
            first, second, cost = (first, "", _MIXED_SCRIPTS) if after.isascii() else ("", second, _MIXED_SCRIPTS)
        elif after.isupper():
            cost = _CAPITALS if before.isupper() else _CAPITAL_INSIDE
    elif second == "LATIN" and place(before) == "D":  # units of measure are ASCII in Latin script, and not in others
        cost = _AFTER_DIGIT
    return cost, (fold(before) if first else " ", fold(after) if second else " ")


def score_characters(text: str, codec: str) -> float:
    """The likelihood of a text in the language of an encoding with several bytes a character."""
    return sum(times * _character(each, codec) for each, times in Counter(text).items() if not each.isascii())


@lru_cache(_PAIRS_KEPT)
def _character(character: str, codec: str) -> float:
    if character == UNREADABLE:
        return 1.5 * BROKEN
    language = IDEOGRAPHIC[codec]
    plain = unicodedata.normalize("NFKC", character)[0]
    narrow = 0.4 if "\uff61" <= character <= "\uff9f" else 0.0
    counts = _table()[language]
    total = _total(language)
    if plain in counts:
        return math.log(0.85 * counts[plain] / total) - narrow
    return _unlisted(character, language) - narrow


@cache
def _total(language: str) -> float:
    return sum(_table()[language].values())


# The rows of each standard that hold its common characters: (codec, first and last lead byte).
_COMMON = {
    "ja": ("euc_jp", 0xB0, 0xCF),
    "zh": ("gb2312", 0xB0, 0xD7),
    "ko": ("euc_kr", 0xB0, 0xC8),
    "tw": ("big5", 0xA4, 0xC6),
}


def _unlisted(character: str, language: str) -> float:
    """The likelihood of a character that letters.txt does not list, by its place in the standard of the country."""
    codec, first, last = _COMMON[language]
    if character.isalnum() and character.isascii():
        return -8.0
    if character.isascii() or "\u3000" <= character <= "\u3030" or character in "・ー":
        return -5.5
    if "\u3040" <= character <= "\u30ff":
        return -7.0 if language == "ja" else -11.0
    try:
        data = character.encode(codec)
    except UnicodeEncodeError:
        return -14.0
    if first <= data[0] <= last and len(data) == 2:
        return -9.3
    return -13.0
