"""Results as Markdown, and as JSON with the versions and the machine."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PIL import features

FOLDER = Path(__file__).parent / "results"
PACKAGES = (
    "pillow", "simplejpeg", "pyvips-binary", "boto3", "obstore", "requests", "urllib3", "rq", "redis", "sqlalchemy",
)  # fmt: skip
TOOLS = ("magick", "convert", "vipsthumbnail", "curl", "node")
MEMORY = "/dev/shm"
CODECS = ("libjpeg_turbo", "zlib", "webp", "avif")


@dataclass(frozen=True)
class Table:
    """One table of results: title, columns, rows and notes."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    notes: Sequence[str] = ()


def save(name: str, table: Table) -> str:
    """Write `name`.json and `name`.md; return the Markdown."""
    FOLDER.mkdir(exist_ok=True)
    record = {"measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **setting(), **asdict(table)}
    (FOLDER / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    text = markdown(table)
    (FOLDER / f"{name}.md").write_text(text)
    return text


def setting() -> dict[str, object]:
    """The versions and the machine that the ratios hold for."""
    return {
        "python": platform.python_version(),
        "python_is_optimized": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "files_in_memory": tempfile.gettempdir() == MEMORY,
        "packages": {name: _version(name) for name in PACKAGES},
        "tools": {name: _tool(name) for name in TOOLS},
        "codecs": {name: features.version(name) for name in CODECS},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _tool(program: str) -> str | None:
    """The first line of `program --version`; peers from pip and npm are pinned in their own files."""
    found = shutil.which(program)
    if found is None:
        return None
    said = subprocess.run([found, "--version"], check=False, capture_output=True, text=True).stdout
    return said.partition("\n")[0]


def markdown(table: Table) -> str:
    """The table as Markdown, with numbers rounded to significant digits."""
    lines = [f"## {table.title}", "", _row(table.columns), _row(["---"] * len(table.columns))]
    lines += [_row([cell if isinstance(cell, str) else _digits(cell) for cell in row]) for row in table.rows]
    lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _digits(number: float) -> str:
    if isinstance(number, int) or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"
