"""Look up known vulnerabilities of locked packages: at PyPI or OSV or, with ADVISORIES, in a local database.

ADVISORIES names a folder of OSV records (JSON or YAML). Exit status: 0 for no vulnerability, or if no service answers,
which is printed; 1 for a vulnerability or a package that the service does not know; 2 for an unusable database.
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
    str(Path(sys.executable).parent / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner=off",
    "--format=json", "--timeout=10",
)  # fmt: skip
OLD = timedelta(days=30)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Pins = dict[str, list[str]]


class Unusable(Exception):
    """The database has no advisories for PyPI: it would find no vulnerability in any package."""


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every OSV record in `folder` and below that has not been withdrawn."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".json", ".yaml", ".yml"}:
            continue
        text = path.read_text()
        record = json.loads(text) if path.suffix == ".json" else yaml.load(text, LOADER)  # noqa: S506 - safe loaders
        if isinstance(record, dict) and "affected" in record and not record.get("withdrawn"):
            yield record


def affects(affected: dict[str, Any], version: str) -> bool:
    """Whether a version is listed, or lies between the introduction of a vulnerability and its fix."""
    spans = [each["events"] for each in affected.get("ranges", []) if each["type"] == "ECOSYSTEM"]
    return version in affected.get("versions", []) or any(_is_within(events, Version(version)) for events in spans)


def _is_within(events: list[dict[str, str]], version: Version) -> bool:
    """Whether the last event at or before a version says that it is affected; `last_affected` includes its version."""
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
        return Version("0")  # rather report a vulnerability that is fixed than miss one


def search(folder: Path, pinned: Pins) -> tuple[list[str], int, datetime]:
    """A line for each vulnerability, the number of advisories, and when the newest of them was modified.

    Raises:
        Unusable: there is no advisory for PyPI.
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
        raise Unusable(f"no PyPI advisories in {folder}")
    return sorted(set(found)), read, newest


def _time(record: dict[str, Any]) -> datetime:
    told = record.get("modified", "1970-01-01T00:00:00Z")
    moment = told if isinstance(told, datetime) else datetime.fromisoformat(str(told)[:19])
    return moment.replace(tzinfo=timezone.utc)


def offline(folder: Path, pinned: Pins) -> int:
    """Search a local database, and print its age."""
    try:
        found, read, newest = search(folder, pinned)
    except (Unusable, OSError, ValueError, yaml.YAMLError) as error:
        print(f"audit: {folder} cannot be used: {error}", file=sys.stderr)
        return 2
    age = " (OLD: it lacks newer vulnerabilities)" if datetime.now(timezone.utc) - newest > OLD else ""
    print(f"audit: {len(found)} known vulnerabilities; {read} advisories, the newest of {newest:%Y-%m-%d}{age}.")
    print("".join(f"{line}\n" for line in found), end="")
    return bool(found)


def online(pinned: Pins) -> int:
    """Ask the first service that answers. If none does, print that nothing was checked and return 0."""
    reasons = []
    for service in SERVICES:
        told, reason = _ask(service, pinned)
        asked = [each for each in told if "skip_reason" not in each]
        if not asked:
            reasons.append(f"{service}: {told[0]['skip_reason'] if told else reason}")
            continue
        found = sorted(f"{each['name']} {each['version']}: {v['id']}" for each in asked for v in each["vulns"])
        unknown = sorted(f"{each['name']}: not looked up: {each['skip_reason']}" for each in told if each not in asked)
        print(
            f"audit: {len(found)} known vulnerabilities in {len(asked)} packages, by {service}.",
            *found,
            *unknown,
            sep="\n",
        )
        return bool(found or unknown)
    print(f"audit: SKIPPED, nothing was checked: {'; '.join(reasons)}. ADVISORIES can name a local database.")
    return 0


def _ask(service: str, pinned: Pins) -> tuple[list[dict[str, Any]], str]:
    """The answers of pip-audit for every pin, whatever its marker; or no answers and the reason."""
    told: list[dict[str, Any]] = []
    for number in range(max(map(len, pinned.values()))):  # one run accepts one version of a package
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
