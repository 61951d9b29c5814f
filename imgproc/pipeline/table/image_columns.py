"""Which columns have the pictures of a file, and the order in which their URLs form one list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imgproc.pipeline.table import column_names as names
from imgproc.pipeline.table.headings import ADDED, key, names_links, names_pictures
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.samples import texts
from imgproc.pipeline.table.text import invalid_csv
from imgproc.pipeline.table.url_items import starts_url

MAX_LISTED = 12  # headings in a note
_PICTURE_URL = re.compile(
    r"https?://[^\s,;|]+\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?|svg)(?![^\s?#,;|\"'])", re.I
)


def image_columns(header: Sequence[str], sample: Sequence[Sequence[str]], *, line: int) -> tuple[int, ...]:
    """The columns of pictures: those named so, else those that may be named so. Rows decide where names do not.

    Raises:
        InvalidCsv: two columns that may be of pictures or of pages have URLs.
    """
    named = [index for index, heading in enumerate(header) if names_pictures(heading)]
    full = [index for index in named if not _is_lesser(header[index])]
    weak = [index for index, heading in enumerate(header) if names_links(heading)]
    for group in (full, named):
        if with_urls := [index for index in group if _has_urls(sample, index)]:
            # A column of the group may be empty in the sample, and have URLs later.
            return _in_order(header, [index for index in group if index in with_urls or not texts(sample, index)])
    is_blank = not any(texts(sample, index) for index in named)
    if is_blank and (found := _weak(header, sample, weak, line=line, rivals=bool(named))):
        return found
    return _in_order(header, full or named) or tuple(weak[:1])


def note_images(
    header: Sequence[str], sample: Sequence[Sequence[str]], images: Sequence[int], *, line: int, notes: Notes
) -> None:
    """Note the image columns where there are several, and each other column that has pictures."""
    if len(images) > 1:
        listed = _listed([repr(header[index]) for index in images])
        notes.add("image_columns_joined", f"The columns {listed} are read as one list of images.", line=line)
    unread = [
        repr(heading) if heading else f"{index + 1} (without a name)"
        for index, heading in enumerate(header)
        if index not in images
        and not key(heading).startswith(("output", *ADDED))
        and _has_pictures(heading, sample, index)
    ]
    if unread:
        listed = _listed(unread)
        what, remedy = (
            (f"column {listed}", "call it 'Image 2'")
            if len(unread) == 1
            else (f"columns {listed}", "call them 'Image 2', 'Image 3' and so on")
        )
        detail = f"The image URLs in the {what} are not read; to read them, too, {remedy}, or name all in `columns`."
        notes.add("image_column_unread", detail, line=line)


def spread_headings(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The header, with the heading of a column of pictures in the blank ones after it that have URLs."""
    found = list(header)
    for index in range(1, len(found)):
        if not found[index] and names_pictures(found[index - 1]) and _begins_urls(rows, index):
            found[index] = found[index - 1]
    return tuple(found)


def likely_images(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """The first column with picture files, else the first with URLs, whatever its name; None if there is none."""
    with_urls = [index for index, heading in enumerate(header) if heading and _begins_urls(rows, index)]
    pictures = [index for index in with_urls if any(map(_PICTURE_URL.search, texts(rows, index)))]
    return next(iter(pictures or with_urls), None)


def _begins_urls(rows: Sequence[Sequence[str]], index: int) -> bool:
    return any(starts_url(text) for text in texts(rows, index))


def _listed(headings: Sequence[str]) -> str:
    more = f" and {len(headings) - MAX_LISTED} more" if len(headings) > MAX_LISTED else ""
    return ", ".join(headings[:MAX_LISTED]) + more


def _weak(
    header: Sequence[str], sample: Sequence[Sequence[str]], weak: Sequence[int], *, line: int, rivals: bool
) -> tuple[int, ...]:
    """Of the columns named `URL`, `Link` and the like: those with picture files, or the only one with URLs.

    If there are `rivals`, columns named as pictures that are empty, only picture files count: others are pages.

    Raises:
        InvalidCsv: several have URLs, and none has picture files.
    """
    with_urls = [index for index in weak if _has_urls(sample, index)]
    pictures = [index for index in with_urls if any(map(_PICTURE_URL.search, texts(sample, index)))]
    if rivals:
        return _in_order(header, pictures)
    if len({re.sub(r"\d", "", key(header[index])) for index in with_urls}) > 1 and not pictures:
        both = " and ".join(repr(header[index]) for index in with_urls[:2])
        detail = f"On line {line} {both} could each have the pictures: rename the right one to 'Input Image Urls'."
        raise invalid_csv(line, header[with_urls[1]], "duplicate_column", detail)
    return _in_order(header, pictures or with_urls)


def _in_order(header: Sequence[str], indices: Sequence[int]) -> tuple[int, ...]:
    """The main picture first, then the others by number; names without numbers stay in their place."""
    family = {index: re.sub(r"\d", "", key(header[index])) for index in indices}
    first = {name: index for index, name in reversed([*family.items()])}

    def place(index: int) -> tuple[int, int, int, int]:
        digits = re.findall(r"\d+", key(header[index]))
        return _turn(family[index]), first[family[index]], int(digits[-1]) if digits else 0, index

    return tuple(sorted(indices, key=place))


def _turn(text: str) -> int:
    """0 for a main picture, 2 for additional ones, 1 for those of which the name says neither."""
    if any(word in text for word in names.MAIN_PICTURES):
        return 0
    return 2 if any(word in text for word in names.ADDITIONAL_PICTURES) else 1


def _is_lesser(heading: str) -> bool:
    return any(word in key(heading) for word in names.LESSER_PICTURES)


def _has_pictures(heading: str, sample: Sequence[Sequence[str]], index: int) -> bool:
    found = [text for text in texts(sample, index) if "<" not in text]  # The pictures of a description are no list.
    return any(map(_PICTURE_URL.search, found)) or (names_pictures(heading) and _has_urls(sample, index))


def _has_urls(sample: Sequence[Sequence[str]], index: int) -> bool:
    return any("://" in text for text in texts(sample, index))
