"""The header and some rows -> which columns are ours. Names decide; where they leave a choice, the rows do."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table import column_names as names
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.text import invalid_csv
from imgproc.pipeline.table.urls import starts_url

COLUMNS = ("serialNumber", "productName", "inputImageUrls")
OUR_NAMES = {"serialNumber": "S. No.", "productName": "Product Name", "inputImageUrls": "Input Image Urls"}
MAX_COLUMNS = 1000
MAX_DETAILS = 5  # headings that one error explains
MAX_HEADING_CHARS = 100  # No column of ours has a longer name, and normalizing one takes quadratic time.
_REMARK = re.compile(r"\((?!\d)[^()]*\)|\[(?!\d)[^\[\]]*\]|\{[^{}]*\}")
_PICTURE_FILE = re.compile(r"https?://\S+\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?|svg)(?:[?#]\S*)?$", re.I)


@dataclass(frozen=True)
class Columns:
    """The indices of our columns. The pictures of a row are in `images`, from the first column to the last."""

    serial: int
    name: int
    images: tuple[int, ...]

    @property
    def last(self) -> int:
        """The index of the last of them."""
        return max(self.serial, self.name, *self.images)


# The names of our columns as the caller gives them: of the pictures there may be several.
Choice = Mapping[str, Sequence[str]]


@lru_cache(maxsize=4096)
def key(heading: str) -> str:
    """A heading without case, accents, spacing, punctuation and remarks in brackets; a lone `#` stays."""
    if len(heading) > MAX_HEADING_CHARS:
        return ""
    text = unicodedata.normalize("NFKD", _REMARK.sub("", unicodedata.normalize("NFKC", heading)).casefold())
    plain = "".join(character for character in text if not unicodedata.combining(character))
    return re.sub(r"[\W_]", "", plain.replace("ı", "i").replace("ł", "l")) or heading.strip()


def _ranks(*listed: Sequence[str]) -> dict[str, int]:
    return {key(name): rank for rank, name in reversed([*enumerate(name for each in listed for name in each)])}


SERIALS = _ranks(names.SERIAL_NUMBER, names.WEAK_SERIAL_NUMBER)
NAMES = _ranks(names.PRODUCT_NAME, names.WEAK_PRODUCT_NAME)
WEAK_URLS = _ranks(names.WEAK_IMAGE_URLS)
_OUR_IMAGES = _ranks(names.INPUT_IMAGE_URLS)
_PICTURES = tuple(key(each) for each in names.PICTURES)


def names_pictures(heading: str) -> bool:
    """Whether a heading names a column of pictures, and not of something said about them."""
    text = key(heading)
    rest = text
    for picture in _PICTURES:
        rest = rest.replace(picture, "")
    return rest != text and not any(other in rest or text == other for other in names.NOT_PICTURES)


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
        if text in WEAK_URLS or names_pictures(cell):
            found.add("inputImageUrls")
    if choice:
        given = {key(cell) for cell in cells}
        found -= choice.keys()
        found |= {column for column, wanted in choice.items() if all(key(each) in given for each in wanted)}
    return found


def find_columns(
    header: Sequence[str], sample: Sequence[Sequence[str]], *, line: int, notes: Notes, choice: Choice | None = None
) -> Columns:
    """Choose our columns; `sample` are the first rows. What is chosen where there was a choice is noted.

    Raises:
        InvalidCsv: there are too many columns, one of ours is missing, or two could be the same one.
    """
    if len(header) > MAX_COLUMNS:
        raise too_many_columns(len(header), line=line)
    chosen = _chosen(header, choice or {}, line=line)
    images = tuple(chosen.get("inputImageUrls", ())) or _image_columns(header, sample)
    name = _one(chosen, "productName")
    if name is None:
        name = _best(header, NAMES, set(images), sample, line=line, column="productName")
    missing = [column for column, found in (("productName", name is not None), ("inputImageUrls", images)) if not found]
    serial = _one(chosen, "serialNumber")
    if serial is None:
        serial = _serial_column(header, sample, name, set(images), line=line)
    if serial is None:
        missing.insert(0, "serialNumber")
    if missing or serial is None or name is None:
        raise missing_columns(header, missing, line=line)
    columns = Columns(serial, name, images)
    _note_unread(header, sample, columns, line=line, notes=notes)
    return columns


def too_many_columns(count: int, *, line: int) -> InvalidCsv:
    """The refusal of a header with more columns than a file may have."""
    most = f"The header on line {line} has {count:,} columns, more than the {MAX_COLUMNS:,} allowed"
    detail = f"{most}: remove those you do not need; serial number, product name and image URLs are enough."
    return invalid_csv(line, None, "too_many_columns", detail)


def missing_columns(header: Sequence[str], missing: Sequence[str], *, line: int) -> InvalidCsv:
    """The refusal of a header without some of our columns. It names the columns most like them."""
    shown = ", ".join(header)[:300]
    what = [f"{OUR_NAMES[column]!r}{_most_alike(header, column)}" for column in missing]
    wanted = ", and one ".join(what)
    detail = f"The header on line {line} is {shown!r}: rename the right column, or add one, to {wanted}."
    return invalid_csv(line, None, "missing_column", detail)


def _most_alike(header: Sequence[str], column: str) -> str:
    known = {"serialNumber": SERIALS, "productName": NAMES, "inputImageUrls": _OUR_IMAGES | WEAK_URLS}[column]
    for heading in header[:MAX_COLUMNS]:
        if heading.strip() and difflib.get_close_matches(key(heading), known, n=1, cutoff=0.8):
            return f" (perhaps {heading.strip()!r})"
    return ""


def _chosen(header: Sequence[str], choice: Choice, *, line: int) -> dict[str, list[int]]:
    """The indices of the columns that the caller names."""
    if not all(key(each) in map(key, header) for wanted in choice.values() for each in wanted):
        raise unknown_headings(header, choice, line=line)
    places = {key(heading): index for index, heading in reversed([*enumerate(header)])}
    return {column: [places[key(heading)] for heading in wanted] for column, wanted in choice.items()}


def _one(chosen: Mapping[str, Sequence[int]], column: str) -> int | None:
    return chosen[column][0] if column in chosen else None


def unknown_headings(header: Sequence[str], choice: Choice, *, line: int) -> InvalidCsv:
    """The refusal of a choice of columns that the header does not have. It names the headings most like them."""
    headings = {key(heading): heading for heading in reversed(header) if heading.strip()}
    details = []
    for each in (each for wanted in choice.values() for each in wanted):
        if key(each) not in headings:
            close = difflib.get_close_matches(key(each), headings, n=1, cutoff=0.6)
            meant = f"; write {headings[close[0]]!r} in `columns`" if close else ""
            details.append(f"There is no column {each[:MAX_HEADING_CHARS]!r}{meant}.")
    shown = ", ".join(header)[:300]
    detail = f"{' '.join(details[:MAX_DETAILS])} The header on line {line} is {shown!r}."
    return invalid_csv(line, None, "missing_column", detail)


def _image_columns(header: Sequence[str], sample: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The columns of pictures: those named so, else those that may be named so, whichever have URLs."""
    named = [index for index, heading in enumerate(header) if names_pictures(heading)]
    full = [index for index in named if not _is_lesser(header[index])] or named
    weak = [index for index, heading in enumerate(header) if key(heading) in WEAK_URLS]
    for group in (full, weak):
        if group and (with_urls := [index for index in group if _urls_in(sample, index)]):
            # A column of the group may be empty in the sample, and have URLs later.
            return tuple(index for index in group if index in with_urls or not _texts(sample, index))
    return tuple(full or weak[:1])


def _is_lesser(heading: str) -> bool:
    return any(word in key(heading) for word in names.LESSER_PICTURES)


def _best(
    header: Sequence[str],
    ranks: Mapping[str, int],
    taken: set[int],
    sample: Sequence[Sequence[str]],
    *,
    line: int,
    column: str,
) -> int | None:
    """The column with the best name. Two of the same name must have the same texts.

    Raises:
        InvalidCsv: they have not.
    """
    ranked = sorted(
        (ranks[key(heading)], i) for i, heading in enumerate(header) if i not in taken and key(heading) in ranks
    )
    filled = [each for each in ranked if _texts(sample, each[1])] or ranked
    if not filled:
        return None
    best = filled[0][1]
    for rank, index in filled[1:]:
        if rank == filled[0][0] and _texts(sample, index) != _texts(sample, best):
            both = f"{header[best]!r} and {header[index]!r} could each be {OUR_NAMES[column]!r}"
            detail = f"On line {line} {both}: rename or remove one."
            raise invalid_csv(line, header[index], "duplicate_column", detail)
    return best


def _serial_column(
    header: Sequence[str], sample: Sequence[Sequence[str]], name: int | None, images: set[int], *, line: int
) -> int | None:
    """The column that numbers the products: of those named so, the one that explains most rows, then the best name."""
    candidates = {
        i: SERIALS[key(h)] for i, h in enumerate(header) if i not in images and i != name and key(h) in SERIALS
    }
    if not candidates:
        return None
    best = min(candidates, key=lambda index: (-_explained(sample, index, name), candidates[index]))
    same = [index for index in candidates if candidates[index] == candidates[best] and index != best]
    if same and _texts(sample, same[0]) != _texts(sample, best):
        both = f"{header[best]!r} and {header[same[0]]!r} could each be {OUR_NAMES['serialNumber']!r}"
        raise invalid_csv(line, header[same[0]], "duplicate_column", f"On line {line} {both}: rename or remove one.")
    return best


def _explained(sample: Sequence[Sequence[str]], serial: int, name: int | None) -> int:
    """How many rows start a product with a number of its own, or continue the product before them."""
    seen: set[str] = set()
    before, explained = ("", ""), 0
    for row in sample:
        number, title = _cell(row, serial), _cell(row, name) if name is not None else ""
        continues = (number, title) == ("", "") or (number == before[0] and title in ("", before[1]))
        explained += continues or (bool(number) and number not in seen and bool(title or name is None))
        if not continues:
            seen.add(number)
            before = (number, title)
    return explained


def _note_unread(
    header: Sequence[str], sample: Sequence[Sequence[str]], columns: Columns, *, line: int, notes: Notes
) -> None:
    """Note the image columns where there are several, and each column of pictures that is not read."""
    if len(columns.images) > 1:
        listed = ", ".join(repr(header[index]) for index in columns.images)
        notes.add("image_columns_joined", f"The columns {listed} are read as one list of images.", line=line)
    unread = [
        heading
        for index, heading in enumerate(header)
        if index not in (columns.serial, columns.name, *columns.images)
        and any(_PICTURE_FILE.match(text) for text in _texts(sample, index))
    ]
    if unread:
        listed = ", ".join(map(repr, unread))
        detail = f"The image URLs in {listed} are not read; name the columns to read with `columns`."
        notes.add("image_column_unread", detail, line=line)


def _cell(row: Sequence[str], index: int) -> str:
    return row[index].strip() if index < len(row) else ""


def _texts(sample: Sequence[Sequence[str]], index: int) -> list[str]:
    return [text for row in sample if (text := _cell(row, index))]


def _urls_in(sample: Sequence[Sequence[str]], index: int) -> bool:
    return any(starts_url(text) or "://" in text for text in _texts(sample, index))
