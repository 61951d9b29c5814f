"""The codec path on one core: ours, the naive program, libjpeg-turbo alone and other services."""

from __future__ import annotations

from functools import partial

from benchmarks.corpus import SIZES, jpeg
from benchmarks.measure import in_turns, repeated
from benchmarks.peers import left_out, peers
from benchmarks.results import Table

# Pictures a turn: the first finds cold caches, because another peer or Python's garbage collector ran before.
TIMES = {"S": 8, "M": 2, "L": 1, "XL": 1}


def measure(*, quick: bool = False) -> Table:
    """CPU time of every peer on S, M, L and XL."""
    sizes = [name for name in SIZES if not (quick and name == "XL")]
    rounds = {"S": 25, "M": 25, "L": 15, "XL": 7} if not quick else dict.fromkeys(SIZES, 3)
    everyone = peers()
    costs = {}
    for size in sizes:
        cases = {name: repeated(partial(peer, jpeg(size)), TIMES[size]) for name, peer in everyone.items()}
        costs[size] = in_turns(cases, rounds=rounds[size])
    rows: list[list[str | float]] = []
    for name in everyone:
        cpu = [costs[size][name].cpu / TIMES[size] for size in sizes]
        times = [costs[size]["naive resize + save"].cpu / costs[size][name].cpu for size in sizes]
        floors = [costs[size][name].cpu / costs[size]["libjpeg-turbo floor"].cpu for size in sizes]
        rows.append([name, *(1000 * each for each in cpu), *times, *floors])
    heads = [f"{what} {size}" for what in ("CPU ms", "× naive", "÷ floor") for size in sizes]
    return Table("JPEG to half size, quality 50, one thread", ["", *heads], rows, _notes() + left_out(everyone))


def _notes() -> list[str]:
    sizes = (f"{name} {width}×{height} ({len(jpeg(name)) / 1e6:.1f} MB)" for name, (width, height) in SIZES.items())
    ours = "CPU of all threads, medians of rounds in turns. imgproc also checks files, orientation and colours."
    magick = "ImageMagick is started for every picture, as in scripts; the others are warm."
    return [f"{', '.join(sizes)}.", ours, magick]
