"""The texts of the pages: `gettext` and `ngettext` translate them, with types, and `N_` marks one for later."""

from __future__ import annotations

from typing import Any

import flask_babel

N_ = str  # `make translations` finds texts by these three names


def gettext(text: str, /, **values: Any) -> str:
    """A text in the language of the page, with its values (`%(name)s`)."""
    return str(flask_babel.gettext(text, **values))


def ngettext(one: str, many: str, count: int, /, **values: Any) -> str:
    """A text in the language of the page, in the form of its plural that fits the count."""
    return str(flask_babel.ngettext(one, many, count, **values))
