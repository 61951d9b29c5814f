"""Processes of a real stack send their spans to a collector, up to their end, and count them."""

from __future__ import annotations

from pathlib import Path

from scripts.trace_picture import picture, trace_of_a_request
from tests.support.collector import open_collector


def test_one_trace_comes_from_all_processes(tmp_path: Path) -> None:
    """Web, a forked worker and the worker of webhooks take part, and none loses its last spans when it is stopped.

    Spans are sent every five seconds; the stack ends before.
    """
    with open_collector() as collector:
        spans = trace_of_a_request(collector, tmp_path / "var")
    names = [span.name for span in spans]
    assert len({span.trace_id for span in spans}) == 1
    assert [span.name for span in spans if not span.parent_id] == ["POST /api/upload"]
    for name, count in {"plan": 1, "process_product": 1, "image": 2, "put": 4, "finalize": 1, "deliver": 1}.items():
        assert names.count(name) == count, names
    instances = {span.name: span.resource["service.instance.id"] for span in spans}
    assert len({instances[name] for name in ("POST /api/upload", "process_product", "deliver")}) == 3
    assert {span.parent_id for span in spans} <= {span.span_id for span in spans} | {""}
    assert picture(spans).count("<rect") == 1 + 3 + len(spans)
