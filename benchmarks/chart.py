"""Line charts as SVG, for light and dark pages, with the CPU time beside the names. What is across grows by ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 520, 44, 350  # of the plot
COLOURS = ("#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#57606a", "#0f766e")
DARK = ("#58a6ff", "#ff7b72", "#3fb950", "#d29922", "#bc8cff", "#f778ba", "#8b949e", "#2dd4bf")


class Line(NamedTuple):
    """One encoder: its points in the order of their x, and its CPU milliseconds a million pixels."""

    name: str
    points: Sequence[tuple[float, float]]
    cpu: float


def chart(title: str, across: str, upwards: str, lines: Sequence[Line]) -> str:
    """The SVG of some lines with their legend, the first on top. Its text is its description, too."""
    xs = _ratio_ticks([x for line in lines for x, _ in line.points])
    ys = _ticks([y for line in lines for _, y in line.points])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + math.log(x / xs[0]) / math.log(xs[-1] / xs[0]) * (RIGHT - LEFT),
            BOTTOM - (y - ys[0]) / (ys[-1] - ys[0]) * (BOTTOM - TOP),
        )

    described = "; ".join(f"{line.name}: {line.cpu:.1f} ms" for line in lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif">',
        f"<title>{escape(title)}</title><desc>{escape(f'{upwards} against {across}. {described}')}</desc>",
        _style(),
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>',
        f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>',
    ]
    for x in xs:
        at = place(x, ys[0])[0]
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{x:g}</text>')
    for y in ys:
        at = place(xs[0], y)[1]
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
    parts.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 38}" text-anchor="middle">{escape(across)}</text>')
    middle = (TOP + BOTTOM) / 2
    turned = f'transform="rotate(-90 18 {middle})" text-anchor="middle"'
    parts.append(f'<text x="18" y="{middle}" {turned}>{escape(upwards)}</text>')
    for number, line in reversed(list(enumerate(lines))):
        places = [place(*point) for point in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path class="line c{number}" d="M{path}"/>')
        parts += [f'<circle class="dot c{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
        y = TOP + 22 + 22 * number
        parts.append(f'<circle class="dot c{number}" cx="{RIGHT + 24}" cy="{y - 4}" r="5"/>')
        parts.append(f'<text x="{RIGHT + 36}" y="{y}">{escape(line.name)}</text>')
        parts.append(f'<text class="number" x="{WIDTH - 16}" y="{y}" text-anchor="end">{_digits(line.cpu)}</text>')
    parts.append(f'<text x="{WIDTH - 16}" y="{TOP}" text-anchor="end">CPU ms a megapixel</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _style() -> str:
    light = "".join(f".c{number}{{--c:{colour}}}" for number, colour in enumerate(COLOURS))
    dark = "".join(f".c{number}{{--c:{colour}}}" for number, colour in enumerate(DARK))
    return (
        "<style>"
        ".card{fill:#fff;stroke:#d0d7de}text{fill:#1f2328;font-size:12.5px}.title{font-size:15px;font-weight:600}"
        ".grid{stroke:#d0d7de}.line{fill:none;stroke:var(--c);stroke-width:2}.dot{fill:var(--c)}"
        ".line.c0{stroke-width:3}"
        + light
        + "@media(prefers-color-scheme:dark){.card{fill:#0d1117;stroke:#30363d}text{fill:#e6edf3}.grid{stroke:#30363d}"
        f"{dark}}}</style>"
    )


def _digits(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def _ticks(values: Sequence[float]) -> list[float]:
    """Four to eight round numbers that span the values."""
    low, high = min(values), max(values)
    step = next(
        step
        for step in (each * 10.0**power for power in range(-3, 5) for each in (1, 2, 5))
        if (high - low) / step <= 6
    )
    first = int(low // step)
    return [round(step * number, 6) for number in range(first, int(-(-high // step)) + 1)]


def _ratio_ticks(values: Sequence[float]) -> list[float]:
    """Round numbers that span the values, for an axis where equal distances are equal ratios."""
    low, high = min(values), max(values)
    steps = (1, 1.5, 2, 3, 4, 6, 8) if high / low < 15 else (1, 2, 5)
    every = [round(step * 10.0**power, 6) for power in range(-3, 6) for step in steps]
    first = max(number for number in every if number <= low)
    last = min(number for number in every if number >= high)
    return [number for number in every if first <= number <= max(last, first * 2)]
