"""The command line where something is odd: no server, another one, a wrong key, a closed pipe, an empty environment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from imgproc.cli.main import HELP, MODULES
from imgproc.core.config import UNSET_SETTINGS
from imgproc.embedded.ports import DEMO_PORTS, free_port
from tests.support import preloaded
from tests.support.stack import ROOT
from tests.support.terminals import start_on_terminal

COUNTS = {"total": 1, "completed": 1, "failed": 0}
STATUS = {
    "requestId": "x",
    "status": "completed",
    "createdAt": "2026-11-23T10:00:00Z",
    "filename": "a.csv",
    "options": {},
    "progress": {"percent": 100, "products": COUNTS, "images": COUNTS},
    "bytes": {"source": 1, "output": 1},
}
IMGPROC = [sys.executable, "-m", "imgproc"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment without any setting and without a stack."""
    return {**os.environ, **UNSET_SETTINGS, "DATA_DIR": str(tmp_path / "var")}


def run(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return preloaded.run(["-m", "imgproc", *arguments], environ=environ)


@pytest.mark.parametrize("command", [["list"], ["status", "x"], ["cancel", "x"], ["delete", "x", "--yes"]])
def test_without_a_stack_every_call_says_how_to_start_one(environ: dict[str, str], command: list[str]) -> None:
    """In one line, at once."""
    failed = run(*command, environ={**environ, "PORT": str(free_port(DEMO_PORTS))})
    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (3, "", 1)
    assert "imgproc up" in failed.stderr
    assert "--url" in failed.stderr


def test_a_missing_scheme_is_a_wrong_usage(environ: dict[str, str]) -> None:
    """The line has an example."""
    failed = run("list", "--url", "127.0.0.1:8000", environ=environ)
    assert (failed.returncode, "http://127.0.0.1:8000" in failed.stderr) == (2, True)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        pytest.param(Response("<h1>It works!</h1>"), 3, "did not send this, so check the address", id="another server"),
        pytest.param(Response("", status=308, headers={"Location": "https://a/b"}), 3, "https://a/b", id="a redirect"),
        pytest.param(
            Response('{"title":"x","code":"invalid_api_key","detail":"Unknown key."}', status=401),
            4,
            "Unknown key. Here, set IMGPROC_API_KEY, or give --key.",
            id="a wrong key",
        ),
        pytest.param(
            Response('{"title":"x","code":"not_found","detail":"Nothing here."}', status=404),
            1,
            "Nothing here. The address called was http",
            id="an address below the server",
        ),
    ],
)
def test_says_what_is_wrong_with_the_server(
    environ: dict[str, str], httpserver: HTTPServer, answer: Response, status: int, said: str
) -> None:
    """In one line, and as JSON where that is wanted."""
    httpserver.expect_request("/api/requests").respond_with_response(answer)
    failed = run("list", "--url", httpserver.url_for("/"), environ=environ)
    assert (failed.returncode, said in failed.stderr, failed.stdout) == (status, True, "")
    as_json = json.loads(run("list", "--json", "--url", httpserver.url_for("/"), environ=environ).stderr)
    assert said in as_json["detail"]
    assert as_json["code"]


@pytest.mark.parametrize("name", ["missing.csv", ""])
def test_a_missing_file_is_a_wrong_usage(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    """The line names the file, and nothing is sent."""
    failed = run("submit", str(tmp_path / name), environ=environ)
    assert (failed.returncode, "Traceback" in failed.stderr, str(tmp_path) in failed.stderr) == (2, False, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sumbit", "a.csv"], "Did you mean submit?"),
        (["validate", "--qualty", "3", "a.csv"], "--quality"),
        (["frobnicate"], "No such command"),
        (["--list"], "No such option"),
    ],
)
def test_a_misspelt_name_is_a_wrong_usage(environ: dict[str, str], words: list[str], said: str) -> None:
    """The error names the nearest command or option, if one is near."""
    failed = run(*words, environ=environ)
    assert (failed.returncode, said in failed.stderr) == (2, True), failed.stderr


def endless(request: Request) -> Response:
    """A page of products, and the cursor of one more."""
    first = int(request.args.get("cursor", 0))
    known = {"productName": "Mug", "status": "completed", "images": []}
    items = [{"line": first + each, "serialNumber": "1", **known} for each in range(int(request.args["limit"]))]
    return Response(json.dumps({"items": items, "nextCursor": str(first + len(items))}))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_closed_pipe_ends_an_endless_list(
    environ: dict[str, str], httpserver: HTTPServer, options: list[str]
) -> None:
    """Products are written as they come, so a request of any size takes no memory; `| head` ends without a word."""
    httpserver.expect_request("/api/requests/x/products").respond_with_handler(endless)
    command = [*IMGPROC, "products", "x", "--url", httpserver.url_for("/"), *options]
    with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", [["products", "x", "--limit", "3"], ["download", "x", "--output", "-"]])
def test_a_full_disk_is_reported_in_one_line(
    environ: dict[str, str], httpserver: HTTPServer, command: list[str]
) -> None:
    """Standard output may be a file."""
    httpserver.expect_request("/api/requests/x/products").respond_with_handler(endless)
    httpserver.expect_request("/api/requests/x/output.csv").respond_with_data(b"a,b")
    httpserver.expect_request("/api/status/x").respond_with_json(STATUS)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*IMGPROC, *command, "--url", httpserver.url_for("/")],
            env=environ,
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "No space left on device" in done.stderr


def test_a_closed_standard_input_is_a_wrong_usage(environ: dict[str, str]) -> None:
    """A service may be started without one."""
    command = f"{shlex.join([*IMGPROC, 'submit', '-'])} <&-"
    done = subprocess.run(command, shell=True, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "name a file" in done.stderr) == (2, True)


def test_reading_from_a_terminal_is_announced(environ: dict[str, str], httpserver: HTTPServer) -> None:
    """`imgproc submit -` would otherwise seem to hang."""
    httpserver.expect_request("/api/upload").respond_with_json(
        {"title": "x", "code": "invalid_csv", "detail": "The file is empty."}, status=422
    )
    terminal = start_on_terminal("submit", "-", "--url", httpserver.url_for("/"), environ=environ)
    terminal.read_until("Ctrl-D")
    terminal.type("\x04")
    status, shown = terminal.finish()
    assert (status, "Error: The file is empty.\n" in shown) == (1, True)


def test_help_lists_every_command() -> None:
    """The texts of the list are beside the modules, which the list does not import."""
    assert list(HELP) == list(MODULES)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 server that has bucket policies."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_init_makes_what_is_missing_and_check_finds_the_rest(environ: dict[str, str], s3: str) -> None:
    """The first start finds nothing, the second finds everything; `check` names what is still wrong, each in a line."""
    environ |= {"S3_ENDPOINT_URL": s3, "S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}
    environ |= {
        "REDIS_URL": f"redis://:hunter2@127.0.0.1:{free_port(DEMO_PORTS)}/0",
        "PORT": str(free_port(DEMO_PORTS)),
    }
    environ |= {"S3_ORIGINALS_BUCKET": "cli-originals", "S3_OUTPUTS_BUCKET": "cli-outputs"}  # moto has one state
    before = run("check", environ=environ)
    assert (before.returncode, before.stdout.count("run imgproc init")) == (1, 1)
    made, again = (run("init", environ=environ) for _ in range(2))
    assert (made.returncode, again.returncode) == (0, 0), made.stdout
    assert made.stdout.count("is made") == 2
    assert "can now be read by everyone" in made.stdout
    assert again.stdout.count("was there") == 2
    assert "could already be read" in again.stdout
    checked = run("check", environ=environ)
    states = {line.split()[1]: line.split()[0] for line in checked.stdout.splitlines()}
    states.pop("keys")  # a note
    fine = dict.fromkeys(("database", "buckets", "disk"), "ok")
    assert states == fine | dict.fromkeys(("redis", "access", "web", "webhooks"), "wrong"), checked.stdout
    assert "Everyone can list the outputs" in checked.stdout  # moto checks no rights
    assert (checked.returncode, "hunter2" in checked.stdout, checked.stderr) == (1, False, "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({}, "No object store is configured", id="nothing"),
        pytest.param({"S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "check that S3_ENDPOINT_URL is right", id="no server"),
    ],
)
def test_init_says_what_is_missing(environ: dict[str, str], settings: dict[str, str], said: str) -> None:
    """The tables are made all the same."""
    keys = {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}
    failed = run("init", environ={**environ, **keys, **settings})
    assert failed.returncode == 1
    assert "ok     tables" in failed.stdout
    assert said in failed.stdout
