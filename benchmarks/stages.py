"""The CPU time of each stage of one image, over real sockets."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from benchmarks.corpus import jpeg
from benchmarks.measure import Case, Cost, in_turns, repeated
from benchmarks.peers import ours
from benchmarks.results import Table
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.storage.store import Store
from tests.support.host_process import image_host_process
from tests.support.s3 import create_buckets, s3_server

TIMES = 10


def measure(*, quick: bool = False) -> Table:
    """CPU milliseconds of every stage, and their sum ÷ the codec's."""
    rows = []
    for size in ("S", "M", "L"):
        with _stages(jpeg(size)) as cases:
            costs = in_turns({name: repeated(case, TIMES) for name, case in cases.items()}, rounds=3 if quick else 15)
        rows.append([size, *_figures(costs)])
    columns = ["", "compress", "download", "put original", "put rendition", "sum ÷ compress"]
    notes = ["One thread, loopback, kept-alive connections; database and queue are in `journey`."]
    return Table("One image, CPU ms by stage", columns, rows, notes)


def _figures(costs: dict[str, Cost]) -> list[float]:
    times = [1000 * cost.cpu / TIMES for cost in costs.values()]
    return [*times, sum(times) / times[0]]


@contextmanager
def _stages(source: bytes) -> Iterator[dict[str, Case]]:
    """Each stage as a job runs it, on its own servers."""
    with ExitStack() as stack:
        host = stack.enter_context(image_host_process(source))
        server = stack.enter_context(s3_server(Path(stack.enter_context(tempfile.TemporaryDirectory()), "objects")))
        store = Store(
            endpoint_url=server.endpoint,
            access_key_id=server.access_key,
            secret_access_key=server.secret,
            region="us-east-1",
            originals_bucket="originals",
            outputs_bucket="outputs",
            public_url="http://public.example",
        )
        create_buckets(store)
        downloader = Downloader(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),), timeout=30, max_bytes=2**26)
        stack.callback(downloader.close)
        rendition, number = ours(source), count()
        yield {
            "compress": lambda: ours(source),
            "download": lambda: downloader.download(f"{host}/{next(number)}.jpg"),
            "original": lambda: store.put_original(f"r/{next(number)}.jpg", source, content_type="image/jpeg"),
            "rendition": lambda: store.put_rendition(f"r/{next(number)}.jpg", rendition, content_type="image/jpeg"),
        }
