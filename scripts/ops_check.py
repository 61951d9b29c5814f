"""Check `ops/` (`make ops-check`): the alert rules with promtool, the queries of the dashboard, and the Helm chart.

promtool is in Debian's package `prometheus`; `make programs` installs the others. Without a program one line says so,
and its part is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import helm_chart
from scripts.ops_dashboard import queries

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "ops/prometheus"


def main() -> int:
    """Run every check; the exit status is 1 if one fails."""
    return max(_prometheus(), _chart())


def _chart() -> int:
    """Lint the chart, render it with each example, and validate the manifests."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            wrong = list(helm_chart.wrong(Path(folder)))
        except LookupError as error:
            print(f"SKIPPED: {error}, so ops/helm was not checked.")
            return 0
    for text in wrong:
        print(text, file=sys.stderr)
    print("ops/helm: " + ("wrong" if wrong else f"{len(helm_chart.EXAMPLES)} sets of values are rendered, and valid"))
    return 1 if wrong else 0


def _prometheus() -> int:
    if shutil.which("promtool") is None:
        print("SKIPPED: promtool is missing (Debian: apt install prometheus), so ops/prometheus was not checked.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder) / "dashboard.yml"
        recorded.write_text(json.dumps(_as_rules(queries())))  # JSON is YAML
        checks = [
            ["check", "rules", "alerts.yml"],
            ["test", "rules", "alerts_test.yml"],
            ["check", "config", "prometheus.yml"],
            ["check", "rules", str(recorded)],
        ]
        failed = [check for check in checks if subprocess.run(["promtool", *check], cwd=RULES, check=False).returncode]
    for check in failed:
        print(f"promtool {' '.join(check)} failed.", file=sys.stderr)
    return 1 if failed else 0


def _as_rules(found: list[str]) -> dict[str, list[dict[str, object]]]:
    """The queries as recording rules, which promtool reads; Grafana's variable of the interval becomes a time."""
    rules = [
        {"record": f"dashboard:query:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(found)
    ]
    return {"groups": [{"name": "dashboard", "rules": rules}]}


if __name__ == "__main__":
    sys.exit(main())
