"""Look for known faults of what a lock file pins: in PyPI's or OSV's service or, with ADVISORIES, in a local database.

ADVISORIES names a folder of OSV records (JSON, or YAML as the PyPA keeps them). Exit codes: 0 nothing found, or nothing
to ask, which is said; 1 a fault, or packages that the service did not know; 2 a database that cannot be used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from scripts.licences import pins

SERVICES = ("pypi", "osv")
PIP_AUDIT = (
    *(str(Path(sys.executable).parent / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner=off"),
    *("--format=json", "--timeout=10"),
)
OLD = timedelta(days=30)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Pins = dict[str, list[str]]


class Unusable(Exception):
    """A database that holds no advisories for PyPI; an empty one would find nothing in anything."""


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every OSV record below `folder` that has not been withdrawn."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".json", ".yaml", ".yml"}:
            continue
        text = path.read_text()
        record = json.loads(text) if path.suffix == ".json" else yaml.load(text, LOADER)  # noqa: S506 - safe loaders
        if isinstance(record, dict) and "affected" in record and not record.get("withdrawn"):
            yield record


def affects(affected: dict[str, Any], version: str) -> bool:
    """Whether a version is listed, or lies between where a fault was introduced and where it was fixed."""
    spans = [each["events"] for each in affected.get("ranges", []) if each["type"] == "ECOSYSTEM"]
    return version in affected.get("versions", []) or any(_is_within(events, Version(version)) for events in spans)


def _is_within(events: list[dict[str, str]], version: Version) -> bool:
    """The last event at or before a version decides; `last_affected` ends behind its own version."""
    inside = False
    for event in sorted(events, key=_place):
        [(kind, text)] = event.items()
        if kind == "introduced" and _version(text) <= version:
            inside = True
        elif (kind == "fixed" and _version(text) <= version) or (kind == "last_affected" and _version(text) < version):
            inside = False
    return inside


def _place(event: dict[str, str]) -> tuple[Version, bool]:
    [(kind, text)] = event.items()
    return _version(text), kind == "introduced"


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")  # An older fault too many is better than one too few.


def search(folder: Path, pinned: Pins) -> tuple[list[str], int, datetime]:
    """A line for each fault, how many advisories were read, and when the newest was changed.

    Raises:
        Unusable: where there is none.
    """
    found, read, newest = [], 0, datetime.min.replace(tzinfo=timezone.utc)
    for record in records(folder):
        ours = [each for each in record["affected"] if each.get("package", {}).get("ecosystem") == "PyPI"]
        if not ours:
            continue
        read, newest = read + 1, max(newest, _time(record))
        for affected in ours:
            name = canonicalize_name(affected["package"]["name"])
            hit = [version for version in pinned.get(name, []) if affects(affected, version)]
            found += [f"{name} {version}: {record['id']}" for version in hit]
    if not read:
        raise Unusable(f"no PyPI advisories below {folder}")
    return sorted(set(found)), read, newest


def _time(record: dict[str, Any]) -> datetime:
    told = record.get("modified", "1970-01-01T00:00:00Z")
    moment = told if isinstance(told, datetime) else datetime.fromisoformat(str(told)[:19])
    return moment.replace(tzinfo=timezone.utc)


def offline(folder: Path, pinned: Pins) -> int:
    """Search a local database, and say how old it is."""
    try:
        found, read, newest = search(folder, pinned)
    except (Unusable, OSError, ValueError, yaml.YAMLError) as error:
        print(f"audit: {folder} cannot be used: {error}", file=sys.stderr)
        return 2
    age = " (OLD: newer faults are missing)" if datetime.now(timezone.utc) - newest > OLD else ""
    print(f"audit: {len(found)} known faults; {read} advisories, the newest of {newest:%Y-%m-%d}{age}.")
    print("".join(f"{line}\n" for line in found), end="")
    return bool(found)


def online(pinned: Pins) -> int:
    """Ask the first service that answers; 0 with a line that says so, where none does."""
    reasons = []
    for service in SERVICES:
        told, reason = _ask(service, pinned)
        asked = [each for each in told if "skip_reason" not in each]
        if not asked:
            reasons.append(f"{service}: {told[0]['skip_reason'] if told else reason}")
            continue
        found = sorted(f"{each['name']} {each['version']}: {v['id']}" for each in asked for v in each["vulns"])
        unknown = sorted(f"{each['name']}: not looked up: {each['skip_reason']}" for each in told if each not in asked)
        print(f"audit: {len(found)} known faults in {len(asked)} packages, by {service}.", *found, *unknown, sep="\n")
        return bool(found or unknown)
    print(f"audit: SKIPPED, nothing was checked: {'; '.join(reasons)}. ADVISORIES can name a local database.")
    return 0


def _ask(service: str, pinned: Pins) -> tuple[list[dict[str, Any]], str]:
    """What pip-audit tells of every pin, whatever its marker; nothing and a reason where it cannot be asked."""
    told: list[dict[str, Any]] = []
    for number in range(max(map(len, pinned.values()))):  # One run takes one version of a package.
        lines = [f"{name}=={versions[number]}" for name, versions in pinned.items() if number < len(versions)]
        part, reason = _pip_audit(service, "\n".join(lines))
        if reason:
            return [], reason
        told += part
    return told, ""


def _pip_audit(service: str, requirements: str) -> tuple[list[dict[str, Any]], str]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        command = [*PIP_AUDIT, f"--vulnerability-service={service}", "--requirement", file.name]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(told.stdout)["dependencies"], ""
    except ValueError:
        return [], (told.stderr.strip().splitlines() or ["no answer"])[-1][:120]


def main(requirements: Path) -> int:
    """Audit one lock file."""
    pinned = pins(requirements.read_text())
    if folder := os.environ.get("ADVISORIES"):
        return offline(Path(folder), pinned)
    return online(pinned)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
