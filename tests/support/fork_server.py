"""A process that has imported our code, and forks the processes that tests start: `tests.support.preloaded` asks it.

An interpreter of its own needs 1.5 s of CPU before it runs a line of ours; a fork needs none. A forked process has its
own environment, folder, output, session, signals and command line, as one that was executed has.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from imgproc.core.process import die_with_parent, show_command
from imgproc.embedded.forked import exit_status, prepare, run

# What our processes import. Not those that read the environment or change the code when they are imported.
PRELOADED = (
    "gunicorn.app.wsgiapp",
    "gunicorn.arbiter",
    "imgproc.cli.key_commands",
    "imgproc.cli.process_commands",
    "imgproc.cli.delivery_commands",
    "imgproc.cli.request_commands",
    "imgproc.cli.setup_commands",
    "imgproc.cli.stack_commands",
    "imgproc.cli.upload_commands",
    "imgproc.server.gunicorn_worker",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "tests.chaos.mutations",
    "tests.chaos.traps",
    "time_machine",
)
LONGEST_REQUEST = 1 << 20  # bytes


def serve(control: socket.socket) -> None:
    """Fork a process for each request, and report the end of each, until the other end of `control` is closed."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    running: dict[int, int] = {}  # where to report the end, by the process
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 1000)
        _report_ended(running)
        if control.fileno() in ready:
            message, files, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 3)
            if not message:
                return  # the kernel kills what still runs
            pid = _fork(json.loads(message), files)
            running[pid] = files[2]
            os.close(files[0])
            os.close(files[1])
            control.send(str(pid).encode())


def _report_ended(running: dict[int, int]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            report = running.pop(pid)
            os.write(report, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(report)


def _fork(request: dict[str, Any], files: list[int]) -> int:
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        die_with_parent()
        if os.getppid() == parent:
            status = _become(request, (files[0], files[1]))
    finally:
        os._exit(status)


def _become(request: dict[str, Any], outputs: tuple[int, int]) -> int:
    if request["network"]:
        _join(request["network"])
    os.environ.clear()
    prepare(environ=request["environ"], folder=request["folder"], outputs=outputs)
    time.tzset()
    first, *others = request["arguments"]
    if first == "-m":
        return run(others)
    show_command(["python", first, *others])
    sys.argv = [first, *others]
    return exit_status(lambda: runpy.run_path(first, run_name="__main__"))


def _join(network: str) -> None:
    """Move this process to the network namespace at this path."""
    with Path(network).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0):
            raise OSError(ctypes.get_errno(), f"cannot join {network}")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
