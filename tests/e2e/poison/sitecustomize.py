"""With this folder on PYTHONPATH, a picture that contains `POISON=<name>` kills or hangs the process that opens it.

The name of a signal kills the process: SIGSEGV stands for a crash in a decoder, SIGKILL for exhausted memory; no
handler sees either. The other names hang it inside a C call that holds the GIL, so that none of its threads can run:
SPIN computes, like a pattern of exponential cost, and SLEEP waits, like a library in a deadlock.

In the workers, a product named POISON_PLAN kills the process that plans it, a product named POISON_FINALIZE the process
that writes it to the output CSV, and a webhook to /POISON_DELIVER the process that sends it. A file with a column
POISON_SCAN hangs the web process that reads it.
"""

import ctypes
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parent.parent.parent.parent


def _die(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])


def _hang(name: str) -> None:
    if name == "SPIN":
        re.match("(a|a)+$", "a" * 64 + "b")
    else:
        ctypes.PyDLL(None).sleep(600)


def _poison_pictures() -> None:
    from PIL.ImageFile import ImageFile  # noqa: PLC0415 - as below

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
    sys.path.insert(0, str(ROOT))
    from imgproc.journey import jobs, output_files, plan  # noqa: PLC0415 - every Python process imports this file

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
    sys.path.insert(0, str(ROOT))
    from imgproc.journey import accept  # noqa: PLC0415 - as above

    scan_csv = accept.scan_csv

    def scan_or_hang(reading: Any, *arguments: Any, **options: Any) -> Any:
        if "POISON_SCAN" in repr(reading):
            _hang("SLEEP")
        return scan_csv(reading, *arguments, **options)

    accept.scan_csv = scan_or_hang


_poison_pictures()
if sys.orig_argv[-2:] == ["imgproc", "up"]:  # the other processes are forked from this one
    _poison_jobs()
    _poison_web()
