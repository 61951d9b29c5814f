"""The pages on uploads work as typed: each language's example, and the clients that generators make."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support.pages import blocks, node_commands, titled
from tests.support.stack import ROOT, running_stack

UPLOAD, GENERATED = ROOT / "docs/how-to/upload.md", ROOT / "docs/how-to/generated-clients.md"
SHOWN = "http://127.0.0.1:8000"  # as the pages show the stack
NO_REGISTRY = re.compile(r"No matching distribution|Max retries|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH")
# What the pages call in Google's runtime, made of Node.js and curl.
GOOGLE = """
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
const lines = readFileSync("products.csv", "utf8").trim().split("\\n");
const rows = lines.map((line) => line.match(/"[^"]*"|[^,]+/g).map((cell) => cell.replace(/"/g, "").trim()));
const sheet = { getDataRange: () => ({ getDisplayValues: () => rows }) };
const parseCsv = (text) => text.trim().split("\\n").map((line) => [line]);
const setValues = (rows) => writeFileSync("output.csv", rows.map((row) => row.join(",")).join("\\n"));
const spreadsheet = { insertSheet: () => ({ getRange: () => ({ setValues }) }) };
globalThis.SpreadsheetApp = { getActiveSheet: () => sheet, getActiveSpreadsheet: () => spreadsheet };
globalThis.Utilities = { sleep: () => execFileSync("sleep", ["0.5"]), parseCsv };
globalThis.UrlFetchApp = {
  fetch(url, { contentType, payload } = {}) {
    const sent = payload ? ["--data-binary", "@-", "-H", `Content-Type: ${contentType}`] : [];
    const text = execFileSync("curl", ["-sfL", ...sent, url], { input: payload ?? "" }).toString();
    return { getContentText: () => text };
  },
};
"""


@dataclass(frozen=True)
class Place:
    """A running stack, and a folder with `products.csv` in which commands run."""

    url: str
    folder: Path
    path: str

    def write(self, name: str, text: str) -> None:
        """Write a file of a page, for this stack."""
        (self.folder / name).write_text(text.replace(SHOWN, self.url))

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a page against this stack."""
        script = "set -euo pipefail\n" + command.replace(SHOWN, self.url)
        hidden = {"http_proxy", "HTTP_PROXY", "PYTHONPATH"}
        environ = {name: value for name, value in os.environ.items() if name not in hidden}
        # Without a registry, installing fails at once.
        environ |= {"PATH": self.path, "NO_PROXY": "127.0.0.1", "PIP_RETRIES": "1", "npm_config_fetch_retries": "1"}
        shell = ["bash", "-c", script]
        return subprocess.run(
            shell, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=240, check=False
        )

    def succeed(self, command: str) -> str:
        """Run a command that must succeed; its output."""
        done = self.run(command)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def output(self) -> str:
        """The output CSV that an example has saved."""
        path = self.folder / "output.csv"
        text = path.read_text()
        path.unlink()
        return text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One stack for all examples, and the first product of its sample catalogue."""
    folder = tmp_path_factory.mktemp("clients")
    tools = node_commands(folder / "bin")
    with running_stack(folder / "var", ALLOWED_NETWORKS="", WORKERS="1") as stack:
        catalogue = requests.get(f"{stack.url}/samples/catalogue.csv", timeout=30).text
        (folder / "products.csv").write_text("".join(catalogue.splitlines(keepends=True)[:2]))
        yield Place(
            stack.url, folder, f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )


def is_complete(output: str) -> bool:
    """Whether this is the output CSV of one product whose images succeeded."""
    header, row = output.replace("\r", "").strip().split("\n")
    return header.strip('"').endswith("Output Image Urls") and row.count(".jpg") == 4


def test_curl_uploads_in_every_documented_way(place: Place) -> None:
    """Each upload answers with its id: a form, a bare file, a chunked and a compressed one; the last is downloaded."""
    for _, block in blocks(UPLOAD, "sh"):
        answers = re.findall('"requestId"', place.succeed(block))
        assert len(answers) == len(re.findall("^(?:curl|gzip).*/upload", block, re.MULTILINE))
    assert is_complete(place.output())


@pytest.mark.parametrize(
    ("language", "file", "command"),
    [
        ("python", "upload.py", "python"),
        ("js", "upload.mjs", "node"),
        ("php", "upload.php", "php"),
    ],
)
def test_an_example_uploads_waits_and_saves_the_output(place: Place, language: str, file: str, command: str) -> None:
    """It prints the status, and the saved CSV has the new column."""
    if not shutil.which(command, path=place.path):
        pytest.skip(f"{command} is not installed here")
    place.write(file, titled(UPLOAD, language)[file])
    assert place.succeed(f"{command} {file}") == "completed\n"
    assert is_complete(place.output())


def test_the_apps_script_fills_a_sheet(place: Place) -> None:
    """It runs on a stand-in for Google's runtime."""
    place.write("code.mjs", GOOGLE + titled(UPLOAD, "js")["Code.gs"] + "\ncompressImages();\n")
    place.succeed("node code.mjs")
    assert is_complete(place.output())


@pytest.mark.parametrize(
    ("title", "language", "file", "command"),
    [
        pytest.param("python", "python", "python_client.py", "clients/bin/python", id="openapi-python-client"),
        pytest.param("generator", "python", "generator_client.py", "clients/bin/python", id="openapi-generator"),
        pytest.param("typescript", "ts", "client.mts", "node client.mjs #", id="openapi-typescript"),
    ],
)
def test_a_generated_client_uploads_polls_and_reads_the_output(
    place: Place, title: str, language: str, file: str, command: str
) -> None:
    """The client is generated from the running stack's own document."""
    if title == "generator" and not shutil.which("java"):
        pytest.skip("Java is not installed here; openapi-generator needs it")
    place.write(file, titled(GENERATED, language)[file])
    made = place.run(titled(GENERATED, "sh")[title])
    if made.returncode and NO_REGISTRY.search(made.stdout + made.stderr):
        pytest.skip(f"no package registry can be reached to install the generator: {made.stderr[-200:]}")
    assert made.returncode == 0, f"{made.stdout}{made.stderr}"
    status, _, output = place.succeed(f"{command} {file}").partition("\n")
    assert status.split()[-2:] == ["completed", "0.25"]
    assert is_complete(output)
