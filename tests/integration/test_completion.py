"""The completion of commands in each shell. A shell that is not installed is skipped."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imgproc.core.config import UNSET_SETTINGS
from tests.support import preloaded
from tests.support.stack import ROOT
from tests.support.terminals import open_terminal

IMGPROC = [sys.executable, "-m", "imgproc"]
ZSH = """autoload -Uz compinit && compinit -u -D; eval "$(imgproc completion zsh)"; echo lo''aded"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment without any setting, whose PATH has the command `imgproc`."""
    command = tmp_path / "imgproc"
    command.write_text(f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {shlex.join(IMGPROC)} "$@"\n')
    command.chmod(0o700)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **UNSET_SETTINGS, "PATH": path, "HOME": str(tmp_path)}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_a_script_for_each_shell(environ: dict[str, str], shell: str) -> None:
    """The script asks the command for what it completes."""
    script = preloaded.run(["-m", "imgproc", "completion", shell], environ=environ).stdout
    assert f"_IMGPROC_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("imgproc de", {"delete", "deliveries", "demo"}, id="commands"),
        pytest.param("imgproc submit --invalid-r", {"--invalid-rows"}, id="options"),
        pytest.param("imgproc submit --format w", {"webp"}, id="values of an upload option"),
        pytest.param("imgproc list --status comp", {"completed", "completed_with_errors"}, id="statuses"),
    ],
)
def test_bash_completes(environ: dict[str, str], words: str, expected: set[str]) -> None:
    """The test asks as the script of `completion bash` does."""
    given = {**environ, "COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_IMGPROC_COMPLETE": "bash_complete"}
    done = subprocess.run(IMGPROC, env=given, cwd=ROOT, capture_output=True, text=True, check=False)
    completed = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert completed == expected


@pytest.mark.parametrize(
    ("command", "script", "said"),
    [
        pytest.param(
            ["bash", "-c"],
            'eval "$(imgproc completion bash)"; COMP_WORDS=(imgproc redel); COMP_CWORD=1;'
            ' _imgproc_completion imgproc; echo "${COMPREPLY[@]}"',
            "redeliver",
            id="bash",
        ),
        pytest.param(
            ["fish", "-c"],
            'imgproc completion fish | source; complete -C "imgproc redel"',
            "redeliver\tSend a webhook again.",
            id="fish",
        ),
    ],
)
def test_the_script_completes(environ: dict[str, str], command: list[str], script: str, said: str) -> None:
    """A shell that has read it completes the word before the cursor."""
    _require(command[0])
    done = subprocess.run([*command, script], env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


def test_the_script_completes_in_zsh(environ: dict[str, str]) -> None:
    """zsh completes on a terminal alone, when the tabulator is pressed."""
    _require("zsh")
    shell = open_terminal(["zsh", "-f", "-i"], environ=environ)
    shell.type(f"{ZSH}\n")
    assert "loaded\r\n" in shell.read_until("loaded\r\n")
    shell.type("imgproc redel\t")
    assert "imgproc redeliver" in shell.read_until("imgproc redeliver")
    shell.process.kill()
    shell.finish()


def _require(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
