"""With this folder on PYTHONPATH a picture that holds `POISON=<signal>` kills whoever opens it.

SIGSEGV stands for a crash in a decoder, SIGKILL for memory exhausted. No handler sees either.
"""

import os
import re
import signal
from typing import Any

from PIL.ImageFile import ImageFile

_open = ImageFile.__init__


def _open_or_die(self: ImageFile, fp: Any, *arguments: Any, **options: Any) -> None:
    found = re.search(rb"POISON=(SIG[A-Z]+)", fp.read())
    if found:
        os.kill(os.getpid(), signal.Signals[found[1].decode()])
    fp.seek(0)
    _open(self, fp, *arguments, **options)


ImageFile.__init__ = _open_or_die
