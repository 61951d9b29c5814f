"""Every hostile image ends with its expected outcome, in bounded memory, and does not end the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from imgproc.core.config import MIB, load_settings
from tests.support.parts import part_of
from tests.unit.hostile_images import CASES, SOURCES
from tests.unit.hostile_table import is_over

ROOT = Path(__file__).parents[2]
LARGEST = [name for name in CASES if name.startswith("the largest")]
PROCESS = 150 * MIB  # an idle process with a source
MEGABYTE = 10**6
PEAK = 500 * MEGABYTE
# Large pages: the kernel takes less CPU time to give them, and the peak is 1% higher.
ENVIRON = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
Outcomes = dict[str, dict[str, Any]]

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits and reports the memory of a process"),
    pytest.mark.timeout(900),  # the first test of each part waits for all its cases
]


@pytest.fixture(scope="module", autouse=True)
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for sources that all runs share, across the processes of xdist."""
    session = tmp_path_factory.getbasetemp()
    folder = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "hostile-sources"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(SOURCES, str(folder))
        yield


def _try(names: list[str], *, limit: int, **options: object) -> Outcomes:
    """The outcomes of these cases, each in a process with this memory limit."""
    arguments = [json.dumps(names), str(limit), json.dumps(options)]
    command = [sys.executable, "-m", "tests.unit.hostile_images", *arguments]
    environ = os.environ | ENVIRON
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {outcomes[-1:]}: {done.stderr}"
    return {outcome["name"]: outcome for outcome in outcomes}


@cache
def _part(number: int, **options: str) -> Outcomes:
    """The outcomes of a part of the cases, under the default memory limit of workers."""
    names = [name for name in CASES if part_of(name) == number]
    return _try(names, limit=load_settings({}).worker_memory_limit, **options)


def _check(name: str, **options: str) -> None:
    outcome = _part(part_of(name), **options)[name]
    assert outcome["outcome"] == CASES[name][1]
    assert outcome["peak"] < PEAK


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_image_ends_as_it_should(name: str) -> None:
    """It ends in a rendition or the right error, and the process stays within its memory."""
    _check(name)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_image_ends_as_it_should_in_smart_mode(name: str) -> None:
    """With `format=keep` the source's pixels may be kept; search and rewriting stay within the same memory."""
    _check(name, quality="smart", format="keep")


@pytest.fixture(scope="module")
def starved() -> Outcomes:
    """The outcomes of the largest pictures in a process with too little memory for most of them."""
    return _try(LARGEST, limit=200 * MIB)


@pytest.mark.parametrize("name", LARGEST)
def test_too_little_memory_fails_the_image_and_not_the_process(starved: Outcomes, name: str) -> None:
    """It ends in a rendition or an error: to libjpeg it is damage, to librsvg an SVG that it cannot draw."""
    codes = {"too_many_pixels", "encode_failed", "corrupt_image", "rendition"}
    assert starved[name]["outcome"] in (codes | {"unsupported_format"} if "SVG" in name else codes)
    assert starved[name]["peak"] < 200 * MIB + PROCESS


def test_the_limit_takes_effect(starved: Outcomes) -> None:
    """Otherwise the test above would prove nothing."""
    assert "too_many_pixels" in {outcome["outcome"] for outcome in starved.values()}


# The whole table takes hours (python -m tests.unit.hostile_table); these are the worst cases, or examples of a kind.
WORST = (
    "the largest noise of 16 colours, with transparency", "waves of colour and transparency, 3,000 squared",
    "a row wider than WebP and AVIF hold", "the largest RGBA PNG with all extras",
    "the largest progressive JPEG, nothing subsampled",
)  # fmt: skip
COSTLIEST: list[dict[str, Any]] = [
    {"format": "avif", "scale": 1, "quality": 95},
    {"format": "png", "scale": 1, "quality": "smart"},
    {"format": "webp", "scale": 0.5, "quality": "smart"},
    {"format": "jpeg", "scale": 0.001, "quality": 1},
    {"format": "keep", "scale": 1, "quality": "smart"},
]


@pytest.fixture(scope="module")
def table() -> dict[str, list[dict[str, Any]]]:
    """The results of each image with each of these options, each in its own process."""
    command = [sys.executable, "-m", "tests.unit.hostile_table", "--only", json.dumps(COSTLIEST), *WORST]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(WORST) * len(COSTLIEST), done.stderr
    return {name: [line for line in lines if line["name"] == name] for name in WORST}


@pytest.mark.parametrize("name", WORST)
def test_a_hostile_image_stays_in_bounds_in_every_format(table: dict[str, list[dict[str, Any]]], name: str) -> None:
    """It takes at most 500 MB beyond an idle worker and 10 CPU seconds, or is refused."""
    for made in table[name]:
        assert not is_over(made), made
        assert made["outcome"] in {"rendition", "encode_failed", CASES[name][1]}, made
