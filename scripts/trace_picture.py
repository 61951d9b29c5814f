"""Draw the trace of a real request: `python -m scripts.trace_picture` runs a stack with a collector of its own.

The picture is `docs/images/trace.svg`. Its times are those of the machine that drew it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from scripts.drawing import STYLE
from tests.support.collector import Collector, Received, open_collector
from tests.support.csv_files import csv_of
from tests.support.image_host import open_image_host
from tests.support.processes import wait_until
from tests.support.stack import running_stack

FILE = Path(__file__).resolve().parent.parent / "docs/images/trace.svg"
TITLE = (
    "The trace of a request with one product of two images: the upload in a web process, then plan, process_product "
    "and finalize in workers, then deliver in the worker of webhooks. Below process_product stand the wait in the "
    "queue and both images, each with download (with dns, connect and first_byte inside), decode, encode and two puts."
)
WIDTH, LEFT, RIGHT, ROW, TOP = 980, 300, 70, 20, 44  # pixels
COLOURS = {"web": "outside", "worker": "store", "webhooks": "end"}


def picture(spans: list[Received]) -> str:
    """The spans of one trace as bars over time, each below its parent."""
    rows = list(_tree(spans, ""))
    height = TOP + ROW * len(rows) + 14
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    scale = (WIDTH - LEFT - RIGHT) / (end - begin)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, Helvetica, Arial, sans-serif"'
    parts = [f'{head} role="img">', f"  <title>{escape(TITLE)}</title>", STYLE]
    parts.append(f'  <rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10"/>')
    for place, (name, colour) in enumerate(COLOURS.items()):
        key = LEFT + 110 * place
        parts.append(f'  <rect class="{colour}" x="{key}" y="16" width="12" height="12"/>')
        parts.append(f'  <text class="note left" x="{key + 18}" y="26">{name}</text>')
    for place, (depth, span) in enumerate(rows):
        y, x, width = TOP + ROW * place, LEFT + (span.start - begin) * scale, (span.end - span.start) * scale
        text = f"{(span.end - span.start) / 1e6:.1f} ms"
        parts.append(f'  <text class="note left" x="{16 + 18 * depth}" y="{y + 13}">{escape(span.name)}</text>')
        bar = f'x="{x:.1f}" y="{y + 3}" width="{max(width, 1.5):.1f}" height="{ROW - 7}" rx="2"'
        parts.append(f'  <rect class="{COLOURS[_process(span, rows)]}" {bar}/>')
        parts.append(f'  <text class="note left" x="{x + max(width, 1.5) + 5:.1f}" y="{y + 13}">{text}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _tree(spans: list[Received], parent_id: str, depth: int = 0) -> Iterator[tuple[int, Received]]:
    """The spans below a parent, in the order in which they began, each followed by those below it."""
    for span in spans:
        if span.parent_id == parent_id:
            yield depth, span
            yield from _tree(spans, span.span_id, depth + 1)


def _process(span: Received, rows: list[tuple[int, Received]]) -> str:
    """The kind of process that made the span."""
    instances = {each.name: each.resource["service.instance.id"] for _, each in rows}
    kinds = {instances["deliver"]: "webhooks", instances["POST /api/upload"]: "web"}
    return kinds.get(span.resource["service.instance.id"], "worker")


def trace_of_a_request(collector: Collector, folder: Path) -> list[Received]:
    """Process two requests on a stack of real processes; the spans of the second, once the stack has ended."""
    with open_image_host() as shop:
        with running_stack(folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as stack:
            url = shop.url.replace("127.0.0.1", "localhost")
            for number in (1, 2):  # the processes do some things only once
                csv = csv_of([f"{url}/astronaut.jpg?{number}", f"{url}/coffee.png?{number}"])
                stack.wait(stack.submit(csv, webhookUrl=f"{url}/webhook")["requestId"])
                wait_until(lambda number=number: len(shop.announcements) == number)  # type: ignore[misc]  # bound now
        spans = collector.spans
        return [span for span in spans if span.trace_id == spans[-1].trace_id]


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder, open_collector() as collector:
        FILE.write_text(picture(trace_of_a_request(collector, Path(folder) / "var")))
    print(f"trace: {FILE.relative_to(Path.cwd())} is drawn.")


if __name__ == "__main__":
    main()
