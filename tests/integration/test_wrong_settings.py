"""Wrong settings, as every entry point reports them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imgproc.core.settings import TABLE
from tests.support import preloaded
from tests.support.preloaded import ROOT

WRONG = {"DATABASE_URL": "mysql://h/d", "REDIS_URL": "http://h", "WEBHOOK_SECRET": "hunter2"}
ENTRIES = {
    "imgproc up": ["-m", "imgproc", "up"],
    "imgproc worker": ["-m", "imgproc", "worker"],
    "imgproc sweep": ["-m", "imgproc", "sweep"],
    "imgproc keys": ["-m", "imgproc", "keys", "list"],
    "rq_worker.py": ["rq_worker.py"],
    "gunicorn wsgi:app": ["-m", "gunicorn", "wsgi:app"],
    "gunicorn create_app()": ["-m", "gunicorn", "imgproc.app:create_app()"],
}
# By an interpreter of its own, as a user does; all others by a fork, which takes a tenth of the time.
EXECUTED = {("imgproc worker", "REDIS_URL"), ("rq_worker.py", "DATABASE_URL"), ("gunicorn wsgi:app", "WEBHOOK_SECRET")}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", WRONG)
def test_every_entry_reports_a_wrong_setting_in_one_line(tmp_path: Path, entry: str, name: str) -> None:
    """Every entry point exits with status 2 and without a traceback."""
    environ = os.environ | dict.fromkeys(TABLE, "") | {"DATA_DIR": str(tmp_path), name: WRONG[name]}
    if (entry, name) in EXECUTED:
        command = [sys.executable, *ENTRIES[entry]]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    else:
        done = preloaded.run(ENTRIES[entry], environ=environ)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: This setting cannot be used: {name}: ")
    assert done.stderr.count("\n") == 1
