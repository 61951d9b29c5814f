"""Write the settings into the files that name them, from the table in `imgproc/core/settings.py`.

`make settings` writes the lines between the marks of docker-compose.yml, .env.example and the page about settings.
With `--check` the files stay as they are, and the exit status is 1 where one is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from imgproc.core.setting_types import Setting
from imgproc.core.settings import MIB, TABLE

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/reference/settings.md"
READERS = {
    "users": "For everyone who runs or calls imgproc",
    "operators": "For operators of a server",
    "tuning": "For tuning",
}


def compose_lines() -> str:
    """The environment of a container: a setting that .env leaves empty keeps its default."""
    return "".join(f"    {name}: ${{{name}:-{setting.compose}}}\n" for name, setting in _passed_on().items())


def example_lines() -> str:
    """The variables of .env.example, each below its description."""
    lines = []
    for readers, heading in READERS.items():
        lines.append(f"# --- {heading} ---\n")
        for name, setting in _passed_on().items():
            if setting.readers == readers:
                lines.append(f"# {setting.description.replace('`', '')}\n{name}={setting.compose}\n")
    return "\n" + "\n".join(lines) + "\n"


def page_lines(readers: str) -> str:
    """A table for one kind of readers."""
    rows = ["| setting | meaning | default |", "|---|---|---|"]
    for name, setting in TABLE.items():
        if setting.readers == readers:
            rows.append(f"| `{name}` | {setting.description} | {shown_default(setting)} |")
    return "\n".join(rows) + "\n"


def shown_default(setting: Setting) -> str:
    """The default as a reader looks for it: megabytes instead of bytes, `none` for an empty list."""
    default = setting.type.load_default
    if setting.shown:
        return setting.shown
    if default is None or default == ():
        return "none"
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int) and default >= MIB and default % MIB == 0:
        return f"{default // MIB} MiB"
    return f"{default:,}" if isinstance(default, int) and default >= 10_000 else f"`{default}`"


# The files and, for each pair of marks in them, what stands between. A mark is a line of its own.
WRITTEN: dict[str, dict[tuple[str, str], Callable[[], str]]] = {
    "docker-compose.yml": {("    # Written by make settings.\n", "    # End of make settings.\n"): compose_lines},
    ".env.example": {("# Written by make settings.\n", "# End of make settings.\n"): example_lines},
    PAGE: {(f"<!-- settings: {readers} -->\n", "<!-- end -->\n"): partial(page_lines, readers) for readers in READERS},
}


def updated(name: str, text: str) -> str:
    """The text of a file with the table's lines between its marks.

    Raises:
        ValueError: the file lacks a mark.
    """
    for (start, end), lines in WRITTEN[name].items():
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{name} lacks the lines {start!r} and {end!r}")
        text = before + start + lines() + end + after
    return text


def _passed_on() -> dict[str, Setting]:
    return {name: setting for name, setting in TABLE.items() if setting.compose is not None}


def main(*, check: bool) -> int:
    """Write every file or, with `check`, name those that are out of date."""
    stale = [name for name in WRITTEN if updated(name, (ROOT / name).read_text()) != (ROOT / name).read_text()]
    for name in stale:
        print(f"settings: {name} {'is out of date: run make settings' if check else 'is written'}.")
        if not check:
            (ROOT / name).write_text(updated(name, (ROOT / name).read_text()))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
