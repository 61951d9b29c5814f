"""Write docs/reference/cli.md from the commands themselves and the Makefile: `python -m scripts.cli_reference`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from imgproc.cli.main import main as imgproc

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"
TARGET = re.compile(r"^([a-z-]+):.*?## (.*)$", re.MULTILINE)
HEAD = """\
# Command line

`make pages` writes this page from the commands themselves.

From a clone, `make up` and `make demo` set everything up. The other commands run as
`.venv/bin/python -m imgproc COMMAND`, or as `imgproc COMMAND` where imgproc is installed. They read the
[settings](settings.md) from the environment. `DATA_DIR/embedded.env` tells them how to reach a running embedded stack.

| exit status | meaning |
|---|---|
| 0 | it worked |
| 1 | it failed, or a request that was waited for did not end `completed`; the reason is on standard error |
| 2 | wrong usage, or a setting that cannot be used |
"""


def page() -> str:
    """The page's text."""
    makefile = (ROOT / "Makefile").read_text()
    targets = [f"| `make {name}` | {text} |" for name, text in TARGET.findall(makefile)]
    parts = [HEAD, "## imgproc", *_sections(imgproc, "imgproc")]
    parts += ["## make", "\n".join(["| command | does |", "|---|---|", *targets])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _sections(command: click.Command, path: str) -> Iterator[str]:
    """What a command does, its usage and its options; then its subcommands."""
    context = click.Context(command, info_name=path)
    yield _prose(command.help or "")
    if not isinstance(command, click.Group):
        yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```"
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if options:
        yield "\n".join(["| option | meaning |", "|---|---|", *map(_option, options)])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if subcommand := command.get_command(context, name):
                yield f"### {path} {name}"
                yield from _sections(subcommand, f"{path} {name}")


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    default = f" Default: `{option.default}`." if option.show_default else ""
    return f"| {names} | {_prose(option.help or '')}{default} |"


def _prose(text: str) -> str:
    """Paragraphs as single lines."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.replace("\b", "").split("\n\n"))


if __name__ == "__main__":
    PAGE.write_text(page())
