"""The calls that a job in Redis may hold: four functions of `imgproc.journey.jobs`, with ids as their arguments.

The names, the job ids and the stored form must stay as they are: a queue may hold jobs of an older version.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

MODULE = "imgproc.journey.jobs"
MAX_CALL_BYTES = 1024  # of a stored call; ours have about 110


class JobName(str, Enum):
    """The functions that workers run, in the order of the journey."""

    PLAN = "plan"
    PROCESS_PRODUCT = "process_product"
    FINALIZE = "finalize"
    DELIVER = "deliver"

    @property
    def path(self) -> str:
        """The dotted path of the function, as RQ stores it."""
        return f"{MODULE}.{self.value}"


class ForbiddenJob(Exception):
    """A job in Redis is not a call of one of the four functions."""


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _is_product_id(value: object) -> bool:
    return type(value) is int and 0 < value < 2**63


def _is_epoch(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


ARGUMENTS: dict[JobName, tuple[Callable[[object], bool], ...]] = {
    JobName.PLAN: (_is_id,),
    JobName.PROCESS_PRODUCT: (_is_product_id,),
    JobName.FINALIZE: (_is_id, _is_epoch),
    JobName.DELIVER: (_is_id,),
}
BY_PATH = {name.path: name for name in JobName}


def job_id(name: JobName, arguments: Sequence[Any]) -> str:
    """The id of a job. The same work always has the same id, so that the sweeper can see whether it is queued."""
    return "-".join((name.value, *map(str, arguments)))


def read_call(stored: bytes) -> tuple[JobName, list[Any]]:
    """The name and the arguments of a stored call.

    Raises:
        ForbiddenJob: it does not call one of the four functions with arguments of the right types.
    """
    try:
        text = zlib.decompressobj().decompress(stored, MAX_CALL_BYTES)  # a longer call is cut, and then is not JSON
        function, instance, arguments, keywords = json.loads(text)
        name = BY_PATH[function]
    except (zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ForbiddenJob(f"The record holds no call of ours: {type(error).__name__}.") from error
    if instance is not None or keywords or not _fits(name, arguments):
        raise ForbiddenJob(f"The arguments of {function} are not those that it takes.")
    return name, arguments


def _fits(name: JobName, arguments: object) -> bool:
    checks = ARGUMENTS[name]
    if not isinstance(arguments, list) or len(arguments) != len(checks):
        return False
    return all(check(argument) for check, argument in zip(checks, arguments, strict=True))
