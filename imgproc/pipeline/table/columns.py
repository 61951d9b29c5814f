"""The header and some rows -> which columns are ours. Names decide; where they leave a choice, the rows do."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.headings import (
    MAX_COLUMNS,
    MAX_HEADING_CHARS,
    NAMES,
    OUR_IMAGES,
    SERIALS,
    WEAK_NAMES,
    WEAK_SERIALS,
    WEAK_URLS,
    Choice,
    are_too_many,
    key,
    roles,
)
from imgproc.pipeline.table.image_columns import image_columns, likely_images, note_images
from imgproc.pipeline.table.no_header import is_url, product_for_header
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.platforms import RowRules, find_rules
from imgproc.pipeline.table.samples import cell, texts
from imgproc.pipeline.table.text import invalid_csv, shown

COLUMNS = ("serialNumber", "productName", "inputImageUrls")
OUR_NAMES = {"serialNumber": "S. No.", "productName": "Product Name", "inputImageUrls": "Input Image Urls"}
ALIKE = 0.86  # the least ratio of two headings that are one with a typo
MAX_DETAILS = 5  # headings that one error explains
_CHOSEN = {"serialNumber": "serial_number_chosen", "productName": "product_name_chosen"}
_PLAIN_NAMES = {"serialNumber": "serial numbers", "productName": "product names", "inputImageUrls": "image URLs"}


@dataclass(frozen=True)
class Columns:
    """The indices of our columns; those of the pictures in the order of their URLs. `rules` are those of a platform."""

    serial: int
    name: int
    images: tuple[int, ...]
    rules: RowRules | None = None

    @property
    def last(self) -> int:
        """The index of the last of them."""
        return max(self.serial, self.name, *self.images)

    @property
    def first_image(self) -> int:
        """The index of the first column with pictures."""
        return min(self.images)


def find_columns(
    header: Sequence[str], sample: Sequence[Sequence[str]], *, line: int, notes: Notes, choice: Choice | None = None
) -> Columns:
    """Choose our columns; `sample` are the first rows. What is chosen where there was a choice is noted.

    Raises:
        InvalidCsv: there are too many columns, one of ours is missing, or two could be the same one.
    """
    if are_too_many(header):
        raise too_many_columns(len(header), line=line)
    chosen = _chosen(header, choice or {}, line=line)
    if any(is_url(header[index]) for index in chosen.get("inputImageUrls", ())):
        raise product_for_header(header, line=line)
    sample = [row for row in sample if len(row) <= len(header)]
    images = tuple(chosen.get("inputImageUrls", ())) or image_columns(header, sample, line=line)
    name = _one(chosen, "productName")
    if name is None:
        name = _name_column(header, sample, set(images), line=line, notes=notes)
    rules = find_rules(header, sample) if not choice else None
    serial = _one(chosen, "serialNumber")
    if serial is None and rules and rules.serials:
        serial = rules.serials[0]
    if serial is None:
        serial = _serial_column(header, sample, name, set(images), line=line, notes=notes)
    if serial is None or name is None or not images:
        found = zip(COLUMNS, (serial is not None, name is not None, bool(images)), strict=True)
        missing = [column for column, is_found in found if not is_found]
        raise missing_columns(header, missing, sample, line=line)
    if "inputImageUrls" not in chosen:
        note_images(header, sample, images, line=line, notes=notes)
    return Columns(serial, name, images, rules)


def repeats_header(cells: Sequence[str], header: Sequence[str], columns: Columns) -> bool:
    """Whether a row repeats the names of our columns, in any case, as in files appended to each other."""
    picture = cell(cells, columns.images[0])
    if not picture or "://" in picture:
        return False
    ours = (columns.images[0], columns.name, columns.serial)
    return all(key(cell(cells, index)) == key(header[index]) for index in ours)


def too_many_columns(count: int, *, line: int) -> InvalidCsv:
    """The refusal of a header with more columns than a file may have."""
    most = f"The header on line {line} has {count:,} columns, more than the {MAX_COLUMNS:,} allowed"
    detail = f"{most}: remove those you do not need; serial number, product name and image URLs are enough."
    return invalid_csv(line, None, "too_many_columns", detail)


def missing_columns(
    header: Sequence[str], missing: Sequence[str], rows: Sequence[Sequence[str]], *, line: int
) -> InvalidCsv:
    """The refusal of a header without some of our columns. It names the columns most like them."""
    wanted = "; ".join(_rename(header, column, rows) for column in missing)
    detail = f"The header on line {line} is {shown(header)!r}: {wanted}."
    return invalid_csv(line, None, "missing_column", detail, header=header)


def _rename(header: Sequence[str], column: str, rows: Sequence[Sequence[str]]) -> str:
    """What to do about a missing column; the column most like it is named, if there is one that is not another."""
    strong = {"serialNumber": SERIALS.keys() - WEAK_SERIALS, "productName": NAMES.keys() - WEAK_NAMES}
    known = strong.get(column, {*OUR_IMAGES, *WEAK_URLS})
    for heading in header[:MAX_COLUMNS]:
        if heading and not roles([heading]) and difflib.get_close_matches(key(heading), known, n=1, cutoff=ALIKE):
            return f"rename {heading!r} to {OUR_NAMES[column]!r}"
    if column == "inputImageUrls" and (likely := likely_images(header, rows)) is not None:
        return f"rename {header[likely]!r} to {OUR_NAMES[column]!r}"
    return f"rename the column with the {_PLAIN_NAMES[column]} to {OUR_NAMES[column]!r}, or add it"


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
    detail = f"{' '.join(details[:MAX_DETAILS])} The header on line {line} is {shown(header)!r}."
    return invalid_csv(line, None, "missing_column", detail, header=header)


def _name_column(
    header: Sequence[str], sample: Sequence[Sequence[str]], images: set[int], *, line: int, notes: Notes
) -> int | None:
    """Of the columns that are filled, the one whose heading suits product names best."""
    candidates = {i: NAMES[key(h)] for i, h in enumerate(header) if i not in images and key(h) in NAMES}
    filled = {i: rank for i, rank in candidates.items() if texts(sample, i)} or candidates
    if not filled:
        return None
    best = min(filled, key=lambda index: filled[index])
    strong = [index for index in filled if key(header[index]) not in WEAK_NAMES]
    _check_choice(header, sample, best, filled, line=line, column="productName")
    _note_choice(header, sample, best, strong, line=line, notes=notes, column="productName")
    return best


def _serial_column(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    name: int | None,
    images: set[int],
    *,
    line: int,
    notes: Notes,
) -> int | None:
    """The column that numbers the products.

    Of those with a strong name, it is the one that explains most rows, then the one with the best name. A weak name
    wins only if it explains every row, and the strong ones less than half.
    """
    candidates = {
        i: SERIALS[key(h)] for i, h in enumerate(header) if i not in images and i != name and key(h) in SERIALS
    }
    if not candidates:
        return None
    explained = {index: _explained(sample, index, name) for index in candidates}
    strong = [index for index in candidates if key(header[index]) not in WEAK_SERIALS]
    best = min(strong or candidates, key=lambda index: (-explained[index], candidates[index]))
    if 2 * explained[best] < len(sample):
        best = min(candidates, key=lambda index: (explained[index] < len(sample), index != best, candidates[index]))
    _check_choice(header, sample, best, candidates, line=line, column="serialNumber")
    _note_choice(header, sample, best, strong, line=line, notes=notes, column="serialNumber")
    return best


def _check_choice(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    best: int,
    candidates: Mapping[int, int],
    *,
    line: int,
    column: str,
) -> None:
    """Refuse two columns of one name, unless they have the same texts.

    Raises:
        InvalidCsv: naming both.
    """
    for index, rank in candidates.items():
        if index != best and rank == candidates[best] and texts(sample, index) != texts(sample, best):
            both = f"{header[best]!r} and {header[index]!r} could each be {OUR_NAMES[column]!r}"
            detail = f"On line {line} {both}: rename or remove one."
            raise invalid_csv(line, header[index], "duplicate_column", detail)


def _note_choice(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    best: int,
    others: Sequence[int],
    *,
    line: int,
    notes: Notes,
    column: str,
) -> None:
    """Note which column was chosen for its name among others, or although its name may mean something else."""
    rivals = [header[each] for each in others if each != best and texts(sample, each) != texts(sample, best)]
    against = f", and not {', '.join(map(repr, rivals[:3]))}" if rivals else ""
    if rivals or best not in others:
        detail = f"The column {header[best]!r} is read for the {_PLAIN_NAMES[column]}{against}."
        notes.add(_CHOSEN[column], detail, line=line)


def _explained(sample: Sequence[Sequence[str]], serial: int, name: int | None) -> int:
    """How many rows start a product with a number of its own, or continue the product before them."""
    seen: set[str] = set()
    before, explained = ("", ""), 0
    for row in sample:
        number, title = cell(row, serial), cell(row, name) if name is not None else ""
        continues = (number, title) == ("", "") or (number == before[0] and title in ("", before[1]))
        explained += continues or (bool(number) and number not in seen and bool(title or name is None))
        if not continues:
            seen.add(number)
            before = (number, title)
    return explained
