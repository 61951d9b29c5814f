"""Builds the typed values of `answers` from JSON: unknown members are left out, missing ones take their default."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

Kind = TypeVar("Kind")
Reader = Callable[[Any], Any]


def read(kind: type[Kind], given: Any) -> Kind:
    """The value of a dataclass that a JSON object describes.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it does not describe one.
    """
    values: dict[str, Any] = {}
    for name, member, reader, default in _members(typing.cast("Any", kind)):
        if name == "json":
            values[name] = given
        elif given.get(member) is not None:
            values[name] = reader(given[member])
        elif default is MISSING:
            raise KeyError(member)
        else:
            values[name] = default
    return kind(**values)


@lru_cache(maxsize=64)
def _members(kind: Any) -> list[tuple[str, str, Reader, Any]]:
    """The fields of a dataclass: name, name in the JSON, how its value is read, and its default."""
    hints = typing.get_type_hints(kind)
    return [(each.name, _camel(each.name), _reader(hints[each.name]), _default(each, hints)) for each in fields(kind)]


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _default(field: Any, hints: dict[str, Any]) -> Any:
    """The default of a field; None where it may be None, MISSING where it must be given."""
    return None if field.default is MISSING and type(None) in _choices(hints[field.name]) else field.default


def _choices(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _reader(hint: Any) -> Reader:
    (kind,) = (each for each in _choices(hint) if each is not type(None))
    if is_dataclass(kind):
        return lambda given: read(typing.cast("type[Any]", kind), given)
    if kind is datetime:
        return lambda given: datetime.fromisoformat(given.replace("Z", "+00:00"))
    if typing.get_origin(kind) is tuple:
        item = _reader(typing.get_args(kind)[0])
        return lambda given: tuple(item(each) for each in given)
    return lambda given: given
