"""The command that prints what a shell needs to complete our commands, options and values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_IMGPROC_COMPLETE"  # as click asks for it


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion for SHELL.

    \b
    bash: put  eval "$(imgproc completion bash)"  into ~/.bashrc
    zsh:  put  eval "$(imgproc completion zsh)"  into ~/.zshrc, below compinit
    fish: run  imgproc completion fish > ~/.config/fish/completions/imgproc.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - click knows these shells
    click.echo(made(context.find_root().command, {}, "imgproc", VARIABLE).source())
