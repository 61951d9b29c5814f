"""Bring the translations of the console up to date: `python -m scripts.translations [NEW LANGUAGE ...]`.

It collects the texts of `imgproc/web`, adds the new ones to each `messages.po` and drops those that are gone, and
compiles each to the `messages.mo` that the pages read.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "imgproc" / "web"
FOLDER = WEB / "translations"
METHODS = [("templates/**.html", "jinja2"), ("*.py", "python")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false", "encoding": "utf-8"}}


def template() -> Catalog:
    """The texts of the console."""
    catalog = Catalog(project="imgproc", charset="utf-8", fuzzy=False)
    found = extract_from_dir(str(WEB), METHODS, OPTIONS, keywords=DEFAULT_KEYWORDS, comment_tags=("Translators:",))
    for name, _, message, comments, context in found:
        catalog.add(message, None, [(Path(name).as_posix(), 0)], auto_comments=comments, context=context)
    return catalog


def updated(path: Path, texts: Catalog) -> Catalog:
    """The translation at `path` with the texts of now; without any yet, an empty one."""
    locale = path.parent.parent.name
    if path.is_file():
        with path.open("rb") as file:
            catalog = read_po(file, locale=locale)
    else:
        catalog = Catalog(locale, project="imgproc", charset="utf-8", fuzzy=False, header_comment="# The console.")
    catalog.update(texts, no_fuzzy_matching=True, update_header_comment=False, update_creation_date=False)
    return catalog


def written(catalog: Catalog) -> bytes:
    """The `messages.po` of a translation. It names files without lines, so that it changes with the texts alone."""
    file = io.BytesIO()
    write_po(file, catalog, width=100, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """The `messages.mo` of a translation."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def missing(catalog: Catalog) -> list[Any]:
    """The texts without a translation."""
    return [
        each.id for each in catalog if each.id and not (all(each.string or ()) if each.pluralizable else each.string)
    ]


def main(new: list[str]) -> None:
    """Update all translations, and begin those of new languages."""
    texts = template()
    for locale in sorted({*new, *(path.name for path in FOLDER.iterdir() if path.is_dir())}):
        path = FOLDER / locale / "LC_MESSAGES" / "messages.po"
        catalog = updated(path, texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        print(f"{path.relative_to(ROOT)}: {len(catalog)} texts, {len(missing(catalog))} without a translation")


if __name__ == "__main__":
    main(sys.argv[1:])
