"""The options of the commands that send a file. They follow from the schema of the upload: see upload_options.json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

TABLE: list[dict[str, Any]] = json.loads(Path(__file__).with_name("upload_options.json").read_text())
Command = Callable[..., Any]


class _Value(click.ParamType[str]):
    """Any text: the API judges it, in its own words. The shell completes the values that are known."""

    def __init__(self, name: str, choices: list[str]) -> None:
        self.name, self.choices = name, choices

    def shell_complete(
        self, _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The values that begin with `incomplete`."""
        return [CompletionItem(each) for each in self.choices if each.startswith(incomplete)]


def upload_options(command: Command) -> Command:
    """Add every option of the upload. The command gets them as keyword arguments, in snake case."""
    for option in reversed(TABLE):
        command = _option(option)(command)
    return command


def _option(option: dict[str, Any]) -> Callable[[Command], Command]:
    flag = re.sub(r"([A-Z])", lambda found: f"-{found[1].lower()}", option["part"])
    if option["switch"]:
        return click.option(f"--{flag}/--no-{flag}", default=None, help=option["help"])
    metavar = "|".join(option["choices"]) or ("NUMBER" if option["number"] else "TEXT")
    return click.option(f"--{flag}", type=_Value(metavar, option["choices"]), metavar=metavar, help=option["help"])
