"""The audit finds known vulnerabilities of our pins, and never skips a check silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import audit, licences

PINS = licences.pins((Path(__file__).parents[2] / "requirements.txt").read_text())


def fault(**affected: Any) -> dict[str, Any]:
    """An OSV record about one package."""
    name = affected.pop("name", "Some.Package")
    ecosystem = affected.pop("ecosystem", "PyPI")
    package = {"name": name, "ecosystem": ecosystem}
    return {"id": "X-1", "modified": "2026-01-02T03:04:05Z", "affected": [{"package": package, **affected}]}


def span(*events: tuple[str, str]) -> list[dict[str, Any]]:
    """A range of versions as OSV writes it."""
    return [{"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]}]


TWICE = (("introduced", "1.5"), ("fixed", "2"), ("introduced", "0"), ("fixed", "1"))


@pytest.mark.parametrize(
    ("record", "found"),
    [
        pytest.param(fault(versions=["1.5"]), True, id="listed"),
        pytest.param(fault(versions=["1.4"]), False, id="another version"),
        pytest.param(fault(ranges=span(("introduced", "0"))), True, id="never fixed"),
        pytest.param(fault(ranges=span(("introduced", "0"), ("fixed", "1.5"))), False, id="fixed in this version"),
        pytest.param(fault(ranges=span(("introduced", "0"), ("fixed", "1.10"))), True, id="fixed later"),
        pytest.param(fault(ranges=span(("introduced", "1.10"))), False, id="introduced later"),
        pytest.param(fault(ranges=span(("introduced", "0"), ("last_affected", "1.5"))), True, id="last affected"),
        pytest.param(
            fault(ranges=span(("introduced", "0"), ("last_affected", "1.4"))), False, id="after the last affected"
        ),
        pytest.param(fault(ranges=span(*TWICE)), True, id="introduced again"),
        pytest.param(fault(versions=["1.5"], name="other"), False, id="another package"),
        pytest.param(fault(versions=["1.5"], ecosystem="npm"), False, id="another ecosystem"),
        pytest.param(fault(versions=["1.5"]) | {"withdrawn": "2026-01-01T00:00:00Z"}, False, id="withdrawn"),
    ],
)
def test_a_local_database_is_searched(record: dict[str, Any], *, found: bool, tmp_path: Path) -> None:
    """A record matches a pin by its listed versions or its ranges, whatever the spelling of the package name."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.json").write_text(json.dumps(record))
    (tmp_path / "other.json").write_text(json.dumps(fault(name="unrelated", versions=["1"])))
    assert audit.offline(tmp_path, {"some-package": ["1.5"]}) == int(found)


def test_a_local_database_may_be_yaml_and_shows_its_age(tmp_path: Path, capsys: Any) -> None:
    """The PyPA's database is YAML; a database with only old records is marked as old."""
    affected = "affected:\n- package: {ecosystem: PyPI, name: old}\n  versions: ['1']\n"
    (tmp_path / "one.yaml").write_text(f"id: PYSEC-1\nmodified: 2020-01-02T03:04:05.6Z\n{affected}")
    assert audit.offline(tmp_path, {"old": ["1"]}) == 1
    told = capsys.readouterr().out
    assert "old 1: PYSEC-1" in told
    assert "2020-01-02 (OLD" in told


@pytest.mark.parametrize("content", [None, "{}", "no JSON", json.dumps(fault(ecosystem="npm"))])
def test_a_database_without_advisories_is_an_error(content: str | None, tmp_path: Path) -> None:
    """With such a database every audit would pass."""
    if content is not None:
        (tmp_path / "one.json").write_text(content)
    assert audit.offline(tmp_path, PINS) == 2
    assert audit.offline(tmp_path / "missing", PINS) == 2


GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1"}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        pytest.param([GOOD], 0, "0 known vulnerabilities in 1 packages, by pypi", id="nothing found"),
        pytest.param([GOOD, BAD], 1, "bad 2: CVE-1", id="a vulnerability"),
        pytest.param([GOOD, UNKNOWN], 1, "unknown: not looked up: not found", id="one unknown"),
        pytest.param([UNKNOWN], 0, "SKIPPED, nothing was checked: pypi: not found; osv: not found", id="all unknown"),
        pytest.param([], 0, "SKIPPED, nothing was checked: pypi: refused; osv: refused", id="unreachable"),
    ],
)
def test_an_audit_never_passes_without_an_answer(
    answer: list[dict[str, Any]], code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Without any answer the audit says SKIPPED; with a partial answer it fails."""
    monkeypatch.setattr(audit, "_ask", lambda service, pinned: (answer, "refused"))
    assert audit.online(PINS) == code
    assert told in capsys.readouterr().out


def test_every_pin_is_audited_whatever_its_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip-audit takes one version of a package at a time, so pins for other Pythons need another run."""
    tool = tmp_path / "pip-audit"
    tool.write_text(
        '#!/bin/sh\nfor last; do :; done\nsed \'s/\\(.*\\)==\\(.*\\)/{"name": "\\1", "version": "\\2", "vulns": []},/;'
        '1s/^/{"dependencies": [/;$s/,$/]}/\' "$last"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setattr(audit, "PIP_AUDIT", (str(tool),))
    told, reason = audit._ask("pypi", PINS)
    assert reason == ""
    assert sorted((each["name"], each["version"]) for each in told) == sorted(
        (name, version) for name, versions in PINS.items() for version in versions
    )
