"""What a worker does with each millisecond: the loop of a real worker in this process, under pyinstrument.

`python -m benchmarks.profile` prints the frames.
"""

from __future__ import annotations

import inspect
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from flask import current_app
from pyinstrument import Profiler
from pyinstrument.frame import Frame
from rq import SimpleWorker

from benchmarks.corpus import jpeg
from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.runs import csv_of
from benchmarks.tables import migrated_app
from imgproc.db.transitions import products
from imgproc.journey import jobs
from imgproc.journey.lease import Lease
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.images.compress import compress
from imgproc.pipeline.storage.store import Store
from imgproc.queue import enqueue
from tests.integration.driver import burst
from tests.support.host_process import image_host_process
from tests.support.s3 import create_buckets, s3_server
from tests.support.valkey_server import valkey

SIZE = "M"
WARM_UP = 20
LOOP = "RQ and the worker's loop"
OUTSIDE = "the worker's start and end, which take up to a second"


def _frame(function: Callable[..., Any]) -> tuple[str, str]:
    """The end of the path and the name that frames of the function have."""
    code = inspect.unwrap(function).__code__
    return "/".join(Path(code.co_filename).parts[-2:]), code.co_name


# The innermost of these frames on the stack names the part that the time is counted for.
KNOWN = {
    _frame(Downloader.download): "download",
    _frame(compress): "compress",
    _frame(Store.put_original): "put the original",
    _frame(Store.put_rendition): "put the rendition",
    _frame(products.claim): "claim the product",
    _frame(products.finish): "finish it and release the next",
    _frame(enqueue.products): "enqueue the next",
    _frame(Lease.__init__): "lease",
    _frame(Lease.__enter__): "lease",
    _frame(Lease.__exit__): "lease",
    _frame(jobs.process_product): "the rest of the job",
    _frame(jobs.finalize): "finalize the request",
    _frame(SimpleWorker.bootstrap): OUTSIDE,
    _frame(SimpleWorker.teardown): OUTSIDE,
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
            **server.environ,
            "ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        create_buckets(stack.enter_context(migrated_app(environ)).extensions["services"].store)
        host = stack.enter_context(image_host_process(jpeg(SIZE)))
        _loop(host, WARM_UP)
        yield host


def main() -> None:
    """Print the frames."""
    with _ready_app() as host:
        print(_profiled(host, 100).output_text(unicode=True))


if __name__ == "__main__":
    main()
