"""The command line: the group of all commands, and what is common to them."""

from __future__ import annotations

import importlib
import io
import sys
from dataclasses import asdict
from difflib import get_close_matches
from typing import IO, Any

import click
from click.shell_completion import CompletionItem

from imgproc import __version__
from imgproc.cli.server_options import INTERRUPTED, JSON_WANTED
from imgproc.client import ApiError
from imgproc.client.api_errors import UNREACHABLE, is_outage
from imgproc.core.config import EXIT_STATUS, ConfigError
from imgproc.core.errors import InfrastructureError, QueueUnavailable, StorageUnavailable
from imgproc.core.redaction import redact
from imgproc.core.terminal import printable, printable_json, printable_lines
from imgproc.embedded.ports import EmbeddedError
from imgproc.embedded.supervisor import ServiceFailed

UNAUTHORIZED, FORBIDDEN = 401, 403
AWAY, KEY_REFUSED = 3, 4  # exit statuses; that of a wrong setting is EXIT_STATUS
MODULES = {
    "up": "stack_commands",
    "demo": "stack_commands",
    "submit": "upload_commands",
    "validate": "upload_commands",
    "status": "request_commands",
    "list": "request_commands",
    "products": "request_commands",
    "download": "result_commands",
    "retry": "request_commands",
    "cancel": "request_commands",
    "delete": "request_commands",
    "deliveries": "delivery_commands",
    "redeliver": "delivery_commands",
    "webhook-test": "delivery_commands",
    "keys": "key_commands",
    "init": "setup_commands",
    "check": "setup_commands",
    "orphans": "setup_commands",
    "worker": "process_commands",
    "pause": "process_commands",
    "resume": "process_commands",
    "sweep": "process_commands",
    "completion": "completion_commands",
}
# Shown in a list of commands and by completion, which import no module.
HELP = {
    "up": "Start the whole stack and stay in the foreground.",
    "demo": "Show the whole journey on a stack of its own.",
    "submit": "Upload a file, and wait for its output if you like.",
    "validate": "Show how a file would be read, and its errors.",
    "status": "Show how far a request is.",
    "list": "List your requests.",
    "products": "List the products and images of a request.",
    "download": "Save the output file of a request.",
    "retry": "Process the failed images of a request again.",
    "cancel": "Cancel what has not started.",
    "delete": "Delete a request with its images.",
    "deliveries": "List the webhooks of a request.",
    "redeliver": "Send a webhook again.",
    "webhook-test": "Send a test to the receiver of webhooks.",
    "keys": "Create, list and revoke API keys.",
    "init": "Prepare the database and the buckets.",
    "check": "Check what is configured, and what is wrong.",
    "orphans": "List objects that belong to no request.",
    "worker": "Run a pool of worker processes.",
    "pause": "Let workers take no further jobs.",
    "resume": "Let paused workers go on.",
    "sweep": "Repair what a crash left undone.",
    "completion": "Print the completion for a shell.",
}


class _Failure(click.ClickException):
    """Our error with its exit status; as JSON where that is wanted, with the code of the API."""

    def __init__(self, error: Exception | str, *, exit_code: int = 1, as_json: bool = False) -> None:
        super().__init__(printable_lines(redact(str(error))))
        vars(self)["exit_code"] = exit_code  # click declares it for the class
        self._problem = _problem(error) if as_json and isinstance(error, ApiError) else None

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to standard error."""
        if self._problem:
            click.echo(printable_json(self._problem), err=True)
        else:
            super().show(file)


def _problem(error: ApiError) -> dict[str, Any]:
    errors = [{name: value for name, value in asdict(fault).items() if value is not None} for fault in error.errors]
    return {"code": error.code, "status": error.status, "detail": redact(error.detail), "errors": errors}


class _Commands(click.Group):
    """Imports the module of a command when the command is used: `status` does not wait for the frameworks of `up`.

    Errors of ours become one message without a traceback.
    """

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line. What the terminal's encoding lacks is written as `\\u1234`."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*arguments, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands, in the order of MODULES."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """A command by its name."""
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"imgproc.cli.{MODULES[cmd_name]}")
        commands = (each for each in vars(module).values() if isinstance(each, click.Command))
        return next(each for each in commands if each.name == cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that was named; for one that does not exist, the error has the nearest name."""
        close = get_close_matches(args[0], MODULES, n=1)
        if close and args[0] not in MODULES and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {printable(args[0])}. Did you mean {close[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands that begin with `incomplete`; else the options of `imgproc` itself."""
        names = [name for name in MODULES if name.startswith(incomplete)]
        found = [CompletionItem(name, help=HELP[name]) for name in names]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A failure of ours ends with the documented exit status."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise _Failure(error, exit_code=EXIT_STATUS) from error
        except ApiError as error:
            status = KEY_REFUSED if error.status in {UNAUTHORIZED, FORBIDDEN} else AWAY if is_outage(error) else 1
            as_json = bool(ctx.meta.get(JSON_WANTED))
            raise _Failure(_with_remedy(error), exit_code=status, as_json=as_json) from error
        except (QueueUnavailable, StorageUnavailable) as error:
            raise _Failure(f"{error} imgproc check says what is wrong.") from error
        except (EmbeddedError, ServiceFailed, InfrastructureError) as error:
            raise _Failure(error) from error
        except (KeyboardInterrupt, click.Abort) as error:
            if isinstance(error, click.Abort) and not isinstance(error.__context__, KeyboardInterrupt):
                raise  # the answer to a question was no, or the input has ended
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


def _with_remedy(error: ApiError) -> ApiError:
    """The error, with what to do on this command line where the API and the client cannot know it."""
    if error.status == UNAUTHORIZED:
        error.detail += " Here, set IMGPROC_API_KEY, or give --key."
    if error.code == UNREACHABLE:
        error.detail += " Start it with imgproc up, or give its address in IMGPROC_URL or --url."
    return error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="imgproc", message="%(prog)s %(version)s")
def main() -> None:
    """CSV of product image URLs in, the same CSV with public URLs of compressed images out."""
