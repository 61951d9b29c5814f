"""The command line: the group of all commands, and what is common to them."""

from __future__ import annotations

import importlib
from typing import Any

import click

from imgproc import __version__
from imgproc.client import ApiError
from imgproc.core.config import EXIT_STATUS, ConfigError
from imgproc.core.redaction import redact
from imgproc.core.terminal import printable_lines
from imgproc.embedded.ports import EmbeddedError
from imgproc.embedded.supervisor import ServiceFailed

MODULES = {
    "up": "stack_commands",
    "demo": "stack_commands",
    "worker": "process_commands",
    "sweep": "process_commands",
    "submit": "request_commands",
    "status": "request_commands",
    "keys": "key_commands",
}


class _WrongSetting(click.ClickException):
    exit_code = EXIT_STATUS


class _Commands(click.Group):
    """Imports the module of a command when the command is used: `submit` does not wait for the frameworks of `up`.

    Errors of ours become one message without a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands, in the order of MODULES."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """A command by its name."""
        if cmd_name not in MODULES:
            return None
        command: click.Command = getattr(importlib.import_module(f"imgproc.cli.{MODULES[cmd_name]}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a wrong setting exits with status 2, another error of ours with 1."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise _WrongSetting(printable_lines(redact(str(error)))) from error
        except (EmbeddedError, ServiceFailed, ApiError) as error:
            raise click.ClickException(printable_lines(redact(str(error)))) from error


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="imgproc", message="%(prog)s %(version)s")
def main() -> None:
    """CSV of product image URLs in, the same CSV with public URLs of compressed images out."""
