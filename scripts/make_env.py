"""Write `.env` from `.env.example`, with a random secret instead of every placeholder. Needs only Python."""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

GENERATORS = {
    "__GENERATE__": lambda: secrets.token_urlsafe(24),  # 24 bytes are 32 characters
    "__GENERATE_WHSEC__": lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
}


def fill(example: str) -> str:
    """The text with a new secret instead of each placeholder that is the value of a variable; comments stay."""
    placeholder = re.compile(r"^(\w+=)(__GENERATE(?:_WHSEC)?__)$", re.MULTILINE)
    return placeholder.sub(lambda match: match[1] + GENERATORS[match[2]](), example)


def main(example: Path, target: Path) -> None:
    """Write `target`, which only its owner may read; exit with a message if it exists."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{target} exists and is kept. To replace its secrets, move it away first.")
    with os.fdopen(descriptor, "w") as out:
        out.write(fill(example.read_text()))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
