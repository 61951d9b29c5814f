"""Every command of the operators' questions runs as it stands, against a stack on PostgreSQL."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from imgproc.demo.catalogue import PICTURES, catalogue_csv
from imgproc.demo.site import serve_site
from tests.support import preloaded
from tests.support.postgresql import postgresql, programs
from tests.support.stack import ROOT, Stack, running_stack

PAGE = ROOT / "docs/how-to/questions.md"
QUESTION = re.compile(
    r"^(\d+)\. \*\*(.+?)\*\*[^`]*?(?:`[^`\n]+`[^`]*?)*\n\n    ```sh\n    (.+)\n    ```$", re.MULTILINE
)
WAITS = "S. No.,Product Name,Input Image Urls\n1,Mug,http://127.0.0.1:1/mug.jpg\n"  # for its host, two minutes
PREFIX = len("imgproc_") + 6  # of a key, by which it is named
GREP_FINDS_NONE = 1  # exit status of a question whose best answer is that there is nothing


def commands() -> list[str]:
    """The commands of the page, which are numbered from 1."""
    found = QUESTION.findall(PAGE.read_text())
    assert [int(number) for number, _, _ in found] == list(range(1, 61))
    return [command for _, _, command in found]


def tools(folder: Path) -> Path:
    """A folder with the commands `imgproc`, `flask` and `python` of this checkout."""
    folder.mkdir()
    for name, command in {"imgproc": "-m imgproc", "flask": "-m flask", "python": ""}.items():
        tool = folder / name
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        tool.chmod(0o755)
    return folder


def run(command: str, environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell; one of ours alone by a fork, which takes a tenth of the time."""
    if command.startswith("imgproc "):
        return preloaded.run(["-m", *shlex.split(command)], environ=environ)
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def fill_in(command: str, stack: Stack, folder: Path, *, request_id: str, key: str, receiver: str) -> str:
    """The command with the addresses and names of this stack in place of those of the page."""
    filled = command.replace("localhost:8000", stack.url.removeprefix("http://")).replace("imgproc.log", "var.log")
    filled = re.sub(r"(?<= )(\w+\.(csv|log))\b", rf"{folder}/\1", filled)
    for word, value in {"ID": request_id, "KEY": key, "RECEIVER": receiver}.items():
        filled = re.sub(rf"(?<![\w$-]){word}\b", value, filled)
    return filled


def test_every_question_is_answered_by_its_command(tmp_path: Path) -> None:
    """In the order of the page: keys are revoked, and the request is deleted, at their ends."""
    failures = []
    with (
        postgresql() as url,
        serve_site(PICTURES) as site,
        running_stack(tmp_path / "var", DATABASE_URL=url, LOG_FORMAT="json") as stack,
    ):
        catalogue = catalogue_csv(f"{site.url}/pictures")
        (tmp_path / "products.csv").write_text(catalogue)
        some_fail = f"{catalogue}99,Broken,{site.url}/pictures/missing.jpg\n"
        request_id = stack.submit(some_fail, webhookUrl=f"{site.url}/webhook")["requestId"]
        assert stack.wait(request_id)["status"] == "completed_with_errors"
        environ = os.environ | stack.environ | {"DATABASE_URL": url.replace("+psycopg", ""), "PYTHONPATH": str(ROOT)}
        environ |= {"PATH": f"{tools(tmp_path / 'bin')}:{programs()}:{os.environ['PATH']}", "FLASK_APP": "wsgi"}
        names = {"request_id": request_id, "key": "", "receiver": f"{site.url}/webhook"}
        for number, command in enumerate(commands(), 1):
            running = {"request_id": stack.submit(WAITS)["requestId"]} if "cancel" in command else {}
            if "download" in command:  # an earlier command has tried its failed images again
                stack.wait(request_id)
            filled = fill_in(command, stack, tmp_path, **names | running)
            done = run(filled, environ, tmp_path)
            if "keys create" in command or "keys rotate " in command:
                names["key"] = done.stdout[:PREFIX]
            if done.returncode and not ("grep" in command and done.returncode == GREP_FINDS_NONE):
                failures.append(f"{number}. {filled}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    assert not failures, "\n".join(failures)
