"""Write docs/explanation/packages.md and its picture from the imports of the code: `python -m scripts.package_map`.

A package is a folder or a file directly below `imgproc`, or below `imgproc/pipeline`. A layer is a level of the import
graph: a package stands above everything that it imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from scripts.drawing import Arrow, Box, Drawing, svg

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "imgproc"
PAGE = ROOT / "docs" / "explanation" / "packages.md"
PICTURE = ROOT / "docs" / "images" / "packages.svg"
OPENED = "pipeline"  # its packages are shown one by one
LEFT_OUT = {"__main__"}
WIDTH, HEIGHT, PASSAGE, GAP, ROW = 150, 46, 10, 16, 100
HEAD = """\
# Map of the packages

`make pages` writes this page from the imports of the code, and a test fails when it is out of date.

![The packages of imgproc in layers; each imports packages below it](../images/packages.svg)

An arrow leads from a package to one that it imports. Arrows that follow from others are left out: if A imports B and B
imports C, then A may import C too. No import points up.
"""

Graph = Mapping[str, frozenset[str]]


def packages() -> dict[str, Path]:
    """The name of each package, such as `db` or `pipeline.http`, and its folder or file."""
    found = {_name(path): path for path in sorted(CODE.iterdir()) if _is_package(path)}
    opened = found.pop(OPENED)
    inner = {f"{OPENED}.{_name(path)}": path for path in sorted(opened.iterdir()) if _is_package(path)}
    return {name: path for name, path in (found | inner).items() if name not in LEFT_OUT}


def _name(path: Path) -> str:
    return path.stem


def _is_package(path: Path) -> bool:
    if path.is_dir():
        return (path / "__init__.py").exists()
    return path.suffix == ".py" and path.name != "__init__.py"


def imports(found: Mapping[str, Path]) -> dict[str, frozenset[str]]:
    """The packages that each package imports, type checking and function bodies included."""
    names = {name: {_package_of(module, found) for module in _modules(path)} for name, path in found.items()}
    return {name: frozenset(each for each in targets if each and each != name) for name, targets in names.items()}


def _modules(path: Path) -> Iterator[str]:
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def _package_of(module: str, found: Mapping[str, Path]) -> str | None:
    parts = module.split(".")
    if parts[0] != "imgproc":
        return None
    return next((name for name in (".".join(parts[1:3]), *parts[1:2]) if name in found), None)


def layers(graph: Graph) -> list[list[str]]:
    """The packages by their level, the lowest first."""
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = 1 + max((level(each) for each in graph[name]), default=-1)
        return levels[name]

    rows: list[list[str]] = [[] for _ in range(1 + max(map(level, graph)))]
    for name in sorted(graph):
        rows[levels[name]].append(name)
    return rows


def _reduced(graph: Graph) -> dict[str, list[str]]:
    """The imports that do not follow from others."""

    def below(name: str) -> set[str]:
        return {each for target in graph[name] for each in {target, *below(target)}}

    return {
        name: sorted(each for each in targets if not any(each in below(other) for other in targets - {each}))
        for name, targets in graph.items()
    }


def drawing(graph: Graph) -> Drawing:
    """The layers from top to bottom, with an arrow for each import that does not follow from others.

    An arrow that crosses layers is led through a gap in each, so that it passes behind no box.
    """
    rows: list[list[str]] = layers(graph)[::-1]
    chains = _led_through(rows, _reduced(graph))
    _order(rows, chains)
    widths = [sum(_width(name) + GAP for name in row) + GAP for row in rows]
    boxes = [
        Box(left, 22 + level * ROW, name, (), "store" if name.startswith(OPENED) else "step", _width(name), HEIGHT)
        for level, row in enumerate(rows)
        for name, left in _places(row, (max(widths) - widths[level]) // 2 + GAP)
    ]
    at = {box.title: box for box in boxes}
    title = "The packages of imgproc in layers, from the command line at the top to the core at the bottom"
    shown = tuple(box for box in boxes if box.title in graph)
    return Drawing(max(widths), len(rows) * ROW, title, shown, tuple(_arrow([at[name] for name in c]) for c in chains))


def _led_through(rows: list[list[str]], edges: Mapping[str, list[str]]) -> list[list[str]]:
    """Each edge as a chain of neighbouring layers; gaps are added to `rows`, named like `cli>core@3`."""
    level = {name: number for number, row in enumerate(rows) for name in row}
    chains = []
    for name, target in ((upper, lower) for upper in sorted(edges) for lower in edges[upper]):
        gaps = [f"{name}>{target}@{number}" for number in range(level[name] + 1, level[target])]
        for number, gap in enumerate(gaps, start=level[name] + 1):
            rows[number].append(gap)
        chains.append([name, *gaps, target])
    return chains


def _order(rows: list[list[str]], chains: list[list[str]]) -> None:
    """Put each name near the middle of its neighbours in the layer above, then below, until arrows cross little."""
    links = [pair for chain in chains for pair in pairwise(chain)]
    for turn in range(12):
        places = {name: place / len(row) for row in rows for place, name in enumerate(row)}
        for row in rows if turn % 2 == 0 else reversed(rows):
            beside: dict[str, list[float]] = {name: [] for name in row}
            for upper, lower in links:
                near, far = (lower, upper) if turn % 2 == 0 else (upper, lower)
                if near in beside:
                    beside[near].append(places[far])
            middles = {name: sum(near) / len(near) if near else places[name] for name, near in beside.items()}
            row.sort(key=lambda name, middles=middles: (middles[name], name))  # type: ignore[misc]  # bound here
            places |= {name: place / len(row) for place, name in enumerate(row)}


def _width(name: str) -> int:
    return PASSAGE if "@" in name else WIDTH


def _places(row: list[str], left: int) -> Iterator[tuple[str, int]]:
    for name in row:
        yield name, left
        left += _width(name) + GAP


def _arrow(chain: list[Box]) -> Arrow:
    """From the first box through the gaps to the last one."""
    first, *_, last = chain
    path = f"M{first.x + first.width // 2} {first.y + first.height}"
    x, y = first.x + first.width // 2, first.y + first.height
    for box in chain[1:]:
        to, down = box.x + box.width // 2, box.y - (2 if box is last else 0)
        path += f"C{x} {y + 22} {to} {down - 22} {to} {down}"
        x, y = to, box.y + box.height
        path += "" if box is last else f"V{y}"
    return Arrow(path)


def page(found: Mapping[str, Path], graph: Graph) -> str:
    """The page's text: a row for each package, the highest first."""
    lines = ["| package | role | files | imports |", "|---|---|---|---|"]
    for name in (name for row in layers(graph)[::-1] for name in row):
        path = found[name]
        files = 1 if path.is_file() else len(list(path.rglob("*.py")))
        targets = ", ".join(f"`{each}`" for each in sorted(graph[name])) or "nothing of ours"
        lines.append(f"| `{name}` | {_role(path)} | {files} | {targets} |")
    return HEAD + "\n" + "\n".join(lines) + "\n"


def _role(path: Path) -> str:
    """The first sentence of the package's docstring, on one line."""
    text = ast.get_docstring(ast.parse((path if path.is_file() else path / "__init__.py").read_text())) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return first.replace("|", "\\|")


def main() -> None:
    """Write the page and the picture."""
    found = packages()
    graph = imports(found)
    PAGE.write_text(page(found, graph))
    PICTURE.write_text(svg(drawing(graph)))


if __name__ == "__main__":
    main()
