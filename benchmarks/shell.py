"""A shell pipeline, as a good administrator writes it: `xargs -P`, curl, vipsthumbnail, curl."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.corpus import SIZES, jpeg
from benchmarks.measure import Cost, in_turns, of_children
from benchmarks.naive import s3_client
from benchmarks.results import Table
from benchmarks.runs import process, stack_of, warm_up
from tests.support.host_process import image_host_process
from tests.support.stack import Stack

SIZE = "M"
SLOW = 0.3
FEW = 8
TOOLS = ("xargs", "sh", "curl", "vipsthumbnail")
# A line is a number, the URL of the picture, and the URL to store its rendition.
SCRIPT = """
curl --silent --fail --output "$0.jpg" "$1" &&
vipsthumbnail "$0.jpg" --size {width}x --output "$0-half.jpg[Q=50,strip]" &&
curl --silent --fail --upload-file "$0-half.jpg" "$2" && rm "$0.jpg" "$0-half.jpg"
"""


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """As many processes at a time as workers: few for a fast host, few and many for a slow one."""
    title = "A shell pipeline"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return Table(title, [""], [], [f"Not measured: {', '.join(missing)} missing (Debian: curl, libvips-tools)."])
    images, rounds = number or (20 if quick else 100), 1 if quick else 3
    rows: list[list[str | float]] = []
    with ExitStack() as servers:
        fast, slow = (servers.enter_context(image_host_process(jpeg(SIZE), delay=delay)) for delay in (0, SLOW))
        stacks = [servers.enter_context(stack_of(count)) for count in (FEW, "")]
        for stack in stacks:
            warm_up(stack, fast)
        for name, host, stack in (("fast", fast, stacks[0]), ("slow", slow, stacks[0]), ("slow", slow, stacks[1])):
            cases = {
                "shell": partial(_shell, stack, host, images),
                "ours": partial(process, stack, host, images),
            }
            costs = in_turns(cases, rounds=rounds, warm_up=False)
            rows.append([f"{name} host, {stack.settings().workers} at a time", *_figures(costs, images)])
    columns = ["", "shell, images/s", "imgproc, images/s", "× shell", "shell, CPU ms", "imgproc, CPU ms"]
    notes = [
        f"{images} {SIZE} pictures, {rounds} round(s) in turns, medians;"
        f" a slow host answers after {SLOW * 1000:.0f} ms.",
        "Shell: xargs -P, curl, vipsthumbnail at quality 50 on one thread, curl to a presigned URL of the same bucket."
        " It stores no originals and does not report failures. CPU of the workers, and of all processes of xargs.",
    ]
    return Table(title, columns, rows, notes)


def _figures(costs: dict[str, Cost], images: int) -> list[float]:
    shell, ours = costs["shell"], costs["ours"]
    speeds = [images / shell.wall, images / ours.wall, shell.wall / ours.wall]
    return [*speeds, 1000 * shell.cpu / images, 1000 * ours.cpu / images]


def _shell(stack: Stack, host: str, images: int) -> Cost:
    """The pipeline over a list of pictures and presigned URLs for their renditions."""
    s3, bucket = s3_client(stack), stack.settings().s3_outputs_bucket
    lines = []
    for row in range(images):
        place = {"Bucket": bucket, "Key": f"shell/{row}.jpg"}
        lines.append(f"{row} {host}/{row}.jpg {s3.generate_presigned_url('put_object', Params=place)}\n")
    at_a_time = str(stack.settings().workers)
    command = ["xargs", "-P", at_a_time, "-L", "1", "sh", "-c", SCRIPT.format(width=SIZES[SIZE][0] // 2)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "list")
        file.write_text("".join(lines))
        with file.open() as stdin:
            return of_children(command, cwd=folder, stdin=stdin, env={**os.environ, "VIPS_CONCURRENCY": "1"})
