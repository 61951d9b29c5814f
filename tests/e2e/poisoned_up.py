"""`imgproc up` whose processes die or hang of what is poisoned, and are replaced soon: `running_stack(up=POISONED)`.

A picture that contains `POISON=<name>` kills or hangs the process that opens it. The name of a signal kills it: SIGSEGV
stands for a crash in a decoder, SIGKILL for exhausted memory; no handler sees either. The other names hang it inside a
C call that holds the GIL, so that none of its threads can run: SPIN computes, like a pattern of exponential cost, and
SLEEP waits, like a library in a deadlock.

A product named POISON_PLAN kills the process that plans it, a product named POISON_FINALIZE the process that writes it
to the output CSV, and a webhook to /POISON_DELIVER the process that sends it. A file with a column POISON_SCAN hangs
the web process that reads it.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
from typing import Any, cast

from PIL.ImageFile import ImageFile

from imgproc.cli import main as cli
from imgproc.embedded import supervisor
from imgproc.journey import accept, jobs, output_files, plan
from imgproc.worker import watchdog

POISONED = "tests.e2e.poisoned_up"
PATIENCE = 3.0  # seconds until a worker counts as stuck, unless leases are longer
WEB_PATIENCE = "8"  # the same of a web process: gunicorn waits for 30 s


def _die(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])


def _hang(name: str) -> None:
    if name == "SPIN":
        re.match("(a|a)+$", "a" * 64 + "b")
    else:
        ctypes.PyDLL(None).sleep(600)


def _poison_pictures() -> None:
    open_ = ImageFile.__init__

    def open_or_die(self: ImageFile, fp: Any, *arguments: Any, **options: Any) -> None:
        found = re.search(rb"POISON=(SIG[A-Z]+|SPIN|SLEEP)", fp.read())
        if found:
            name = found[1].decode()
            (_die if name.startswith("SIG") else _hang)(name)
        fp.seek(0)
        open_(self, fp, *arguments, **options)

    ImageFile.__init__ = open_or_die  # type: ignore[method-assign]  # a decoder that dies


def _poison_jobs() -> None:
    def deadly(function: Any, word: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if word in repr((arguments, options)):
                _die("SIGKILL")
            return function(*arguments, **options)

        return call

    plan._planned = deadly(plan._planned, "POISON_PLAN")
    cast("Any", output_files).FileRow = deadly(output_files.FileRow, "POISON_FINALIZE")
    jobs.attempt = deadly(jobs.attempt, "POISON_DELIVER")
    jobs.SENDING_SECONDS = 2.0


def _poison_web() -> None:
    scan_csv = accept.scan_csv

    def scan_or_hang(reading: Any, *arguments: Any, **options: Any) -> Any:
        if "POISON_SCAN" in repr(reading):
            _hang("SLEEP")
        return scan_csv(reading, *arguments, **options)

    accept.scan_csv = scan_or_hang


def _hurry() -> None:
    """Notice stuck processes and start ended ones sooner."""
    watchdog.LEAST_PATIENCE = PATIENCE
    os.environ["GUNICORN_CMD_ARGS"] = f"--timeout {WEB_PATIENCE}"
    supervisor.LAST_RESTART_SECONDS = supervisor.FIRST_RESTART_SECONDS


if __name__ == "__main__":  # the other processes are forked from this one
    _poison_pictures()
    _poison_jobs()
    _poison_web()
    _hurry()
    cli.main(["up"])
