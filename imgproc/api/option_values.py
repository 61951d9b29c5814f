"""Reads the values of options as callers write them, and says what to write instead of those that cannot be used."""

from __future__ import annotations

import re
from difflib import get_close_matches

from imgproc.api.missing_file import SHOWN, shown
from imgproc.pipeline.images.formats import (
    FORMAT_OPTIONS,
    KEEP,
    LARGER_OPTIONS,
    MAX_QUALITY,
    MAX_SIZE,
    MIN_QUALITY,
    OUTPUT_FORMATS,
    SMART,
    SOURCE,
)

NUMBER = re.compile(r"(\d{1,9}(?:[.,]\d{1,9})?|[.,]\d{1,9})\s*(%?)", re.ASCII)
FRACTION = re.compile(r"(\d{1,4})\s*/\s*(\d{1,4})", re.ASCII)
LEAST_PERCENT = 10  # A scale of 2 asks for twice the size; one of 50 means per cent.
QUALITY_WORDS = {"low": "30", "medium": "50", "normal": "50", "default": "50", "high": "80", "best": "95", "max": "95"}
QUALITY_WORDS |= {"maximum": "95", "lossless": "95", "auto": SMART, "automatic": SMART}
PIXELS = re.compile(r"(\d{1,3}(?:[., ]\d{3})+|\d{1,9}(?:\.0{1,9})?)\s*(?:px|pixels?)?", re.ASCII)
LARGER_WORDS = dict.fromkeys(("original", "input", "smaller", "smallest", "true", "yes", "1"), SOURCE)
LARGER_WORDS |= dict.fromkeys(("output", "rendition", "allow", "false", "no", "0"), KEEP)
KEEP_WORDS = {"original", "same", "source", "input", "auto", "none"}
ROW_WORDS = {"ignore": "skip", "drop": "skip", "true": "skip", "yes": "skip", "1": "skip"}
ROW_WORDS |= {"fail": "reject", "error": "reject", "strict": "reject", "false": "reject", "no": "reject", "0": "reject"}


def format_name(value: str) -> str:
    """The name of a format given as a name in any case, an extension or a media type, such as `.JPG` or `image/jpeg`.

    Any other value is returned as it is.
    """
    name = value.lower().removeprefix("image/").removeprefix(".")
    name = "jpeg" if name in {"jpg", "jpe", "pjpeg"} else name
    return name if name in OUTPUT_FORMATS else value


def explain_quality(value: str) -> str:
    """What to write instead of a quality that cannot be used."""
    given = value.strip().lower()
    meant = SMART if given == SMART else QUALITY_WORDS.get(given)
    number = _number(given)
    if number is not None and not meant:
        percent = number * 100 if number < 1 and "%" not in given else number
        meant = str(min(round(percent), MAX_QUALITY)) if percent >= MIN_QUALITY else None
    return explain(f"Give a whole number from {MIN_QUALITY} to {MAX_QUALITY}, or {SMART}", value, meant)


def explain_scale(value: str) -> str:
    """What to write instead of a scale that cannot be used."""
    given = value.strip().lower()
    number = _number(given.removesuffix("x"))
    if found := FRACTION.fullmatch(given):
        number = int(found[1]) / (int(found[2]) or 1)
    meant = None
    if number:
        factor = number / 100 if "%" in given or number >= LEAST_PERCENT else number
        meant = f"{min(factor, 1.0):.9g}" if factor >= 0.0001 else None
    return explain("Give a factor above 0 up to 1; 1 keeps the size, and images are never enlarged", value, meant)


def explain_format(value: str) -> str:
    """What to write instead of a format that cannot be used."""
    given = value.strip().lower()
    close = get_close_matches(format_name(given)[:SHOWN], FORMAT_OPTIONS, n=1, cutoff=0.7)
    meant = KEEP if given in KEEP_WORDS else close[0] if close else None
    return explain(f"Give one of {', '.join(FORMAT_OPTIONS)}", value, meant)


def explain_side(value: str) -> str:
    """What to write instead of a number of pixels that cannot be used."""
    given, meant = value.strip().lower(), None
    if found := PIXELS.fullmatch(given):
        number = int(re.sub(r"[., ]", "", found[1].removesuffix(".0")))
        meant = str(min(number, MAX_SIZE)) if number else None
    rule = f"Give a whole number of pixels from 1 to {MAX_SIZE}"
    if meant is None and re.search(r"[%/]|^0?[.,]\d", given):
        rule = f"{rule}; a part of the size is given as scale"
    return explain(rule, value, meant)


def explain_larger(value: str) -> str:
    """What to write instead of a value of `larger` that cannot be used."""
    given = value.strip().lower()
    meant = given if given in LARGER_OPTIONS else LARGER_WORDS.get(given)
    return explain(f"Give {' or '.join(LARGER_OPTIONS)}", value, meant)


def explain_invalid_rows(value: str) -> str:
    """What to write instead of a value of `invalidRows` that cannot be used."""
    given = value.strip().lower()
    return explain("Give reject or skip", value, given if given in {"reject", "skip"} else ROW_WORDS.get(given))


def _number(text: str) -> float | None:
    found = NUMBER.fullmatch(text)
    return float(found[1].replace(",", ".")) if found else None


def explain(rule: str, value: str, meant: str | None) -> str:
    """The rule, and what to write instead of `value` where that is known."""
    return f"{rule}; write {meant} for {shown(value)}." if meant else f"{rule}, not {shown(value)}."
