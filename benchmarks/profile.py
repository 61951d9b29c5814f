"""What a worker does with each millisecond: the loop of a real worker in this process, under pyinstrument.

`python -m benchmarks.profile` prints the frames.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flask import current_app
from pyinstrument import Profiler
from pyinstrument.frame import Frame

from benchmarks.corpus import jpeg
from benchmarks.filling import migrated_app
from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.runs import csv_of
from tests.integration.driver import burst
from tests.support.host_process import image_host_process
from tests.support.s3 import s3_server
from tests.support.valkey_server import valkey

SIZE = "M"
WARM_UP = 20
LOOP = "RQ and the worker's loop"
OUTSIDE = "the worker's start and end, which take up to a second"
# The innermost of these frames on the stack names the part that the time is counted for.
KNOWN = {
    ("pipeline/download.py", "download"): "download",
    ("pipeline/compress.py", "compress"): "compress",
    ("pipeline/store.py", "put_original"): "put the original",
    ("pipeline/store.py", "put_rendition"): "put the rendition",
    ("lifecycle/products.py", "claim"): "claim the product",
    ("lifecycle/products.py", "finish"): "finish it and release the next",
    ("imgproc/queue/enqueue.py", "products"): "enqueue the next",
    ("imgproc/journey/lease.py", "__init__"): "lease, its thread",
    ("imgproc/journey/lease.py", "__enter__"): "lease, its thread",
    ("imgproc/journey/lease.py", "__exit__"): "lease, its thread",
    ("imgproc/journey/jobs.py", "process_product"): "the rest of the job",
    ("imgproc/journey/jobs.py", "finalize"): "finalize the request",
    ("worker/base.py", "bootstrap"): OUTSIDE,
    ("worker/base.py", "teardown"): OUTSIDE,
}


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Milliseconds for each image by the clock, part by part."""
    images = number or (40 if quick else 400)
    with _ready_app() as host:
        cpu = _loop(host, images)
        profiler = _profiled(host, images)
    parts: Counter[str] = Counter()
    root = profiler.last_session and profiler.last_session.root_frame()
    assert root is not None
    _add(root, LOOP, parts)
    del parts[OUTSIDE]
    rows: list[list[str | float]] = [
        [part, 1000 * seconds / images, seconds / parts.total()] for part, seconds in parts.most_common()
    ]
    rows.append(["sum", 1000 * parts.total() / images, 1.0])
    rows.append(["CPU of the loop without the profiler", 1000 * cpu / images, ""])
    notes = [
        f"{images} products of one {SIZE} image, one worker; SQLite, Valkey and S3 on loopback. The times include"
        " waiting for these. The profiler slows Python, but not C.",
    ]
    return Table("What a worker does with each millisecond", ["", "ms an image", "share"], rows, notes)


def _loop(host: str, images: int) -> float:
    """CPU seconds of the loop over so many products."""
    _plan(host, images)
    say(f"  {images} images")
    started = time.process_time()
    burst()
    return time.process_time() - started


def _profiled(host: str, images: int) -> Profiler:
    """The same under the profiler."""
    _plan(host, images)
    say(f"  {images} images under the profiler")
    with Profiler(async_mode="disabled") as profiler:
        burst()
    return profiler


def _plan(host: str, images: int) -> None:
    """Upload so many products and plan them; their jobs wait for the loop."""
    form = {"file": (io.BytesIO(csv_of(host, images).encode()), "products.csv")}
    assert current_app.test_client().post("/api/upload", data=form).status_code == 202
    burst(most=1)


def _add(frame: Frame, part: str, parts: Counter[str]) -> None:
    """Count a frame's own time for its part, then do the same for the frames that it called."""
    parts[part] += frame.time - sum(child.time for child in frame.children)
    for child in frame.children:
        path = "/".join(Path(child.file_path or "").parts[-2:])
        _add(child, KNOWN.get((path, child.function), part), parts)


@contextmanager
def _ready_app() -> Iterator[str]:
    """An app on its own servers, in this process and warmed up; the URL of an image host."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(s3_server(folder / "objects"))
        environ = {
            "DATA_DIR": str(folder / "data"),
            "REDIS_URL": stack.enter_context(valkey(folder)),
            "S3_ENDPOINT_URL": server.endpoint,
            "S3_ACCESS_KEY_ID": server.access_key,
            "S3_SECRET_ACCESS_KEY": server.secret,
            "ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        stack.enter_context(migrated_app(environ)).extensions["services"].store.ensure_buckets()
        host = stack.enter_context(image_host_process(jpeg(SIZE)))
        _loop(host, WARM_UP)
        yield host


def main() -> None:
    """Print the frames."""
    with _ready_app() as host:
        print(_profiled(host, 100).output_text(unicode=True))


if __name__ == "__main__":
    main()
