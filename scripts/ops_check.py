"""Check `ops/` (`make ops-check`): the alert rules with promtool, their tests, and the queries of the dashboard.

promtool is in Debian's package `prometheus`. Without it one line says so, and the exit status is 0.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.ops_dashboard import queries

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "ops/prometheus"


def main() -> int:
    """Run every check; the exit status is 1 if one fails."""
    if shutil.which("promtool") is None:
        print("SKIPPED: promtool is missing (Debian: apt install prometheus), so ops/ was not checked.")
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
