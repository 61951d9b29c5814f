"""imgproxy's server beside `compress`: the same photographs to half size as JPEG of quality 50."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import geometric_mean

import psutil
import urllib3
from PIL import Image

from benchmarks.corpus import SOURCE_QUALITY, jpeg
from benchmarks.measure import Cost, in_turns, repeated, say
from benchmarks.peers import QUALITY
from benchmarks.results import Table
from benchmarks.smart import PHOTOGRAPHS, compressed, judged
from imgproc.embedded.ports import DEMO_PORTS, LOOPBACK, free_port
from scripts.programs import find
from tests.support.photographs import decode, encode, photo

COLUMNS = (
    "bytes ÷ imgproxy", "score, imgproxy", "score, imgproc", "CPU ms, imgproxy", "CPU ms, imgproc",
    "imgproxy ÷ imgproc", "quality for its bytes", "score there", "CPU ms there", "imgproxy ÷ that",
)  # fmt: skip
TURN = 60 * 10**6  # pixels; the CPU time of another process is told in steps of 10 ms
IDLE_SECONDS = 5.0
NOTES = (
    "imgproxy 4.0.12 with its own settings: optimized Huffman tables, the source on its disk, answers over loopback.",
    "CPU: of its process without what it takes when idle, and of this process for `compress`; medians, in turns.",
    "Bytes: imgproc at the same quality; then at the highest quality that needs no more bytes than imgproxy.",
    "Score: SSIMULACRA 2 against LANCZOS of the source; 100 is identical. The last row has geometric means.",
)


class Server:
    """A running imgproxy, and the cost of what it is asked."""

    def __init__(self, pid: int, url: str) -> None:
        self._process, self._url, self._http = psutil.Process(pid), url, urllib3.PoolManager()
        self._idle = 0.0  # CPU seconds a second

    def start(self) -> None:
        """Wait until it answers, and see what it takes when idle."""
        wait = urllib3.Retry(100, backoff_factor=0.1, backoff_max=0.2)
        self._http.request("GET", f"{self._url}/health", retries=wait)
        before = self._cpu()
        time.sleep(IDLE_SECONDS)
        self._idle = (self._cpu() - before) / IDLE_SECONDS

    def halved(self, name: str, size: tuple[int, int]) -> bytes:
        """A picture of its folder at this size."""
        width, height = size
        path = f"/unsafe/rs:force:{width}:{height}/q:{QUALITY}/plain/local:///{name}@jpg"
        answer = self._http.request("GET", self._url + path, retries=False)
        if answer.status != 200:
            raise RuntimeError(f"imgproxy answered {answer.status}: {answer.data[:200]!r}")
        return answer.data

    def cost(self, name: str, size: tuple[int, int], *, times: int) -> Cost:
        """What so many pictures cost its process."""
        cpu, wall = self._cpu(), time.perf_counter()
        for _ in range(times):
            self.halved(name, size)
        wall = time.perf_counter() - wall
        return Cost(self._cpu() - cpu - self._idle * wall, wall)

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def measure(*, quick: bool = False) -> Table:
    """A row for each picture, and one for all."""
    title = "imgproxy's server ÷ compress"
    if (program := find("imgproxy")) is None:
        how = "make programs ARGS=imgproxy; Debian: libvips-dev and pkg-config"
        return Table(title, [""], [], [f"Not measured: imgproxy is not built ({how})."])
    pictures = _pictures(quick=quick)
    rows: list[list[str | float]] = []
    with _running(program, pictures) as server:
        for name, source in pictures.items():
            say(f"  {name}")
            rows.append([name, *_figures(server, name, source, rounds=3 if quick else 9)])
    means = (geometric_mean(float(row[column]) for row in rows) for column in range(1, len(COLUMNS) + 1))
    return Table(title, ["", *COLUMNS], [*rows, ["together", *means]], NOTES)


def _pictures(*, quick: bool) -> dict[str, bytes]:
    photos = {name: encode(photo(name), "JPEG", quality=SOURCE_QUALITY) for name in PHOTOGRAPHS[: 1 if quick else None]}
    return {size: jpeg(size) for size in ("S", "M", "L")[: 1 if quick else None]} | photos


@contextmanager
def _running(program: str, pictures: dict[str, bytes]) -> Iterator[Server]:
    port = free_port(DEMO_PORTS)
    with tempfile.TemporaryDirectory() as folder:
        for name, body in pictures.items():
            (Path(folder) / name).write_bytes(body)
        settings = {"BIND": f"{LOOPBACK}:{port}", "LOCAL_FILESYSTEM_ROOT": folder, "LOG_LEVEL": "error"}
        environment = {f"IMGPROXY_{name}": value for name, value in settings.items()} | {"PATH": os.environ["PATH"]}
        with subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                server = Server(process.pid, f"http://{LOOPBACK}:{port}")
                server.start()
                yield server
            finally:
                process.terminate()


def _figures(server: Server, name: str, source: bytes, *, rounds: int) -> list[float]:
    original = decode(source)
    size = (original.width // 2, original.height // 2)
    reference = encode(original.resize(size, Image.Resampling.LANCZOS), "PNG")
    theirs, ours = server.halved(name, size), compressed(source)
    equal = _quality_for(source, len(theirs))
    times = max(1, TURN // (original.width * original.height))
    costs = in_turns(
        {
            "imgproxy": partial(server.cost, name, size, times=times),
            "imgproc": repeated(partial(compressed, source), times),
            "equal": repeated(partial(compressed, source, quality=equal), times),
        },
        rounds=rounds,
    )
    cpu = {case: 1000 * cost.cpu / times for case, cost in costs.items()}
    scores = [judged(reference, body) for body in (theirs, ours, compressed(source, quality=equal))]
    same = [len(ours) / len(theirs), *scores[:2], cpu["imgproxy"], cpu["imgproc"], cpu["imgproxy"] / cpu["imgproc"]]
    return [*same, equal, scores[2], cpu["equal"], cpu["imgproxy"] / cpu["equal"]]


def _quality_for(source: bytes, most: int) -> int:
    """The highest quality whose file has at most so many bytes, near the usual one."""
    fits = (quality for quality in range(QUALITY + 5, 0, -1) if len(compressed(source, quality=quality)) <= most)
    return next(fits)
