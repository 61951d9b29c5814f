"""Prints lists: aligned and cut to the width of a terminal, whole and separated by tabs elsewhere, or as JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from imgproc.core.terminal import printable, printable_json

MEASURED = 100  # rows whose widths decide those of the columns
MOST, LEAST_LAST = 36, 10  # columns of a terminal: the most for a cell, as an id needs, and the least for the last one
GAP = "  "


def on_terminal() -> bool:
    """Whether people read standard output; false where it is closed."""
    return bool(sys.stdout and sys.stdout.isatty())


def print_json(value: Any) -> None:
    """One JSON value, indented on a terminal."""
    click.echo(printable_json(value, indent=2 if on_terminal() else None))


def print_json_list(values: Iterable[Any]) -> None:
    """A JSON list with a line for each value, written as they come."""
    separator = "["
    for value in values:
        click.echo(f"{separator}{printable_json(value)}", nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[" else "]")


def print_rows(rows: Iterable[Sequence[str]], headings: Sequence[str], *, empty: str) -> None:
    """A table, written as its rows come. `empty` is said on standard error where there is no row.

    As in `gh`, only a terminal gets headings, and rows cut to its width.
    """
    found = (tuple(map(printable, row)) for row in rows)
    first = list(islice(found, MEASURED))
    if not first:
        click.echo(empty, err=True)
        return
    lines = chain(first, found)
    if not on_terminal():
        for row in lines:
            click.echo("\t".join(row))
        return
    for line in _aligned(chain([headings], lines), measured=[headings, *first]):
        click.echo(line)


def _aligned(rows: Iterable[Sequence[str]], *, measured: list[Sequence[str]]) -> Iterator[str]:
    widths = [min(MOST, max(map(cell_len, column))) for column in zip(*measured, strict=True)]
    total = shutil.get_terminal_size().columns
    last = max(LEAST_LAST, total - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
    for *cells, rest in rows:
        fitted = [set_cell_size(_cut(cell, width), width) for cell, width in zip(cells, widths, strict=False)]
        yield GAP.join([*fitted, _cut(rest, last)]).rstrip()


def _cut(text: str, width: int) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
