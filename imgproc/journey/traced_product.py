"""The span of one product in the trace of its request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imgproc.core import metrics, tracing
from imgproc.db.transitions.products import ProductClaim


@contextmanager
def traced_product(product_id: int, claim: ProductClaim) -> Iterator[None]:
    """The span of a product, which begins when the product was queued. Also measures how long it waited."""
    waited = (claim.claimed_at - claim.queued_at).total_seconds() if claim.queued_at else 0.0
    if claim.queued_at:
        metrics.STAGES.labels("wait").observe(waited)
    ids: tracing.Attributes = {
        "imgproc.request_id": claim.request_id,
        "imgproc.product_id": product_id,
        "imgproc.row": claim.row,
        "imgproc.attempt": claim.attempt,
    }
    recorded = tracing.is_recorded(claim.row)
    with tracing.joined(claim.traceparent, "process_product", seconds_ago=waited, attributes=ids, recorded=recorded):
        tracing.past_span("wait", seconds=waited)
        yield
