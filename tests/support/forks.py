"""Calls in a forked child, which never runs the rest of the parent's test session."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any


def in_child(call: Callable[[], Any]) -> int:
    """The status with which a forked child ends: 0 if the call succeeds, else 1."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call()
            status = 0
        except BaseException:  # noqa: BLE001 - as an interpreter does
            traceback.print_exc()
        finally:
            os._exit(status)  # also after an exception, which would lead to the next test
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
