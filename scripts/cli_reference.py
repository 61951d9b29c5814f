"""Write docs/reference/cli.md from the commands themselves and the Makefile: `python -m scripts.cli_reference`.

It first writes the options of the upload, which the commands take from a file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from imgproc.cli.main import main as imgproc
from scripts import upload_options

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"
TARGET = re.compile(r"^([a-z-]+):.*?## (.*)$", re.MULTILINE)
HEAD = """\
# Command line

`make pages` writes this page from the commands themselves.

From a clone, `make up` and `make demo` set everything up. The other commands run as
`.venv/bin/python -m imgproc COMMAND`, or as `imgproc COMMAND` where imgproc is installed. They read the
[settings](settings.md) from the environment. `DATA_DIR/embedded.env` tells them how to reach a running embedded stack.

The commands that call the API go to `IMGPROC_URL` with the key `IMGPROC_API_KEY`. Results are on standard output;
progress, remarks and errors are on standard error. Lists are aligned on a terminal; elsewhere they are whole, separated
by tabs and without headings. `--json` prints the JSON of the API, and an error of the API as an object with `code`,
`status`, `detail` and `errors`; an error of this machine, such as a file that exists, is a line of text. Where the
reader of a pipe has gone, as after `| head`, a command ends with status 1 and no word. An upload that is cut off is
sent again under the same `Idempotency-Key`: it makes one request.

| exit status | meaning |
|---|---|
| 0 | it worked |
| 1 | it failed, and the reason is on standard error; or a request that was waited for ended `failed` or `cancelled` |
| 2 | wrong usage, or a setting that cannot be used |
| 3 | imgproc does not answer at this address, or is too busy; try again later |
| 4 | an API key is needed, or the one given is not accepted |
| 5 | a request that was waited for ended `completed_with_errors`: some of its images failed |
| 130 | interrupted by Ctrl-C; a request that was waited for goes on |

## Completion

```sh
eval "$(imgproc completion bash)"
```

The line belongs into `~/.bashrc`. `imgproc completion zsh` and `imgproc completion fish` are for the other shells; see
[below](#imgproc-completion).
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
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    default = f" Default: `{option.default}`." if option.show_default else ""
    return f"| {names} | {_prose(option.help or '')}{default} |"


def _prose(text: str) -> str:
    """Paragraphs as single lines; one that click does not wrap stays as it is."""
    return "\n\n".join(_paragraph(each) for each in inspect.cleandoc(text).split("\n\n"))


def _paragraph(text: str) -> str:
    if text.startswith("\b\n"):
        return f"```text\n{text[2:]}\n```"
    return " ".join(text.split())


if __name__ == "__main__":
    upload_options.FILE.write_text(upload_options.text())
    PAGE.write_text(page())
