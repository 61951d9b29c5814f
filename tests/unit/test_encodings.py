"""Files that do not say their encoding are read right, or refused with both readings shown; never silently wrong."""

from __future__ import annotations

import io
import random
import unicodedata
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgproc.core.errors import InvalidCsv, InvalidOption
from imgproc.pipeline.table.read import CsvLimits, CsvReading, Note, ReadOptions, read_csv
from tests.support.product_words import MORE_PAGES, PAGES, WORDS

HEADER = "S. No.,Product Name,Input Image Urls\r\n"
URL = "https://host/1.jpg"
ALL_PAGES = {**PAGES, **MORE_PAGES}
EVERY = [(page, language) for page, languages in ALL_PAGES.items() for language in languages.split()]
NAMED = [pair for pair in EVERY if pair[0] in PAGES]
CEDILLAS = str.maketrans("șțȘȚ", "şţŞŢ")  # The code pages of Romanian have no comma below.


def read(data: bytes, encoding: str | None = None) -> CsvReading:
    """Read a file, in the encoding that the caller names."""
    limits = CsvLimits(max_rows=10_000, max_images_per_row=5)
    return read_csv(io.BytesIO(data), limits=limits, options=ReadOptions(encoding=encoding))


def notes_of(names: list[str]) -> tuple[Note, ...]:
    """The notes of a file in UTF-8 that was read to its end."""
    reading = read(table(names).encode())
    assert len(list(reading.rows)) == len(names)
    return reading.notes


def table(names: list[str]) -> str:
    """A file with products of these names."""
    return HEADER + "".join(f"{number},{name},{URL}\r\n" for number, name in enumerate(names, 1))


def names_in(page: str, language: str) -> list[str]:
    """The names that the page can write, as it writes them."""
    spelled = [_spelled(name, page).translate(CEDILLAS) for name in WORDS[language].split(";")]
    return [name for name in spelled if not name.isascii() and _can_write(page, name)]


def _spelled(name: str, page: str) -> str:
    """Windows-1258 writes most tones as characters of their own."""
    if page != "cp1258":
        return name
    return "".join(letter if _can_write(page, letter) else _with_tone(letter) for letter in name)


def _with_tone(letter: str) -> str:
    base, *marks = list(unicodedata.normalize("NFD", letter))
    tone = next(mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323")
    return unicodedata.normalize("NFC", base + "".join(mark for mark in marks if mark != tone)) + tone


def _can_write(page: str, name: str) -> bool:
    try:
        name.encode(page)
    except UnicodeEncodeError:
        return False
    return True


def outcome(names: list[str], page: str) -> str:
    """Whether a file is read right, refused, or read wrong."""
    try:
        read_names = [row.product_name for row in read(table(names).encode(page)).rows]
    except InvalidCsv as error:
        return "refused" if error.errors[0].code == "encoding_unclear" else f"wrong: {error}"
    return "right" if read_names == names else f"wrong: {page} {names[0]} {read_names[0]}"


def files(pairs: list[tuple[str, str]], rows: int, *, each: int) -> Iterator[str]:
    """The outcomes of files with names chosen at random."""
    for page, language in pairs:
        chance = random.Random(f"{page} {language} {rows}")  # no secret
        names = names_in(page, language)
        for _ in range(each):
            yield outcome(chance.sample(names, rows) if rows <= len(names) else chance.choices(names, k=rows), page)


@pytest.mark.exhaustive
def test_reads_files_of_a_thousand_rows() -> None:
    """At least 99 of 100 in the code pages that we promise are read right, and none is read wrong."""
    found = Counter(files(NAMED, 1000, each=1))
    assert set(found) <= {"right", "refused"}
    assert found["right"] >= 0.99 * found.total()


@pytest.mark.exhaustive
def test_reads_nine_of_ten_files_of_ten_rows() -> None:
    """None is read wrong."""
    found = Counter(files(NAMED, 10, each=1))
    assert set(found) <= {"right", "refused"}
    assert found["right"] >= 0.9 * found.total()


@pytest.mark.exhaustive
@pytest.mark.parametrize("rows", [1, 2, 3, 10])
def test_reads_no_short_file_wrong(rows: int) -> None:
    """Where few words leave a choice, the file is refused; so are files in pages that few have."""
    found = Counter(files(EVERY, rows, each=12 if rows == 1 else 4))
    assert set(found) <= {"right", "refused"}, found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_reads_any_mix_of_words_right_or_refuses_it(data: st.DataObject) -> None:
    """The words may be of any length, order, and case."""
    page, language = data.draw(st.sampled_from(EVERY))
    words = " ".join(names_in(page, language)).split()
    names = data.draw(st.lists(st.lists(st.sampled_from(words), min_size=1, max_size=4).map(" ".join), min_size=2))
    assert outcome(names, page) in ("right", "refused") or all(name.isascii() for name in names)


def test_refuses_a_doubtful_file_with_both_readings() -> None:
    """The error stands on the first line that differs, and sending either encoding reads the file so."""
    data = table(["Mug", "Café Dublo", "buty męskie"]).encode("cp1250")
    with pytest.raises(InvalidCsv) as refused:
        read(data)
    (fault,) = refused.value.errors
    assert (fault.line, fault.code) == (4, "encoding_unclear")
    for name, encoding in (("buty męskie", "windows-1250"), ("buty mêskie", "windows-1252")):
        assert name in fault.detail
        assert f"encoding={encoding}" in fault.detail
        assert [row.product_name for row in read(data, encoding).rows][-1] == name


@pytest.mark.parametrize(
    "name", ["Pipe {}”", "Pan {}°", "{}×{} cm", "Mug {}™", "Men’s mug {}", "Mug – red {}", "{}½ inch"]
)
@pytest.mark.parametrize("page", ["cp1252", "mac_roman"])
def test_sizes_by_the_hundred_tell_no_more_than_one(name: str, page: str) -> None:
    """Names that only differ in their digits are one piece of evidence, so that a rare page does not win by them."""
    names = [name.format(number, number) for number in range(100)]
    if _can_write(page, name):
        assert outcome(names, page) in ("right", "refused")


def test_reads_the_signs_of_english_names() -> None:
    """Several signs in their usual places are evidence enough."""
    names = ["5” pipe", "Mug – red", "Men’s cup", "“Big” jug", "ACME™ lid", "Pan 90°", "Women’s cup"]
    assert (outcome(names, "cp1252"), outcome(names, "mac_roman")) == ("right", "right")


# Names with one word beyond ASCII, as English shops write them.
ALONE = (
    "Men’s shirt;Women’s;Kids’ cup;Don’t worry;“Best” mug;Mug “Best”;‘Mug’;Mug – red;10 – 12;Mug — red;"
    "Lego® set;Brand™;Brand™ mug;© Acme;30° wash;30°C wash;½ inch;1½ inch;¼ cup;10×15;10 × 15;£5 mug;5€;€5;"
    "Mug • red;Mug · red;«Mug»;5 µm;m²;100 m² foil;Nº 5;§ 5;±5 mm;Ø 5 mm;Café;Café mug;Crème;Piñata;"
    "Jalapeño mug;Zoë;Noël;Señor;naïve;façade;Brontë;Über;Straße;Müller;Ångström;coupé"
)


@pytest.mark.parametrize("page", ["utf-8", "cp1252", "mac_roman"])
def test_reads_one_sign_or_known_word_that_is_alone(page: str) -> None:
    """A sign where only signs stand is evidence for the usual pages, and so is a word that shops write."""
    found = {name: outcome([name, "Mug"], page) for name in ALONE.split(";") if _can_write(page, name)}
    assert set(found.values()) <= {"right", "refused"}
    assert page == "mac_roman" or [name for name, each in found.items() if each != "right"] == []


@pytest.mark.parametrize(
    ("name", "page"),
    [("sofà", "cp850"), ("París", "mac_roman"), ("país", "mac_roman"), ("camión", "mac_roman"), ("así", "mac_roman"),
     ("día", "mac_roman"), ("są", "cp1250"), ("żona", "cp1250"), ("Łuk", "cp1250"), ("perchè", "cp850")],
)  # fmt: skip
def test_takes_no_letter_for_a_sign(name: str, page: str) -> None:
    """Letters of other pages that would be signs in Windows-1252 are not taken for them."""
    assert outcome([name, "Mug"], page) in ("right", "refused")


def test_notes_the_encoding_and_its_evidence() -> None:
    """The note names encoding and language, and shows a cell; UTF-8 and ASCII need none."""
    reading = read(table(["Mug", "Lampa stołowa", "Drewniane krzesło", "Mała gęś"]).encode("cp1250"))
    (note,) = reading.notes
    assert note.code == "encoding_detected"
    assert all(said in note.detail for said in ("Windows-1250", "Polish", "Lampa stołowa"))
    assert read(table(["Mug"]).encode()).notes == read(table(["Łódź"]).encode()).notes == ()


@pytest.mark.parametrize("name", ["Mug", "Кружка и чайник", "杯子", "Żółć"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-32-le", "utf-32-be"])
def test_reads_utf16_and_utf32_with_and_without_a_mark(codec: str, name: str) -> None:
    """The zeros tell, and the option that names the encoding leads to the same."""
    data = table([name]).encode(codec)
    for encoding in (None, codec[:6]):
        assert [row.product_name for row in read(data, encoding).rows] == [name]


@pytest.mark.parametrize(
    ("word", "codec"),
    [
        ("latin1", "cp1252"), ("ISO-8859-1", "cp1252"), ("Windows-1250", "cp1250"), ("win 1251", "cp1251"),
        ("shift_jis", "cp932"), ("sjis", "cp932"), ("utf8", "utf-8-sig"), ("UTF-8", "utf-8-sig"),
        ("Mac Roman", "mac_roman"), ("macintosh", "mac_roman"), ("tis-620", "cp874"), ("GBK", "gb18030"),
        ("euc-kr", "cp949"), ("big5", "cp950"), ("IBM850", "cp850"), ("koi8-r", "koi8_r"), ("latin2", "iso8859_2"),
    ],
)  # fmt: skip
def test_reads_the_encoding_that_the_caller_names(word: str, codec: str) -> None:
    """Names are those that people and programs use."""
    assert read(table(["Mug"]).encode(), word).encoding == codec


@pytest.mark.parametrize(
    ("word", "near"), [("windows-1260", "windows-1250"), ("utf-7", "utf-8"), ("rot13", "utf-8"), ("", "utf-8")]
)
def test_refuses_an_encoding_that_there_is_not(word: str, near: str) -> None:
    """The error names the nearest."""
    with pytest.raises(InvalidOption, match=near) as refused:
        read(table(["Mug"]).encode(), word)
    assert refused.value.option == "encoding"


def test_reports_each_line_that_is_not_in_the_encoding_the_caller_names() -> None:
    """The other lines are read."""
    rows = list(read(table(["Łódź", "Mug"]).encode("cp1250"), "utf-8").rows)
    assert [[fault.code for fault in row.errors] for row in rows] == [["undecodable"], []]
    assert "UTF-8" in rows[0].errors[0].detail


@pytest.mark.parametrize(("latin", "utf8", "lines"), [(1, 2, [2]), (9, 1, [11]), (3, 3, [2, 3, 4])])
def test_refuses_lines_in_another_encoding_than_most(latin: int, utf8: int, lines: list[int]) -> None:
    """A file glued together from two has errors on the lines of the smaller part, and they name UTF-8."""
    first = table(["Café crème"] * latin).encode("latin-1")
    data = first + "".join(f"{n},Thé vert,{URL}\r\n" for n in range(100, 100 + utf8)).encode()
    try:
        faults = [fault for row in read(data).rows for fault in row.errors]
    except InvalidCsv as error:
        faults = error.errors
    assert [fault.line for fault in faults] == lines
    assert all("UTF-8" in fault.detail for fault in faults)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("CrÃ¨me", "double_encoding", "Crème"),
        ("Itâ€™s", "double_encoding", "It’s"),
        ("Ñ‡Ð°Ð¹", "double_encoding", "чай"),
        ("Cr\ufffdme", "lost_characters", "\ufffd"),
    ],
)
def test_notes_text_that_another_program_has_damaged(name: str, code: str, said: str) -> None:
    """The note has the line, and what the text was."""
    (note,) = notes_of(["Mug", name, "Ã la carte"])
    assert (note.code, note.line) == (code, 3)
    assert said in note.detail


def test_takes_capitals_with_accents_as_they_are() -> None:
    """Portuguese and French begin words with the letters that damaged text has."""
    assert notes_of(["Âge d’or", "São", "À la carte", "Ñandú «Öl»", "MAÇÃ «A»", "10°–20°"]) == ()


@pytest.mark.parametrize(("name", "page"), [("女鞋", "gb18030"), ("桌布", "cp950"), ("비누", "cp949")])
def test_refuses_a_word_that_is_valid_utf8_or_damaged_utf8_by_accident(name: str, page: str) -> None:
    """A word of two characters can be valid in several encodings; none of them is taken without evidence."""
    assert outcome([name], page) == "refused"


@pytest.mark.parametrize("name", ["½ l", "é", "Ñ", "20°", "Ωμέγα", "чай", "ספל", "ქართული", "🦄", "№ 5"])
def test_reads_one_short_name_in_utf8(name: str) -> None:
    """Few files in UTF-8 have so little beyond ASCII, and they are read."""
    assert outcome([name], "utf-8") == "right"
