"""The files in `ops/`: they name metrics that exist, each alert is tested and has a section in the runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from imgproc.core.metrics import GAUGES, KEPT
from scripts.ops_dashboard import FILE, dashboard, queries

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "ops/prometheus"
RUNBOOK = "docs/how-to/runbook.md"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def _alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _labels_of_samples() -> dict[str, set[str]]:
    """The labels of every sample that a scrape may have."""
    samples = {name: set(labels) for name, (_, labels) in GAUGES.items()}
    for metric in KEPT:
        family = next(iter(metric.describe()))
        for suffix in SUFFIXES[family.type]:
            samples[family.name + suffix] = set(metric._labelnames) | ({"le"} if suffix == "_bucket" else set())
    return samples


@pytest.mark.parametrize("query", [*(alert["expr"] for alert in _alerts()), *queries()])
def test_a_query_names_samples_and_labels_that_exist(query: str) -> None:
    """Otherwise an alert never fires, and a panel stays empty."""
    known = _labels_of_samples()
    for name, selector in re.findall(r"\b(imgproc_\w+)(?:\{([^}]*)\})?", query):
        assert name in known
        assert set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", selector)) <= known[name]


@pytest.mark.parametrize("alert", _alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_has_a_section_in_the_runbook_that_names_it(alert: dict[str, Any]) -> None:
    """Whoever is paged finds what to do."""
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert page == RUNBOOK
    sections = re.split(r"^## ", (ROOT / RUNBOOK).read_text(), flags=re.MULTILINE)
    found = {each.partition("\n")[0].lower().replace(" ", "-"): each for each in sections}
    assert f"`{alert['alert']}`" in found[anchor]


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    """`promtool test rules` runs them."""
    tests = yaml.safe_load((RULES / "alerts_test.yml").read_text())["tests"]
    fired = {rule["alertname"] for test in tests for rule in test["alert_rule_test"] if rule["exp_alerts"]}
    assert fired == {alert["alert"] for alert in _alerts()}


def test_every_metric_is_on_the_dashboard() -> None:
    """The dashboard is as its script writes it, and shows all metrics."""
    assert FILE.read_text() == dashboard(), "Run make pages."
    assert json.loads(dashboard())["panels"]
    names = {next(iter(metric.describe())).name for metric in KEPT} | set(GAUGES)
    assert {name for name in names if not any(name in query for query in queries())} == set()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_accepts_all() -> None:
    """The rules, their tests, the configuration, and the queries of the dashboard."""
    checked = subprocess.run([sys.executable, "-m", "scripts.ops_check"], cwd=ROOT, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode()


def test_without_promtool_one_line_says_so(tmp_path: Path) -> None:
    """The check is skipped, and does not fail. The chart's own line follows."""
    command = [sys.executable, "-m", "scripts.ops_check"]
    checked = subprocess.run(
        command, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout.count("\n")) == (0, 2)
    assert checked.stdout.startswith("SKIPPED: promtool is missing")
