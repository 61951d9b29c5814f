"""Write the Grafana dashboard `ops/grafana/imgproc.json` (`make pages`): one row of panels for each question."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "ops/grafana/imgproc.json"
WIDTH, HEIGHT = 8, 8  # of a panel; a dashboard is 24 wide

# Row -> title, unit, and the queries with their legends.
Panel = tuple[str, str, dict[str, str]]
ROWS: dict[str, list[Panel]] = {
    "Is it alive?": [
        ("Services reached", "short", {"{{service}}": "min by (service) (imgproc_up)"}),
        (
            "Workers",
            "short",
            {
                "alive {{role}}": "max by (role) (imgproc_workers_alive)",
                "busy {{role}}": "max by (role) (imgproc_workers_busy)",
            },
        ),
        ("Seconds since the last pass of a sweeper", "s", {"age": "min(imgproc_sweeper_pass_age_seconds)"}),
    ],
    "Does it keep up?": [
        ("Oldest due work", "s", {"{{work}}": "max by (work) (imgproc_oldest_seconds)"}),
        ("Images of open requests", "short", {"pending": "max(imgproc_pending_images)"}),
        ("Jobs in Redis", "short", {"{{queue}}": "max by (queue) (imgproc_queue_jobs)"}),
        (
            "Images per second",
            "short",
            {"{{outcome}}": "sum by (outcome) (rate(imgproc_images_total[$__rate_interval]))"},
        ),
        (
            "Bytes per second",
            "Bps",
            {"{{direction}}": "sum by (direction) (rate(imgproc_image_bytes_total[$__rate_interval]))"},
        ),
        ("Open requests", "short", {"{{status}}": "max by (status) (imgproc_requests)"}),
    ],
    "Where does the time go?": [
        (
            "Mean seconds per stage",
            "s",
            {
                "{{stage}}": "sum by (stage) (rate(imgproc_stage_seconds_sum[$__rate_interval]))"
                " / sum by (stage) (rate(imgproc_stage_seconds_count[$__rate_interval]))"
            },
        ),
        (
            "95th percentile per stage",
            "s",
            {
                "{{stage}}": "histogram_quantile(0.95, sum by (stage, le) "
                "(rate(imgproc_stage_seconds_bucket[$__rate_interval])))"
            },
        ),
        (
            "Busy threads per stage",
            "short",
            {"{{stage}}": 'sum by (stage) (rate(imgproc_stage_seconds_sum{stage!="wait"}[$__rate_interval]))'},
        ),
    ],
    "What fails?": [
        (
            "Failed images by code",
            "short",
            {"{{code}}": 'sum by (code) (increase(imgproc_images_total{outcome="failed"}[1h]))'},
        ),
        (
            "Ended requests",
            "short",
            {"{{outcome}} {{code}}": "sum by (outcome, code) (increase(imgproc_requests_ended_total[1h]))"},
        ),
        ("Errors of jobs", "short", {"{{queue}}": "sum by (queue) (increase(imgproc_job_failures_total[1h]))"}),
        ("Dead workers", "short", {"{{role}}": "sum by (role) (increase(imgproc_worker_deaths_total[1h]))"}),
        ("Spans of traces", "cps", {"{{outcome}}": "sum by (outcome) (rate(imgproc_spans_total[$__rate_interval]))"}),
        ("Expired leases", "short", {"{{work}}": "sum by (work) (increase(imgproc_leases_expired_total[1h]))"}),
        (
            "Lost jobs enqueued again",
            "short",
            {"{{work}}": "sum by (work) (increase(imgproc_sweeper_repairs_total[1h]))"},
        ),
    ],
    "Hosts of images and receivers of webhooks": [
        ("Products that wait, by host", "short", {"{{host}}": "max by (host) (imgproc_host_waiting_products)"}),
        (
            "Pauses by reason, and hosts that are waited for",
            "short",
            {
                "{{reason}}": "sum by (reason) (rate(imgproc_host_pauses_total[$__rate_interval]))",
                "hosts": "max(imgproc_waiting_hosts)",
                "products": "max(imgproc_waiting_products)",
            },
        ),
        (
            "Webhooks",
            "short",
            {
                "{{outcome}} {{code}} per second": "sum by (outcome, code) (rate(imgproc_deliveries_total[$__rate_interval]))",
                "pending": "max(imgproc_deliveries_pending)",
            },
        ),
    ],
    "The API": [
        (
            "Calls per second",
            "reqps",
            {
                "{{method}} {{route}} {{status}}": "sum by (method, route, status) "
                "(rate(imgproc_http_request_seconds_count[$__rate_interval]))"
            },
        ),
        (
            "95th percentile of the answer",
            "s",
            {
                "{{method}} {{route}}": "histogram_quantile(0.95, sum by (method, route, le) "
                "(rate(imgproc_http_request_seconds_bucket[$__rate_interval])))"
            },
        ),
        (
            "Share of 5xx",
            "percentunit",
            {
                "5xx": 'sum(rate(imgproc_http_request_seconds_count{status=~"5.."}[$__rate_interval]))'
                " / sum(rate(imgproc_http_request_seconds_count[$__rate_interval]))"
            },
        ),
    ],
}


def dashboard() -> str:
    """The JSON that Grafana imports; it asks for the Prometheus data source."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, listed in ROWS.items():
        panels.append(
            _placed({"type": "row", "title": row, "collapsed": False, "panels": []}, 0, top, 24, 1, len(panels))
        )
        top += 1
        for number, (title, unit, shown) in enumerate(listed):
            left, down = number % 3 * WIDTH, number // 3 * HEIGHT
            panels.append(_placed(_panel(title, unit, shown), left, top + down, WIDTH, HEIGHT, len(panels)))
        top += -(-len(listed) // 3) * HEIGHT
    whole = {
        "title": "imgproc",
        "uid": "imgproc",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(whole, indent=1) + "\n"


def queries() -> list[str]:
    """Every query of the dashboard."""
    return [query for row in ROWS.values() for _, _, listed in row for query in listed.values()]


def _panel(title: str, unit: str, listed: dict[str, str]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend, "datasource": source}
            for number, (legend, query) in enumerate(listed.items())
        ],
    }


def _placed(panel: dict[str, Any], left: int, top: int, width: int, height: int, number: int) -> dict[str, Any]:
    return {"id": number + 1, "gridPos": {"x": left, "y": top, "w": width, "h": height}, **panel}


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(dashboard())
    sys.stdout.write(f"dashboard: {FILE.relative_to(ROOT)} is written.\n")
