"""Write `.env` from `.env.example`, with a random secret in the place of every placeholder. Needs Python alone."""

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
    """The text with a secret of its own in every placeholder that is a variable's value; comments stay as they are."""
    placeholder = re.compile(r"^(\w+=)(__GENERATE(?:_WHSEC)?__)$", re.MULTILINE)
    return placeholder.sub(lambda match: match[1] + GENERATORS[match[2]](), example)


def main(example: Path, target: Path) -> None:
    """Write `target`, readable by us alone; exits with a message where it exists already."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{target} exists already and is kept: move it away first, if its secrets may be replaced.")
    with os.fdopen(descriptor, "w") as out:
        out.write(fill(example.read_text()))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
