"""The pages on the Python client and the command line work as typed, against a running stack."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.support.pages import blocks, titled
from tests.support.stack import ROOT, running_stack

PYTHON, SHELL = ROOT / "docs/how-to/python.md", ROOT / "docs/how-to/command-line.md"
SHOWN = "http://127.0.0.1:8000"  # as the pages show the stack


class Place(NamedTuple):
    """A running stack, and a folder with `products.csv` and `broken.csv`."""

    url: str
    folder: Path

    def run(self, *command: str) -> list[str]:
        """Run a command that must succeed in the folder; its lines."""
        environ = os.environ | {"PYTHONPATH": str(ROOT), "DATA_DIR": str(self.folder / "var")}
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One stack for all examples."""
    folder = tmp_path_factory.mktemp("client")
    with running_stack(folder / "var", ALLOWED_NETWORKS="", WORKERS="1") as stack:
        catalogue = requests.get(f"{stack.url}/samples/catalogue.csv", timeout=30).text
        (folder / "products.csv").write_text("".join(catalogue.splitlines(keepends=True)[:2]))
        (folder / "broken.csv").write_text((folder / "products.csv").read_text().replace("mug-front", "no-such-mug"))
        yield Place(stack.url, folder)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("upload.py", ["completed 2"]),
        ("check.py", ["True 1 Input Image Urls"]),
        ("failed.py", ["2 http_404 False", "completed_with_errors", "already_ended"]),
        ("errors.py", ["invalid_option 422 quality"]),
    ],
)
def test_a_python_block_prints_what_it_should(place: Place, title: str, shown: list[str]) -> None:
    """Each block is a program of its own."""
    (place.folder / title).write_text(titled(PYTHON, "python")[title].replace(SHOWN, place.url))
    assert place.run(sys.executable, title) == shown


def test_the_block_about_progress_ends_with_the_request(place: Place) -> None:
    """It prints a line for each look."""
    (place.folder / "progress.py").write_text(titled(PYTHON, "python")["progress.py"].replace(SHOWN, place.url))
    assert place.run(sys.executable, "progress.py")[-1] == "2 of 2 completed"


def test_every_python_block_is_tested() -> None:
    """A new block needs a test."""
    assert set(titled(PYTHON, "python")) == {"upload.py", "check.py", "progress.py", "failed.py", "errors.py"}


def test_the_shell_blocks_work_from_top_to_bottom(place: Place) -> None:
    """Every command succeeds, and the files are complete."""
    (place.folder / "output.csv").unlink(missing_ok=True)  # of a Python block
    script = "\n".join(text for _, text in blocks(SHELL, "sh")).replace(SHOWN, place.url)
    alias = f'imgproc() {{ "{sys.executable}" -m imgproc "$@"; }}'
    lines = place.run("bash", "-c", f"set -euo pipefail\n{alias}\n{script}")
    assert "complete" in lines
    assert [line for line in lines if line.startswith("wrong")] == []
    for name in ("output.csv", "piped.csv", "again.csv", "nightly.csv"):
        header, row = (place.folder / name).read_text().splitlines()
        assert (header.endswith(",Output Image Urls"), row.count(".jpg")) == (True, 4), name
