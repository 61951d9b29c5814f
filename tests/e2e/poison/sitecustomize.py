"""With this folder on PYTHONPATH a picture that holds `POISON=<name>` ends or hangs whoever opens it.

A signal's name ends the process: SIGSEGV stands for a crash in a decoder, SIGKILL for memory exhausted; no handler sees
either. The others hang it inside a C call that holds the GIL, so that no thread of its own goes on: SPIN computes, as a
pattern of exponential cost does, and SLEEP waits, as a library does that has deadlocked.

`POISON_PLAN`, `POISON_FINALIZE` and `POISON_DELIVER` name a signal that ends whoever does that.
"""

import ctypes
import importlib
import os
import re
import signal
import sys
from typing import Any

FATAL = {"POISON_PLAN": "requests.add_products", "POISON_FINALIZE": "finalization.complete"}


def _die(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])


def _hang(name: str) -> None:
    if name == "SPIN":
        re.match("(a|a)+$", "a" * 64 + "b")
    else:
        ctypes.PyDLL(None).sleep(600)


def _poison_pictures() -> None:
    from PIL.ImageFile import ImageFile

    open_ = ImageFile.__init__

    def open_or_die(self: ImageFile, fp: Any, *arguments: Any, **options: Any) -> None:
        found = re.search(rb"POISON=(SIG[A-Z]+|SPIN|SLEEP)", fp.read())
        if found:
            name = found[1].decode()
            (_die if name.startswith("SIG") else _hang)(name)
        fp.seek(0)
        open_(self, fp, *arguments, **options)

    ImageFile.__init__ = open_or_die


_poison_pictures()
