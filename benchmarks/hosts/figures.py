"""What a row measured, what must hold, and the table of all rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.results import FOLDER, Table, markdown, setting

NOW, BEFORE = FOLDER / "hosts.json", FOLDER / "hosts_before.json"
PAGE = FOLDER.parent.parent / "docs" / "explanation" / "hosts.md"
BEGIN, END = "<!-- the tables: written by `make hosts` -->\n", "<!-- end of the tables -->\n"
MOST_REQUESTS, MOST_REQUESTS_AWAY = 1.15, 1.6  # an image
LEAST_SHARE = 0.85  # of what the host allows
MOST_BESIDE, GRACE = 2.0, 2.0  # times the time alone, and so many seconds more


@dataclass(frozen=True)
class Figures:
    """One row. `done` is the share of the good images that completed; `share` that of the host's rate that was used.

    `alone` and `beside` are the seconds of the neighbour. What a row does not measure is None.
    """

    title: str
    done: float | None = None
    requests: float | None = None
    share: float | None = None
    seconds: float | None = None
    alone: float | None = None
    beside: float | None = None
    goes_away: bool = False
    notes: Sequence[str] = field(default_factory=list)

    def misses(self) -> Iterator[str]:
        """The bars that the row misses."""
        if self.done is not None and self.done < 1:
            yield "images"
        most = MOST_REQUESTS_AWAY if self.goes_away else MOST_REQUESTS
        if self.requests is not None and self.requests > most:
            yield "requests"
        if self.share is not None and self.share < LEAST_SHARE:
            yield "share"
        if self.alone is not None and self.beside is not None and self.beside > MOST_BESIDE * self.alone + GRACE:
            yield "neighbour"


def saved(file: Path) -> dict[str, Figures]:
    """The rows of an earlier run, by name."""
    if not file.exists():
        return {}
    return {name: Figures(**row) for name, row in json.loads(file.read_text())["rows"].items()}


def save(rows: dict[str, Figures], file: Path) -> None:
    """Write the rows, with the rows of earlier runs that were not measured again."""
    merged = saved(file) | rows
    record = {**setting(), "rows": {name: asdict(row) for name, row in merged.items()}}
    file.write_text(json.dumps(record, indent=2) + "\n")


def publish(rows: dict[str, Figures], before: dict[str, Figures]) -> None:
    """Write both tables into the documentation."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table(rows, before)}\n{END}{rest.partition(END)[2]}")


def table(rows: dict[str, Figures], before: dict[str, Figures]) -> str:
    """Both tables as Markdown: one merchant's images, and the neighbours."""
    images = {name: row for name, row in rows.items() if row.done is not None}
    neighbours = {name: row for name, row in rows.items() if row.beside is not None}
    parts = []
    if images:
        parts.append(markdown(_of_images(images, before)))
    if neighbours:
        parts.append(markdown(_of_neighbours(neighbours, before)))
    return "\n".join(parts)


def _of_images(rows: dict[str, Figures], before: dict[str, Figures]) -> Table:
    columns = ["", "completed", "before", "requests an image", "before", "of the host's rate", "seconds", "bars"]
    lines = []
    for name, row in rows.items():
        old = before.get(name, Figures(row.title))
        lines.append(
            [
                f"{row.title} (`{name}`)", _percent(row.done), _percent(old.done),
                _number(row.requests), _number(old.requests), _percent(row.share), _number(row.seconds),
                _verdict(row),
            ]
        )  # fmt: skip
    notes = [
        f"Bars: every image, at most {MOST_REQUESTS} requests an image ({MOST_REQUESTS_AWAY} for hosts that go away),"
        f" at least {LEAST_SHARE:.0%} of the host's rate."
    ]
    return Table("One merchant, one host", columns, lines, [*notes, *_notes(rows)])


def _of_neighbours(rows: dict[str, Figures], before: dict[str, Figures]) -> Table:
    columns = ["the neighbour beside …", "alone, s", "beside, s", "ratio", "before: alone", "before: beside", "bars"]
    lines = []
    for name, row in rows.items():
        old = before.get(name, Figures(row.title))
        ratio = row.beside / row.alone if row.beside is not None and row.alone else None
        lines.append(
            [
                f"{row.title} (`{name}`)", _number(row.alone), _number(row.beside), _number(ratio),
                _number(old.alone), _number(old.beside), _verdict(row),
            ]
        )  # fmt: skip
    notes = [f"Bar: at most {MOST_BESIDE:g} times its time alone and {GRACE:g} s. The neighbour: 20 good pictures."]
    return Table("The next merchant", columns, lines, [*notes, *_notes(rows)])


def _notes(rows: dict[str, Figures]) -> list[str]:
    return [f"`{name}`: {note}" for name, row in rows.items() for note in row.notes]


def _verdict(row: Figures) -> str:
    missed = list(row.misses())
    return f"missed: {', '.join(missed)}" if missed else "met"


def _percent(number: float | None) -> str:
    return "" if number is None else f"{number:.0%}"


def _number(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
