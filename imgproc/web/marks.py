"""The mark of texts that are translated where they are shown, not where they are written."""

from __future__ import annotations

N_ = str  # `make translations` finds it by this name
