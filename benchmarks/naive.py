"""The naive program as a whole, compared with the journey, with a slow host."""

from __future__ import annotations

import csv
import io
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import boto3
import requests
from botocore.config import Config

from benchmarks.corpus import jpeg
from benchmarks.measure import Cost, in_turns, say
from benchmarks.peers import naive as naive_rendition
from benchmarks.results import Table
from benchmarks.runs import csv_of, process, stack_of, warm_up
from tests.support.host_process import image_host_process
from tests.support.stack import Stack

SIZE = "M"
SLOW = 0.3
NAIVE = "naive: one picture after the other"
FEW = 8


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Images a second by the clock: the naive program in one process, imgproc with few and with many workers."""
    images, rounds = number or (12 if quick else 100), 1 if quick else 3
    with ExitStack() as servers:
        fast, slow = (servers.enter_context(image_host_process(jpeg(SIZE), delay=delay)) for delay in (0, SLOW))
        few, many = (servers.enter_context(stack_of(count)) for count in (FEW, ""))
        for stack in (few, many):
            warm_up(stack, fast)
        file = csv_of(slow, images)
        say(f"  the naive program will take about {images * (SLOW + 0.1):.0f} s a round")
        cases = {
            NAIVE: partial(naive_program, file, few),
            f"imgproc, {FEW} workers": partial(process, few, slow, images),
            f"imgproc, {many.settings().workers} workers (default)": partial(process, many, slow, images),
        }
        costs = in_turns(cases, rounds=rounds, warm_up=False)
    rows: list[list[str | float]] = [
        [name, 1000 * cost.cpu / images, cost.wall, images / cost.wall, costs[NAIVE].wall / cost.wall]
        for name, cost in costs.items()
    ]
    columns = ["", "CPU ms an image", "s", "images/s", "× naive, by the clock"]
    notes = [
        f"The same {images} products of one {SIZE} picture each from a host that answers after {SLOW * 1000:.0f} ms;"
        f" {rounds} round(s) in turns, medians.",
        "Naive: csv, requests.get, Image.resize, save at quality 50, boto3 put of the rendition, one after the other."
        " It does not keep originals, check files or report progress.",
        "CPU of the naive process, and of our worker processes.",
    ]
    return Table("The naive program as a whole", columns, rows, notes)


def naive_program(file: str, stack: Stack) -> Cost:
    """The usual first program, storing into the same bucket."""
    cpu, wall = time.process_time(), time.perf_counter()
    settings = stack.settings()
    s3 = s3_client(stack)
    for row in csv.DictReader(io.StringIO(file)):
        for position, url in enumerate(row["Input Image Urls"].split(",")):
            response = requests.get(url, timeout=30)
            key = f"naive/{row['S. No.']}/{position}.jpg"
            s3.put_object(Bucket=settings.s3_outputs_bucket, Key=key, Body=naive_rendition(response.content))
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def s3_client(stack: Stack) -> Any:
    """A boto3 client for the stack's S3 server, with the options that this server needs."""
    settings = stack.settings()
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=settings.s3_secret_access_key,
        region_name=settings.s3_region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
