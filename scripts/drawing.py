"""Boxes and arrows as SVG: light colours on a white card, so that a picture reads the same on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

STYLE = """\
  <style>
    .card { fill: #ffffff; stroke: #d0d7de }
    .step { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.5 }
    .store { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.5 }
    .end { fill: #dafbe1; stroke: #1a7f37; stroke-width: 1.5 }
    .bad { fill: #ffebe9; stroke: #cf222e; stroke-width: 1.5 }
    .outside { fill: #fff8c5; stroke: #9a6700; stroke-width: 1.5 }
    .group { fill: none; stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 3 4 }
    text { fill: #1f2328; text-anchor: middle; font-size: 15px }
    .note { fill: #57606a; font-size: 12px }
    .left { text-anchor: start }
    .line { fill: none; stroke: #57606a; stroke-width: 1.6; marker-end: url(#head) }
    .both { marker-start: url(#head) }
    .dashed { stroke-dasharray: 5 4 }
    .start { fill: #57606a }
  </style>
  <defs>
    <marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
            orient="auto-start-reverse">
      <path d="M0 0L10 5L0 10z" fill="#57606a"/>
    </marker>
  </defs>"""


@dataclass(frozen=True)
class Box:
    """A rectangle with a title and lines of notes; `kind` is a class of the style."""

    x: int
    y: int
    title: str
    notes: tuple[str, ...] = ()
    kind: str = "step"
    width: int = 130
    height: int = 64


@dataclass(frozen=True)
class Arrow:
    """A path in SVG's words; `label` stands at `at`, centred unless `left`."""

    path: str
    label: str = ""
    at: tuple[int, int] = (0, 0)
    classes: str = ""
    left: bool = False


@dataclass(frozen=True)
class Drawing:
    """A picture: `title` is what a screen reader says of it; `starts` are the dots at which state machines begin."""

    width: int
    height: int
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    starts: tuple[tuple[int, int], ...] = ()
    groups: tuple[Box, ...] = field(default=())


def svg(drawing: Drawing) -> str:
    """The file's text."""
    size = f'viewBox="0 0 {drawing.width} {drawing.height}" width="{drawing.width}" height="{drawing.height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, Helvetica, Arial, sans-serif"'
    parts = [f'{head} role="img">', f"  <title>{escape(drawing.title)}</title>", STYLE]
    card = f'width="{drawing.width - 2}" height="{drawing.height - 2}" rx="10"'
    parts += [f'  <rect class="card" x="1" y="1" {card}/>']
    for group in drawing.groups:
        parts += [_rectangle(group, "group")]
        parts += [_text(group.x + group.width // 2, group.y + group.height - 9, group.title, "note")]
    parts += [f'  <circle class="start" cx="{x}" cy="{y}" r="7"/>' for x, y in drawing.starts]
    parts += [line for arrow in drawing.arrows for line in _arrow(arrow)]
    parts += [line for box in drawing.boxes for line in _box(box)]
    return "\n".join([*parts, "</svg>", ""])


def _box(box: Box) -> Iterable[str]:
    yield _rectangle(box, box.kind)
    middle, lines = box.x + box.width // 2, len(box.notes)
    top = box.y + box.height // 2 + 5 - 8 * lines
    yield _text(middle, top, box.title)
    for number, note in enumerate(box.notes, start=1):
        yield _text(middle, top + 3 + 15 * number, note, "note")


def _rectangle(box: Box, kind: str) -> str:
    return f'  <rect class="{kind}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>'


def _arrow(arrow: Arrow) -> Iterable[str]:
    yield f'  <path class="{" ".join(["line", *arrow.classes.split()])}" d="{arrow.path}"/>'
    for number, line in enumerate(arrow.label.split("\n") if arrow.label else ()):
        x, y = arrow.at
        yield _text(x, y + 14 * number, line, "note left" if arrow.left else "note")


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'  <text{attribute} x="{x}" y="{y}">{escape(text)}</text>'
