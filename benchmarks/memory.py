"""The memory of one job above an idle worker, each in a fresh process after a small picture as warm-up."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.corpus import jpeg
from benchmarks.measure import in_own_process
from benchmarks.results import Table

CASES = {
    "L 12 MP baseline JPEG": ("L", {}),
    "XL 24 MP baseline JPEG": ("XL", {}),
    "XL 24 MP progressive JPEG": ("XL", {"progressive": True}),
}
CODE = """
import sys
from pathlib import Path
from benchmarks.measure import reset_peak, peak
from benchmarks.peers import naive, ours
peer = {{"ours": ours, "naive": naive}}[{peer!r}]
peer(Path({small!r}).read_bytes())
idle = reset_peak()
peer(Path({large!r}).read_bytes())
print(peak() - idle)
"""


def measure(*, quick: bool = False) -> Table:
    """Peak memory of a job in MiB above the idle process, the bytes of the source included."""
    names = list(CASES)[: 1 if quick else None]
    rows: list[list[str | float]] = [[name, _megabytes("ours", name), _megabytes("naive", name)] for name in names]
    notes = [
        "Peak resident memory during the job minus resident memory before it; the bytes of the source are included."
    ]
    return Table("Memory of one job, MiB", ["source", "imgproc", "naive"], rows, notes)


def _megabytes(peer: str, name: str) -> float:
    """The median of three fresh processes."""
    size, options = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.jpg"), Path(folder, "large.jpg")
        small.write_bytes(jpeg("S"))
        large.write_bytes(jpeg(size, **options))
        code = CODE.format(peer=peer, small=str(small), large=str(large))
        return median(int(in_own_process(code)) for _ in range(3)) / 2**20
