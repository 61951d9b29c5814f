"""The value of each of our cells, and its fault: a code and a sentence, or None."""

from __future__ import annotations

import re

from imgproc.pipeline.table.formulas import unguard
from imgproc.pipeline.table.url_items import starts_url

MAX_SERIAL_CHARS = 255
MAX_NAME_CHARS = 500
# A spreadsheet keeps `="00123"` as text; it shortens long numbers to a few digits, so that different ones look alike.
_TEXT_FORMULA = re.compile(r'="([^"]*)"')
_ROW_WITHIN = re.compile(r"[,;\t|]\s*\"?https?://")
# Of Excel in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish and Turkish; Google; LibreOffice.
FORMULA_ERRORS = frozenset(
    (
        *("#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!"),
        *("#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#EXTERNAL!", "#PYTHON!", "#GETTING_DATA"),
        *(
            "#NV",
            "#WERT!",
            "#BEZUG!",
            "#ZAHL!",
            "#ÜBERLAUF!",
            "#VALEUR!",
            "#NOM?",
            "#NOMBRE!",
            "#NUL!",
            "#PROPAGATION!",
        ),
        *("#N/D", "#¡VALOR!", "#¡REF!", "#¿NOMBRE?", "#¡DIV/0!", "#¡NUM!", "#¡NULO!", "#VALORE!", "#RIF!", "#NOME?"),
        *(
            "#VALOR!",
            "#NÚM!",
            "#NULO!",
            "#N/B",
            "#WAARDE!",
            "#VERW!",
            "#NAAM?",
            "#GETAL!",
            "#DEEL/0!",
            "#N/D!",
            "#ARG!",
        ),
        *("#ADR!", "#NAZWA?", "#LICZBA!", "#DZIEL/0!", "#YOK", "#DEĞER!", "#BAŞV!", "#AD?", "#SAYI!", "#SAYI/0!"),
        *("#ERROR!", *(f"Err:{number}" for number in range(501, 541))),
    )
)
# Characters that are not seen; marks of direction and joiners of letters are no fault in a name.
INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2060-\u2064\ufeff]")
_SHORTENED = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{2,}", re.I)


def value(cell: str) -> str:
    """The text of a cell without the white space around it and the formula guard that our CSVs add."""
    text = unguard(cell.strip()).strip()
    if text.startswith('="') and (formula := _TEXT_FORMULA.fullmatch(text)):
        return formula[1].strip()
    return text


def is_shortened(serial: str) -> bool:
    """Whether a spreadsheet has replaced the digits of a long number (`8.90123E+12`)."""
    return _SHORTENED.fullmatch(serial) is not None


def _formula_error(what: str, text: str) -> tuple[str, str]:
    detail = f"The {what} is {text}, the error of a formula: correct it in the spreadsheet, and save again."
    return "formula_error", detail


def serial_fault(serial: str, first_line: int | None) -> tuple[str, str] | None:
    """The fault of a serial number; `first_line` is where it was seen before, if it was."""
    if not serial:
        remedy = "give the row one of its own, or remove the row if it is no product"
        return "empty_serial_number", f"The serial number is empty: {remedy}."
    if serial in FORMULA_ERRORS:
        return _formula_error("serial number", serial)
    if starts_url(serial):
        return "misplaced_url", f"The serial number is a URL ({serial[:100]!r}): put it into the column of the images."
    if len(serial) > MAX_SERIAL_CHARS:
        return "cell_too_long", f"The serial number has more than {MAX_SERIAL_CHARS} characters: shorten it."
    return _duplicate(serial, first_line) if first_line is not None else None


def _duplicate(serial: str, first_line: int) -> tuple[str, str]:
    before = f"The serial number {serial!r} is already on line {first_line}"
    if is_shortened(serial):
        remedy = "Format the column as text, and enter or import the numbers again."
        return "duplicate_serial_number", f"{before}: Excel has shortened long numbers to this. {remedy}"
    detail = (
        f"{before}: give the row one of its own, or move it directly below line {first_line} and give it the same "
        "name, if it is the same product."
    )
    return "duplicate_serial_number", detail


def name_fault(name: str) -> tuple[str, str] | None:
    """The fault of a product name."""
    if not name:
        return "empty_product_name", "The product name is empty: write one, or remove the row if it is no product."
    if name.lower().startswith(("http://", "https://")):
        return (
            "name_is_url",
            f"The product name is a URL ({name[:100]!r}): move the cells of this row under their headings.",
        )
    if name in FORMULA_ERRORS:
        return _formula_error("product name", name)
    if "http" in name and _ROW_WITHIN.search(name):
        detail = "The product name seems to hold other cells: close its quote, and write a quote inside it twice."
        return "swallowed_cells", detail
    if len(name) > MAX_NAME_CHARS:
        return "cell_too_long", f"The product name has more than {MAX_NAME_CHARS} characters: shorten it."
    return None
