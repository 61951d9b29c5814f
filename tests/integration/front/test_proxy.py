"""nginx with our configuration, as compose puts it in front of web, on loopback before a real web process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from imgproc.embedded.ports import DEMO_PORTS, free_port, listens
from tests.support.processes import wait_until
from tests.support.slow_clients import (
    UPLOAD,
    Crowd,
    assert_serves_others,
    get,
    kinds,
    seconds_to_answer,
    status_of_answer,
)
from tests.support.stack import ROOT, Stack, running_stack

MIB = 1024 * 1024
COUNT = 500
BIG = 4_000_000  # bytes; more than nginx and the kernel keep in memory, and 500 of them fit on a disk
KINDS = kinds(b"/outputs/big.csv")
START = ["sh", str(ROOT / "nginx" / "start.sh")]

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed (Debian: nginx-light)")


@contextmanager
def proxy(web: str, **settings: str) -> Iterator[str]:
    """Run the proxy in front of `web` (`host:port`); its URL."""
    with tempfile.TemporaryDirectory(prefix="imgproc-proxy-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # started by root, nginx switches to another user
        yield from _running(folder, web, settings)


def _running(folder: Path, web: str, settings: dict[str, str]) -> Iterator[str]:
    port = free_port(DEMO_PORTS)
    environ = {**os.environ, "RUN_DIR": str(folder), "LISTEN": f"127.0.0.1:{port}", "UPSTREAM": web} | settings
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(START, env=environ, stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack behind the proxy."""
    folder = tmp_path_factory.mktemp("behind") / "var"
    with running_stack(folder, LOG_LEVEL="ERROR", TRUSTED_PROXIES="1", RATE_LIMIT_READS="3000/minute") as running:
        (folder / "objects/outputs/big.csv").write_bytes(b"0" * BIG)
        yield running


@pytest.fixture(scope="module")
def front(stack: Stack) -> Iterator[str]:
    """The URL of the proxy."""
    with proxy(urlsplit(stack.url).netloc) as url:
        yield url


@pytest.fixture(scope="module")
def alone(front: str) -> float:
    """Seconds that a call takes without slow clients."""
    seconds_to_answer(front)
    return seconds_to_answer(front)


@pytest.mark.parametrize(
    "settings", [{}, {"TRUSTED_PROXIES": "2", "ADDRESS_CONNECTIONS": "7", "MAX_UPLOAD_BYTES": "5"}]
)
def test_nginx_accepts_the_configuration(tmp_path: Path, settings: dict[str, str]) -> None:
    """`nginx -t` reports no error and no warning."""
    environ = {**os.environ, "RUN_DIR": str(tmp_path)} | settings
    tried = subprocess.run([*START, "-t"], env=environ, capture_output=True, text=True, check=True)
    complaints = [line for line in tried.stderr.splitlines() if "[" in line and '"user" directive' not in line]
    assert complaints == []


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_do_not_delay_others(front: str, alone: float, kind: str) -> None:
    """The clients use so many addresses that none exceeds its limit of connections."""
    crowd = Crowd(urlsplit(front).port or 0, KINDS[kind], COUNT, spread=True)
    assert_serves_others(crowd, front, alone=alone)


def test_limits_the_connections_of_an_address(stack: Stack) -> None:
    """One connection more gets 429, and other addresses are served."""
    with proxy(urlsplit(stack.url).netloc, ADDRESS_CONNECTIONS="5") as url:
        crowd = Crowd(urlsplit(url).port or 0, KINDS["half a body"], 5)
        with crowd.around():
            refused = requests.get(f"{url}/healthz", timeout=20)
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            with socket.create_connection(("127.0.0.1", crowd.port), source_address=("127.3.0.1", 0)) as other:
                other.sendall(get(b"/healthz"))
                assert status_of_answer(other) == 200


def test_a_trusted_proxy_in_front_may_have_all_connections(stack: Stack) -> None:
    """All connections then come from one address."""
    web = urlsplit(stack.url).netloc
    with proxy(web, ADDRESS_CONNECTIONS="5", TRUSTED_PROXIES="2") as url:
        crowd = Crowd(urlsplit(url).port or 0, KINDS["half a body"], 20)
        with crowd.around():
            assert requests.get(f"{url}/healthz", timeout=20).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_too_large_upload_gets_413(stack: Stack, chunked: bool) -> None:
    """The answer is the one that web gives."""
    with proxy(urlsplit(stack.url).netloc, MAX_UPLOAD_BYTES=str(MIB)) as url:
        body = (b"0" * 65536 for _ in range(100)) if chunked else b"0" * 6 * MIB
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = requests.post(f"{url}/api/upload", data=body, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")


def test_a_large_upload_gets_through(front: str) -> None:
    """It is larger than the buffers of both servers."""
    rows = "".join(f"{row}.,Mug,http://127.0.0.1:9/{row}.jpg\n" for row in range(1, 100_001))
    csv = f"S. No.,Product Name,Input Image Urls\n{rows}"
    answer = requests.post(f"{front}/api/validate", files={"file": ("a.csv", csv)}, timeout=60)
    assert (answer.status_code, answer.json()["counts"]["rows"]) == (200, 100_000)


def test_forged_headers_do_not_change_links(front: str) -> None:
    """Links use the scheme and host of the call to the proxy."""
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "10.0.0.1"}
    csv = "S. No.,Product Name,Input Image Urls\n1.,Mug,http://127.0.0.1:9/mug.jpg\n"
    answer = requests.post(f"{front}/api/upload", files={"file": ("a.csv", csv)}, headers=forged, timeout=60)
    assert answer.json()["statusUrl"].startswith(f"{front}/api/status/")


def test_a_request_with_two_framings_never_reaches_web(front: str) -> None:
    """The proxy refuses it, which prevents request smuggling."""
    with socket.create_connection(("127.0.0.1", urlsplit(front).port or 0)) as client:
        client.sendall(UPLOAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert status_of_answer(client) == 400


def test_answers_503_while_web_is_down() -> None:
    """The answer is a problem with `Retry-After`."""
    with proxy(f"127.0.0.1:{free_port(DEMO_PORTS)}") as url:
        answer = requests.get(f"{url}/healthz", timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (503, "server_busy")
    assert answer.headers["Retry-After"]
