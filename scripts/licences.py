"""Write the licences of the packages in the lock files into tables, and refuse those that are not allowed."""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLES = {"made": ("requirements.txt",), "made of extras": ("requirements-otel.txt", "requirements-sentry.txt")}
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+?)(?: ; (.+?))?(?: \\)?$", re.MULTILINE)

# Permissive licences, and those that ask only to publish changes of the library itself: we change no library, and ship
# each as its author's own file, which users can replace. All others are refused, GPL and AGPL among them.
PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0",
    "Unlicense", "Zlib", "ZPL-2.1",
}  # fmt: skip
WEAK_COPYLEFT = {"LGPL-3.0-only", "LGPL-3.0-or-later", "MPL-2.0"}
ALLOWED = PERMISSIVE | WEAK_COPYLEFT

# What packages without an SPDX expression write in their licence field or classifier.
SPDX = {
    "MIT License": "MIT",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "LGPL-3.0": "LGPL-3.0-only",
    "3-Clause BSD License": "BSD-3-Clause",
    "ZPL 2.1": "ZPL-2.1",
}
# Read by a person: packages without usable metadata, and pins for other platforms.
READ = {
    "async-timeout": "Apache-2.0",
    "backports-datetime-fromisoformat": "MIT",
    "greenlet": "MIT AND PSF-2.0",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "tomli": "MIT",
    "tzdata": "Apache-2.0",
}


def pins(requirements: str) -> dict[str, list[str]]:
    """Each package of a lock file with its versions; markers choose one of them."""
    found: dict[str, list[str]] = {}
    for name, version, _ in PIN.findall(requirements):
        if version not in found.setdefault(name, []):
            found[name].append(version)
    return found


def licence(name: str) -> str:
    """The licence of a package as an SPDX expression, or `UNKNOWN`, which is not allowed."""
    if name in READ:
        return READ[name]
    try:
        return _said_by(distribution(name))
    except ModuleNotFoundError:
        return "UNKNOWN"


def _said_by(package: Distribution) -> str:
    words: Any = package.metadata  # an email.message.Message, though its protocol does not say so
    field = (words.get("License") or "").strip().partition("\n")[0]
    classifiers = [each.rpartition(" :: ")[2] for each in words.get_all("Classifier") or [] if "License ::" in each]
    said = words.get("License-Expression") or field or " AND ".join(SPDX.get(each, each) for each in classifiers)
    return SPDX.get(said, said) or "UNKNOWN"


def is_allowed(expression: str) -> bool:
    """Whether the list has all licences that an expression joins by AND, and one of those that it joins by OR."""
    return all(
        any(choice.strip(" ()") in ALLOWED for choice in each.split(" OR ")) for each in expression.split(" AND ")
    )


def table(requirements: str) -> str:
    """The table as Markdown."""
    lines = [f"| {name} | {licence(name)} |" for name in sorted(pins(requirements))]
    return "\n".join(["| package | licence |", "|---|---|", *lines])


def locked() -> dict[str, str]:
    """The lock files of each table of the page, one after the other."""
    return {name: "".join((ROOT / file).read_text() for file in files) for name, files in TABLES.items()}


def main(page: Path) -> int:
    """Write the tables between the marks of `page`; 1 if a licence is refused."""
    text = page.read_text()
    for name, requirements in locked().items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        text = before + mark + table(requirements) + rest[rest.index("\n<!-- end -->") :]
    page.write_text(text)
    refused = [name for name in pins("".join(locked().values())) if not is_allowed(licence(name))]
    print(f"licences: {page}" + (f"; REFUSED: {', '.join(refused)}" if refused else ": all are on the allow-list."))
    return bool(refused)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
