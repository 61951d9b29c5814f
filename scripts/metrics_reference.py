"""Write the page of the metrics, `docs/reference/metrics.md`, from `imgproc/core/metrics.py` (`make pages`)."""

from __future__ import annotations

import sys
from pathlib import Path

from imgproc.core.metrics import GAUGES, KEPT

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs/reference/metrics.md"
HEAD = """\
# Metrics

`/metrics` of a web process shows all of these. Where `METRICS_PORT` is set, pools and sweepers serve the counted ones.
[Monitor](../how-to/monitoring.md) says what to scrape, and [the runbook](../how-to/runbook.md) what to do at an alert.

## Counted

Each process counts what happens in it, and a machine shows the sum of its processes. Add the machines up with `sum`.

"""
GAUGES_HEAD = """
## Read at each scrape

Read from the database and Redis, so every web process shows the same. Take one of them with `max`.

"""
LABELS_HEAD = """
## Labels

| label | values |
|---|---|
| `code` | an [error code](errors.md); empty where nothing failed |
| `outcome` | of images `completed`, `failed`; of requests their final status; of webhooks `delivered`, `failed`, and `pending` for one that is tried again; of spans `sent`, `failed` (the collector did not take them), `dropped` (they had no room, or the process ended) |
| `direction` | `in`: sources; `out`: renditions |
| `reason` | why a host is waited for: `busy`, `away`, `slow`, or `limit` where others take its places |
| `work` | `plan`, `process_product`, `finalize`, `deliver` |
| `queue` | `express`, `bulk`, `alone`, `deliveries`; of failures also `sweeper` |
| `role` | of workers: `images`, `deliveries` |
| `stage` | `wait`: a product in the queue, until a worker takes it · `dns`, `connect`, `first_byte`: of downloads and webhooks, over new connections for the first two, without TLS · `tls`: the handshake of a new connection · `download`: all of one image, redirects and pauses included · `decode`, `encode`: of one image · `put`: one object, each image has two · `copy`: both objects of an image that was made before |
| `route` | the pattern of the address; `unknown` for addresses that do not exist |
| `host` | `name:port` of the ten hosts for which most products wait |
"""  # noqa: E501 - a row of a table is one line


def page() -> str:
    """The page, in Markdown."""
    lines = [HEAD, "| metric | kind | meaning | labels |\n|---|---|---|---|\n"]
    for metric in KEPT:
        family = next(iter(metric.describe()))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"| `{name}` | {family.type} | {family.documentation} | {_labels(metric._labelnames)} |\n")
    lines += [GAUGES_HEAD, "| metric | meaning | labels |\n|---|---|---|\n"]
    lines += [f"| `{name}` | {text} | {_labels(labels)} |\n" for name, (text, labels) in GAUGES.items()]
    return "".join([*lines, LABELS_HEAD])


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


if __name__ == "__main__":
    FILE.write_text(page())
    sys.stdout.write(f"metrics: {FILE.relative_to(ROOT)} is written.\n")
