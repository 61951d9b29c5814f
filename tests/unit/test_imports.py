"""What importing a part loads, in a process of its own: the layers of pyproject.toml are true at run time too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"flask", "apiflask", "flask_sqlalchemy", "sqlalchemy", "rq", "redis"}
S3_CLIENTS = {"boto3", "botocore", "obstore"}


def loaded_by(module: str) -> set[str]:
    """The names of all modules that are loaded after `module` is."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("imgproc", FRAMEWORKS | S3_CLIENTS | {"PIL", "requests", "structlog"}),
        ("imgproc.pipeline.images.compress", FRAMEWORKS | S3_CLIENTS | {"requests"}),
        ("imgproc.pipeline.table.read", FRAMEWORKS | S3_CLIENTS | {"PIL", "requests"}),
        ("imgproc.pipeline.table.write", FRAMEWORKS | S3_CLIENTS | {"PIL", "requests"}),
        ("imgproc.pipeline.download", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.pipeline.notify", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.pipeline.storage.store", FRAMEWORKS | {"PIL"}),
        ("imgproc.client", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.server.gunicorn_worker", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
    ],
)
def test_a_part_loads_no_framework_it_does_not_need(module: str, strangers: set[str]) -> None:
    """So that it can be used, tested and read without them."""
    assert loaded_by(module) & strangers == set()


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("wsgi", {"imgproc.worker", "imgproc.embedded", "imgproc.cli", "imgproc.demo"}),
        ("rq_worker", {"imgproc.embedded", "imgproc.cli", "imgproc.demo", "imgproc.server"}),
    ],
)
def test_a_process_loads_no_part_of_another(module: str, strangers: set[str]) -> None:
    """A web process holds neither the worker pool nor the embedded servers."""
    assert loaded_by(module) & strangers == set()
