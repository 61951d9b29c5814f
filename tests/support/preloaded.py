"""Starts our own processes as `python ...` does, but forked from a process that has imported our code already.

What depends on the start of an interpreter needs a real one: `subprocess`.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
_lock = threading.Lock()


class PreloadedProcess:
    """A process of the fork server. Its methods are those of `subprocess.Popen`."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended  # says the exit status once

    def poll(self) -> int | None:
        """The exit status, or minus the number of the signal that ended it; None while it runs."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, at most `timeout` seconds."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def _status(self, timeout: float | None) -> int | None:
        poll = select.poll()  # not select(), which refuses the high numbers of a process with many connections
        poll.register(self._ended, select.POLLIN)
        if self.returncode is None and poll.poll(None if timeout is None else timeout * 1000):
            said = os.read(self._ended, 16)
            os.close(self._ended)
            self.returncode = int(said or -signal.SIGKILL)  # without a word where the server has ended
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and the server has not said so yet
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes] | None = None,
    folder: Path = ROOT,
    network: Path | None = None,
) -> PreloadedProcess:
    """Start `python` with these `arguments`, a module or a script, and nothing but `environ` in its environment.

    `errors` go to `output` where no other file is given; `network` is a network namespace to run in.
    """
    request = {
        "arguments": arguments,
        "environ": dict(environ),
        "folder": str(folder),
        "network": network and str(network),
    }
    ended, report = os.pipe()
    try:
        with _lock:
            files = [output.fileno(), (errors or output).fileno(), report]
            socket.send_fds(_server(), [json.dumps(request).encode()], files)
            return PreloadedProcess(int(_server().recv(16)), ended)
    finally:
        os.close(report)


def run(
    arguments: Sequence[str], *, environ: Mapping[str, str], network: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python` with these arguments to its end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        status = start(arguments, environ=environ, output=output, errors=errors, network=network).wait()
        said = [_text(file) for file in (output, errors)]
    return subprocess.CompletedProcess(arguments, status, *said)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@functools.cache
def _server() -> socket.socket:
    """The fork server of this process; it ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(_stop, ours, process)
    return ours


def _stop(ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
    ours.close()
    process.wait()
