"""The cost of a product in a very large request, compared with a small request. The pictures are tiny.

The default of 20,000 products takes some minutes; the target is for `--number 100000`.
"""

from __future__ import annotations

from statistics import median

from benchmarks.corpus import thumbnail
from benchmarks.measure import Cost, say
from benchmarks.results import Table
from benchmarks.runs import process, stack_of, warm_up
from tests.support.host_process import image_host_process

SIDE = 64


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """CPU time of the workers and wall time for each product; small requests run before and after the large one."""
    small, large = (100, 500) if quick else (1_000, number or 20_000)
    with image_host_process(thumbnail(SIDE)) as host, stack_of() as stack:
        warm_up(stack, host)
        runs = [process(stack, host, small) for _ in range(2)]
        took = runs[-1].wall
        say(f"  {small:,} took {took:.0f} s, so {large:,} will take {took * large / small / 60:.0f} min")
        grown = process(stack, host, large)
        runs += [process(stack, host, small) for _ in range(2)]
    little = Cost(*(median(values) for values in zip(*runs, strict=True)))
    rows = [_row(small, little, little.cpu / small, little.wall / small)]
    rows.append(_row(large, grown, little.cpu / small, little.wall / small))
    columns = ["products", "worker CPU ms a product", "÷ small", "ms a product, by the clock", "÷ small"]
    notes = [
        f"A picture of {SIDE}×{SIDE} each. The small request is the median of two before and two after the large one.",
        "From the upload to the end: scan, plan, process, finalize. CPU of the worker processes alone.",
    ]
    return Table("Cost of a product by the size of the request", columns, rows, notes)


def _row(products: int, cost: Cost, cpu: float, wall: float) -> list[str | float]:
    mine, clock = cost.cpu / products, cost.wall / products
    return [f"{products:,}", 1000 * mine, mine / cpu, 1000 * clock, clock / wall]
