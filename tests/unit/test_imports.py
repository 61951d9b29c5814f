"""What each module loads when a new process imports it: the layers of pyproject.toml also hold at run time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive  # each case starts an interpreter

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"flask", "apiflask", "flask_sqlalchemy", "sqlalchemy", "rq", "redis"}
S3_CLIENTS = {"boto3", "botocore", "obstore"}


def loaded_by(module: str) -> set[str]:
    """The names of all modules that importing `module` loads."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("imgproc", FRAMEWORKS | S3_CLIENTS | {"PIL", "requests", "structlog"}),
        ("imgproc.pipeline.images.child_process.apart_program", FRAMEWORKS | S3_CLIENTS | {"requests", "structlog"}),
        ("imgproc.pipeline.images.compress", FRAMEWORKS | S3_CLIENTS | {"requests"}),
        ("imgproc.pipeline.table.read", FRAMEWORKS | S3_CLIENTS | {"PIL", "requests"}),
        ("imgproc.pipeline.table.write", FRAMEWORKS | S3_CLIENTS | {"PIL", "requests"}),
        ("imgproc.pipeline.download", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.pipeline.notify", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.pipeline.storage.store", FRAMEWORKS | {"PIL"}),
        ("imgproc.client", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.server.gunicorn_worker", FRAMEWORKS | S3_CLIENTS | {"PIL"}),
        ("imgproc.app", {"alembic", "flask_migrate", "psycopg", "xlsxwriter"}),
    ],
)
def test_a_module_loads_no_framework_it_does_not_need(module: str, unwanted: set[str]) -> None:
    """It can be used and tested without them."""
    assert loaded_by(module) & unwanted == set()


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("wsgi", {"imgproc.worker", "imgproc.embedded", "imgproc.cli", "imgproc.demo"}),
        ("rq_worker", {"imgproc.embedded", "imgproc.cli", "imgproc.demo", "imgproc.server"}),
    ],
)
def test_a_process_loads_no_code_of_other_processes(module: str, unwanted: set[str]) -> None:
    """A web process loads neither the worker pool nor the embedded servers."""
    assert loaded_by(module) & unwanted == set()
