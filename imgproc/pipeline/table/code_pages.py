"""The encodings of one or two bytes a character: their names, and how common each is."""

from __future__ import annotations

import codecs
import difflib
from functools import cache

from imgproc.core.errors import InvalidOption

# Codec: its name for people, and the logarithm of how common it is among files that are not UTF-8. The first of those
# that read a file alike gives its name.
CODE_PAGES: dict[str, tuple[str, float]] = {
    "cp1252": ("Windows-1252", 0.0),
    "cp1250": ("Windows-1250", -1.5),
    "cp1251": ("Windows-1251", -1.0),
    "cp1253": ("Windows-1253", -1.5),
    "cp1254": ("Windows-1254", -1.5),
    "cp1255": ("Windows-1255", -1.5),
    "cp1256": ("Windows-1256", -1.5),
    "cp1257": ("Windows-1257", -1.5),
    "cp1258": ("Windows-1258", -4.0),
    "cp874": ("Windows-874", -1.5),
    "mac_roman": ("Mac Roman", -3.5),
    "cp850": ("cp850", -4.0),
    "cp437": ("cp437", -4.5),
    "koi8_r": ("KOI8-R", -3.0),
    "koi8_u": ("KOI8-U", -3.5),
    "cp852": ("cp852", -3.5),
    "cp866": ("cp866", -3.5),
    **{f"iso8859_{n}": (f"ISO-8859-{n}", -3.0) for n in (1, 2, 5, 7, 8, 9, 13, 15)},
    **{f"iso8859_{n}": (f"ISO-8859-{n}", -8.0) for n in (3, 4, 6, 10, 14)},
    "iso8859_16": ("ISO-8859-16", -9.0),
    **{f"mac_{n}": (f"Mac {label}", -9.0) for n, label in (
        ("latin2", "Central European"), ("cyrillic", "Cyrillic"), ("greek", "Greek"), ("turkish", "Turkish"),
        ("croatian", "Croatian"), ("romanian", "Romanian"), ("iceland", "Icelandic"))},
    **{f"cp{n}": (f"cp{n}", -5.0) for n in (858, 855, 857, 737, 775, 860, 861, 862, 863, 865, 869, 720, 1125)},
}  # fmt: skip
_WEST = "fr de es it pt nl da sv nb fi is ga cy ca gl eu sq et en"
_CENTRAL = "pl cs sk hu ro hr sl bs sq de"
_CYRILLIC = "ru uk be bg sr mk"
_SPOKEN = {
    _WEST: "cp1252 iso8859_1 iso8859_15 mac_roman cp850 cp437 cp858",
    _CENTRAL: "cp1250 iso8859_2 cp852 mac_latin2 iso8859_16",
    _CYRILLIC: "cp1251 iso8859_5 koi8_r koi8_u cp866 cp855 cp1125 mac_cyrillic",
    "el": "cp1253 iso8859_7 mac_greek cp737 cp869",
    "tr de fr": "cp1254 iso8859_9 mac_turkish cp857 iso8859_3",
    "he": "cp1255 iso8859_8 cp862",
    "ar fa ur fr": "cp1256 iso8859_6 cp720",
    "et lv lt": "cp1257 iso8859_13 iso8859_4 iso8859_10 cp775",
    "vi": "cp1258",
    "th": "cp874",
    "hr sl bs": "mac_croatian",
    "ro": "mac_romanian",
    "is da nb": "mac_iceland cp861 iso8859_10",
    "pt": "cp860",
    "fr": "cp863",
    "da nb": "cp865",
    "cy ga": "iso8859_14",
}
# The languages that each page is for.
LANGUAGES_OF = {codec: set(languages.split()) for languages, pages in _SPOKEN.items() for codec in pages.split()}
FOREIGN = -6.0  # the logarithm of how common a page is for other languages
WIDE: dict[str, tuple[str, float]] = {
    "cp932": ("Shift-JIS", -1.0),
    "gb18030": ("GB18030", -1.0),
    "cp950": ("Big5", -1.0),
    "cp949": ("EUC-KR", -1.0),
    "euc_jp": ("EUC-JP", -2.0),
}
UNICODE = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
}
# What Python calls otherwise, or what is read as a page that has all its characters and more (as browsers do).
_ALIASES = {
    "utf8": "utf-8-sig", "utf8sig": "utf-8-sig", "csvutf8": "utf-8-sig", "unicode": "utf-16", "utf16": "utf-16",
    "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf32": "utf-32", "utf32le": "utf-32-le", "utf32be": "utf-32-be",
    "ansi": "cp1252", "ascii": "cp1252", "usascii": "cp1252", "latin1": "cp1252", "iso88591": "cp1252", "l1": "cp1252",
    "iso885911": "cp874", "tis620": "cp874", "windows874": "cp874", "iso88599": "cp1254", "latin5": "cp1254",
    "latin9": "iso8859_15", "macintosh": "mac_roman", "mac": "mac_roman", "xmacroman": "mac_roman",
    "macosroman": "mac_roman", "maccyrillic": "mac_cyrillic", "xmaccyrillic": "mac_cyrillic",
    "shiftjis": "cp932", "sjis": "cp932", "xsjis": "cp932", "windows31j": "cp932", "ms932": "cp932", "mskanji": "cp932",
    "eucjp": "euc_jp", "gbk": "gb18030", "gb2312": "gb18030", "gb231280": "gb18030", "cp936": "gb18030",
    "windows936": "gb18030", "euccn": "gb18030", "big5": "cp950", "big5hkscs": "big5hkscs", "windows950": "cp950",
    "euckr": "cp949", "uhc": "cp949", "ksc56011987": "cp949", "windows949": "cp949", "ksc5601": "cp949",
    "dos": "cp437", "ibm850": "cp850", "ibm437": "cp437", "ibm852": "cp852", "ibm866": "cp866", "koi8": "koi8_r",
}  # fmt: skip


def label(codec: str) -> str:
    """The name of an encoding for people."""
    known = {**CODE_PAGES, **WIDE}
    if codec in known:
        return known[codec][0]
    return UNICODE.get(codec, codec)


def option(codec: str) -> str:
    """The word for `encoding=` that names a codec."""
    return label(codec).lower().replace(" ", "-")


@cache
def _words() -> dict[str, str]:
    known = {_plain(label(codec)): codec for codec in (*CODE_PAGES, *WIDE)}
    python = {_plain(codec): codec for codec in (*CODE_PAGES, *WIDE)}
    windows = {f"{word}{codec[2:]}": codec for codec in CODE_PAGES if codec[:2] == "cp" for word in ("windows", "win")}
    return {**windows, **python, **known, **_ALIASES}


def _plain(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())


def named(word: str) -> str:
    """The codec of an encoding that a person names.

    Raises:
        InvalidOption: there is no such encoding of text; it names those with similar names.
    """
    plain = _plain(word)
    if plain in _words():
        return _words()[plain]
    try:
        codec = codecs.lookup(word.strip()).name.replace("-", "_")
    except (LookupError, ValueError, UnicodeError):
        codec = ""
    if codec in CODE_PAGES or codec in WIDE:
        return codec
    close = difflib.get_close_matches(plain, _words(), n=6, cutoff=0.6)
    near = list(dict.fromkeys(option(_words()[each]) for each in close))[:3] or ["utf-8", "windows-1252", "shift-jis"]
    detail = f"There is no encoding {word[:40]!r}: name one such as {', '.join(near)}, or leave it out."
    raise InvalidOption(detail, option="encoding")
