"""Runs the command line, or a shell, on a terminal of its own, as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
HIDDEN = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}


@dataclass
class Terminal:
    """A running command, and what its terminal has shown."""

    process: subprocess.Popen[bytes]
    screen: int
    shown: str = field(default="")

    def read_until(self, text: str) -> str:
        """What is shown up to `text`, or to the end where that does not appear."""
        while text not in self.shown and (piece := self._read()):
            self.shown += piece
        return self.shown

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self.screen, text.encode())

    def finish(self) -> tuple[int, str]:
        """The exit status, and everything shown."""
        while piece := self._read():
            self.shown += piece
        os.close(self.screen)
        return self.process.wait(), self.shown.replace("\r\n", "\n")

    def _read(self) -> str:
        with suppress(OSError):  # Linux has an error for the end of a terminal
            return os.read(self.screen, 65536).decode(errors="replace")
        return ""


def start_on_terminal(*arguments: str, environ: Mapping[str, str], columns: int = 100, term: str = "xterm") -> Terminal:
    """Start `imgproc` with a terminal as its input and outputs."""
    return open_terminal([sys.executable, "-m", "imgproc", *arguments], environ=environ, columns=columns, term=term)


def open_terminal(
    command: Sequence[str], *, environ: Mapping[str, str], columns: int = 100, term: str = "xterm"
) -> Terminal:
    """Start a command with a terminal as its input and outputs."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    given = {name: value for name, value in environ.items() if name not in HIDDEN} | {"TERM": term}
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=given,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
    finally:
        os.close(terminal)
    return Terminal(process, screen)
