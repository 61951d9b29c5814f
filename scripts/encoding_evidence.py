"""Writes imgproc/pipeline/table/letters.txt: how often letters follow each other in each language.

The words are those of Unicode CLDR (the names of countries, languages, currencies and units, by Babel) and Django's
translations. Neither is a requirement of the project. In an environment of its own:

    pip install babel==2.19.0 django==5.2.19 && python -m scripts.encoding_evidence

Of the letters beyond ASCII it counts each pair with the character before and after, in distinct words. A space stands
for the border of a word. Chinese, Japanese and Korean have single characters instead of pairs.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "imgproc/pipeline/table/letters.txt"
# The language: the locales of CLDR and Django.
LOCALES = {
    **{
        each: [each]
        for each in [
            "fr",
            "de",
            "es",
            "it",
            "pt",
            "nl",
            "da",
            "sv",
            "nb",
            "fi",
            "is",
            "ga",
            "cy",
            "ca",
            "gl",
            "eu",
            "sq",
            "et",
            "lv",
            "lt",
            "pl",
            "cs",
            "sk",
            "hu",
            "ro",
        ]
    },
    **{
        each: [each]
        for each in [
            "hr",
            "sl",
            "tr",
            "az",
            "vi",
            "ru",
            "uk",
            "be",
            "bg",
            "sr",
            "mk",
            "el",
            "he",
            "ar",
            "fa",
            "ur",
            "th",
            "ja",
            "ko",
            "en",
        ]
    },
    "bs": ["bs", "sr_Latn"],
    "zh": ["zh_Hans"],
    "tw": ["zh_Hant"],
}
CEDILLAS = str.maketrans("șț", "şţ")
CHARACTERS = ("ja", "zh", "tw", "ko")
MOST_PAIRS = {"th": 800}
MOST_CHARACTERS = 700
# Letters that these texts have too few of.
MORE_WORDS = {
    "fr": "cœur sœur nœud bœuf œuvre vœu œillet mœurs cœurs œil naïf laïque île âge pêche crêpe forêts tête bête fenêtres hôte côte mûr sûr"
    " brûleur goût août flûte ambiguë noël canoë égoïste",
    "it": "tè caffè già più bontà però così perciò poiché virtù gioventù metà qualità comodità nocciolò là giù lunedì",
    "et": "šampoon šokk žanr žürii duššigeel šifoon garaaž õlu sõna põld nõu jõulu tõste mõõt võti öö töö köök möödik süüa müük rüü pää",
    "is": "húsgögn skúffa stúlka kúla búr fúga þvottur þurrka þykkt þjónn æði ætt ævi öxi ör bætiefni kæli",
    "lv": "ķermenis ķēde ķirbis ķēķis ņem ģimene ģērbs ļoti ceļš šķēres šķidrums šķīst kuģis meņģe",
    "pl": "źrebię źdźbło więź rzeźba świat środek śruba ślub ćma ćwierć łąka żółw żyła gałąź miś kość",
    "hu": "őr őz ősz bőrönd erdő cipő függő fűrész fű gyűjtő tűz tetőtér felnőtt esőkabát nyűg sűrű",
    "nl": "ideeën zeeën coëfficiënt reünie geïsoleerd financiële één vóór crème überhaupt",
    "th": "ขวด แก้ว น้ำ ผ้า เก้าอี้ โต๊ะ ตู้ เสื้อ กางเกง รองเท้า กระเป๋า หมวก นาฬิกา แว่น ช้อน ส้อม มีด หม้อ กระทะ จาน ชาม หมอน ที่นอน โคมไฟ พัดลม ตะกร้า กล่อง ถ้วย"
    " เครื่อง สี ไม้ เหล็ก พลาสติก เด็ก ผู้ชาย ผู้หญิง ของใช้ ครัว ห้องน้ำ สวน",
}
HEADER = """\
# How often letters follow each other, made by scripts/encoding_evidence.py from Unicode CLDR (Unicode License v3)
# and Django's translations (BSD-3-Clause). A line: the language, then for each power of two of the count its pairs.
"""


def texts(locale: str) -> Iterator[str]:
    """All texts in a language."""
    import django
    from babel import Locale
    from babel.messages.pofile import read_po

    data = Locale.parse(locale)._data
    for key in ("territories", "languages", "currency_names", "unit_display_names", "months", "days", "time_zones"):
        yield from _strings(data.get(key, {}))
    for path in sorted(Path(django.__file__).parent.rglob(f"locale/{locale}/LC_MESSAGES/django*.po")):
        with path.open("rb") as file:
            for message in read_po(file, ignore_obsolete=True):
                if message.id and message.string:
                    yield from _strings(message.string)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _strings(each)
    elif hasattr(value, "values"):
        for each in value.values():
            yield from _strings(each)


def words(text: str, language: str) -> Iterator[str]:
    """The words of a text in lower case; Vietnamese as Windows-1258 spells it, with tones as characters of their own."""
    text = unicodedata.normalize("NFC", text)
    if language == "vi":
        text = "".join(map(_toned, text))
    text = "".join(fold(each) if unicodedata.category(each)[0] in "LM" else " " for each in text)
    return iter(text.split())


def _toned(letter: str) -> str:
    try:
        letter.encode("cp1258")
    except UnicodeEncodeError:
        *base, tone = list(unicodedata.normalize("NFD", letter))
        if len(base) > 1 and base[-1] == "\u0323":
            base, tone = [base[0], tone], "\u0323"
        return unicodedata.normalize("NFC", "".join(base)) + tone if base else letter
    return letter


def fold(letter: str) -> str:
    """The letter in lower case, where that is one letter."""
    return letter.lower() if len(letter.lower()) == 1 else letter


def counts(language: str) -> list[tuple[str, float]]:
    """The pairs with a letter beyond ASCII, or the characters, with how many distinct words have them."""
    seen = Counter(word for locale in LOCALES[language] for text in texts(locale) for word in words(text, language))
    seen.update(words(MORE_WORDS.get(language, ""), language))
    if language == "ro":  # The Windows code page has letters with a cedilla instead of a comma.
        seen.update({word.translate(CEDILLAS): times for word, times in seen.items()})
    found: defaultdict[str, float] = defaultdict(float)
    for word, times in seen.items():
        if word.isascii():
            continue
        weight = 1 + math.log2(times)
        if language in CHARACTERS:
            for each in word:
                found[each] += weight if not each.isascii() else 0
        else:
            for pair in map("".join, pairwise(f" {word} ")):
                found[pair] += weight if not pair.isascii() else 0
    return sorted(found.items(), key=lambda each: -each[1])


def main() -> None:
    """Write the file."""
    lines = []
    for language in LOCALES:
        most = MOST_CHARACTERS if language in CHARACTERS else MOST_PAIRS.get(language, 560)
        levels: dict[int, list[str]] = {}
        for pair, count in counts(language)[:most]:
            if count >= (1 if language in MORE_WORDS else 2):
                levels.setdefault(round(math.log2(count)), []).append(pair)
        fields = [f"{level:x}{''.join(pairs)}" for level, pairs in levels.items()]
        lines.append("\t".join([language, *fields]) + "\n")
    OUTPUT.write_text(HEADER + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
