"""The codec path of one core: ours between the naive way and the floor, beside its peers."""

from __future__ import annotations

from functools import partial

from benchmarks.corpus import SIZES, jpeg
from benchmarks.measure import again, in_turns
from benchmarks.peers import left_out, peers
from benchmarks.results import Table

# Pictures a turn: the first finds the caches cold, as another peer, or Python's collector, was there before.
TIMES = {"S": 8, "M": 2, "L": 1, "XL": 1}


def measure(*, quick: bool = False) -> Table:
    """CPU of every peer on S, M, L, and 24 megapixels."""
    sizes = [name for name in SIZES if not (quick and name == "XL")]
    rounds = {"S": 25, "M": 25, "L": 15, "XL": 7} if not quick else dict.fromkeys(SIZES, 3)
    everyone = peers()
    costs = {}
    for size in sizes:
        cases = {name: again(partial(peer, jpeg(size)), TIMES[size]) for name, peer in everyone.items()}
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
    ours = "CPU of all threads, medians of rounds in turns. imgproc also checks, turns and manages colours."
    magick = "ImageMagick is started anew for every picture, as scripts do; the others are warm."
    return [f"{', '.join(sizes)}.", ours, magick]
