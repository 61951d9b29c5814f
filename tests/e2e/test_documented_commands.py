"""Every shell block of the README and the tutorial works as typed, from top to bottom, against a running stack."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from imgproc.embedded.ports import DEMO_PORTS, free_port
from tests.support.pages import blocks
from tests.support.stack import ROOT, Stack, running_stack

README, TUTORIAL = ROOT / "README.md", ROOT / "docs/tutorial.md"

# These commands install, or run until they are stopped. Other tests cover the demo and the stack; here the test's own
# stack replaces the one that `make up` starts.
STARTS = {"make demo", "make up", "ALLOWED_NETWORKS=127.0.0.0/8 make up"}
LISTENS = "listener.py"  # a block with this word runs in the background, as in a second terminal
API_PORT, WEBHOOK_PORT = "8000", "5000"  # as the pages show them
EVERY_IMAGE = r"completed: (\d+) of \1 images, 0 failed"
SECONDS = 240


def _script(page: Path, *, webhook_port: str) -> str:
    """The page's commands as one script that stops at the first failure."""
    parts = ["set -euo pipefail"]
    for _, block in blocks(page, "sh"):
        if block.strip() in STARTS:
            continue
        if LISTENS in block:
            parts.append(f"{{\n{block}}} > listener.log 2>&1 &")
            parts.append(f"until curl -s -o /dev/null http://127.0.0.1:{webhook_port}/; do sleep 0.1; done")
        else:
            parts += [f"cat <<'BLOCK'\n>>> {block}BLOCK", block]
    return "\n".join(parts)


def _run(page: Path, folder: Path, stack: Stack) -> str:
    """Run the page's commands in `folder`, where `.venv` and `var` are as in a clone; returns their output."""
    (folder / ".venv").symlink_to(sys.prefix)
    webhook_port = str(free_port(DEMO_PORTS))
    for title, text in blocks(page, "python"):
        name = title.split('"')[1]
        (folder / name).write_text(text.replace(WEBHOOK_PORT, webhook_port))
    script = _script(page, webhook_port=webhook_port).replace(f"127.0.0.1:{WEBHOOK_PORT}", f"127.0.0.1:{webhook_port}")
    script = script.replace(f"127.0.0.1:{API_PORT}", stack.url.removeprefix("http://"))
    unset = set(stack.environ) | {"http_proxy", "HTTP_PROXY"}
    environ = {name: value for name, value in os.environ.items() if name not in unset} | {"PYTHONPATH": str(ROOT)}
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # the listener, if it still runs
    assert shell.returncode == 0, output
    return output


def test_the_readme_works_as_typed(tmp_path: Path) -> None:
    """The first upload of the sample catalogue completes without any setting."""
    with running_stack(tmp_path / "var", ALLOWED_NETWORKS="") as stack:
        output = _run(README, tmp_path, stack)
    assert '"requestId"' in output
    assert re.search(EVERY_IMAGE, output)


def test_the_tutorial_works_as_typed(tmp_path: Path) -> None:
    """It covers the sample catalogue, its output, a compressed picture, a verified webhook and a refused file."""
    with running_stack(tmp_path / "var", ALLOWED_NETWORKS="127.0.0.0/8") as stack:
        output = _run(TUTORIAL, tmp_path, stack)
    assert re.search(EVERY_IMAGE, output)
    assert "empty_product_name" in output
    header, *rows = (tmp_path / "output.csv").read_text().splitlines()
    assert header.endswith(",Output Image Urls")
    assert len(rows) == len((tmp_path / "catalogue.csv").read_text().splitlines()) - 1
    with Image.open(tmp_path / "picture.jpg") as picture:
        assert picture.format == "JPEG"
    assert "request.completed" in (tmp_path / "listener.log").read_text()


@pytest.mark.parametrize("page", [README, TUTORIAL], ids=lambda page: page.name)
def test_every_page_starts_the_stack_by_a_known_command(page: Path) -> None:
    """Each page has one of the commands that this file replaces by a stack of its own."""
    assert STARTS & {block.strip() for _, block in blocks(page, "sh")}
