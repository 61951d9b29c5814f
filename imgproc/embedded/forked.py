"""A child that runs a Python module in a fork of this process: it imports nothing again and shares our memory.

Fork only where one thread runs: a lock that another thread holds at the fork is never released in the child.
"""

from __future__ import annotations

import gc
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from imgproc.core.process import accept_stop_signals, delayed_stop_signals, die_with_parent, show_command

POLL_SECONDS = 0.02


class ForkedProcess:
    """A forked child. Its methods are those of `subprocess.Popen` that the supervisor uses."""

    def __init__(
        self,
        module: Sequence[str],
        *,
        environ: Mapping[str, str],
        folder: Path | None = None,
        log_file: Path | None = None,
        main: Callable[[], object] | None = None,
    ) -> None:
        """Start `python -m` in a session of its own. `module` is a name and its arguments.

        With `main` the child calls that function of ours instead of running the module, and finds in memory what its
        parent made for it.
        """
        parent = os.getpid()
        sys.stdout.flush()  # else the child would write what is in these buffers again
        sys.stderr.flush()
        gc.freeze()  # A collection in the child would write to every object, and so copy the pages of all.
        with delayed_stop_signals():
            self.pid = os.fork()
            if not self.pid:
                _become(partial(run, module, main=main), parent, environ, folder, log_file)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, or minus the number of the signal that ended it; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(POLL_SECONDS)
        return status

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _become(
    main: Callable[[], int], parent: int, environ: Mapping[str, str], folder: Path | None, log_file: Path | None
) -> None:
    """Turn the forked child into what an interpreter of its own would be. Does not return."""
    status = 1
    try:
        os.setsid()
        die_with_parent()
        if os.getppid() == parent:
            output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666) if log_file else 1
            prepare(environ=environ, folder=folder, outputs=(output, output if log_file else 2))
            status = main()
    except OSError:
        traceback.print_exc()
    finally:
        os._exit(status)


def prepare(*, environ: Mapping[str, str], folder: Path | None, outputs: tuple[int, int]) -> None:
    """Give this forked process its environment, its folder, `outputs` as stdout and stderr, and default signals."""
    os.environ.update(environ)
    os.chdir(folder or ".")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # locks and sockets of the parent, which exec would close
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    accept_stop_signals()


def run(module: Sequence[str], *, main: Callable[[], object] | None = None) -> int:
    """Run `python -m`, or `main` as if it were that, in this process, and return its exit status."""
    show_command(["python", "-m", *module])
    sys.argv[1:] = module[1:]
    return exit_status(main or partial(runpy.run_module, module[0], run_name="__main__", alter_sys=True))


def exit_status(main: Callable[[], object]) -> int:
    """The status that an interpreter would exit with after `main`; what it would print is printed."""
    status = 1
    try:
        main()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
