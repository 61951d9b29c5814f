"""How outages and faults of the object store are reported, and which of them are retried."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import SSLError

from imgproc.core.errors import StorageUnavailable
from imgproc.pipeline.storage.store import Store
from tests.support.forks import in_child
from tests.support.hostile_servers import self_signed
from tests.support.s3 import S3Server, s3_server
from tests.support.store_operations import OPERATIONS, REQUEST_ID, SMALL, make_store


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One rclone server for the module."""
    with s3_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_wrong_credentials_delay_the_work(real_server: S3Server, operation: Callable[[Store], Any]) -> None:
    """The error is retryable, and neither its text nor its repr contains the secret."""
    secret = "not-the-secret"
    with pytest.raises(StorageUnavailable, match="S3_") as raised:
        operation(make_store(real_server.endpoint, secret_access_key=secret))
    assert raised.value.retryable
    assert secret not in repr(raised.value)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_server_that_is_down_delays_the_work(name: str) -> None:
    """A refused connection is retryable."""
    error = "HTTPClientError" if name in SMALL else "EndpointConnectionError"
    with socket.socket() as never_listening:
        never_listening.bind(("127.0.0.1", 0))
        with pytest.raises(StorageUnavailable, match=error) as raised:
            OPERATIONS[name](make_store(f"http://127.0.0.1:{never_listening.getsockname()[1]}"))
    assert raised.value.retryable


@pytest.mark.parametrize("name", ["put_rendition", "put_input", "open_input"])
def test_a_server_that_never_answers_delays_the_work(name: str) -> None:
    """The read deadline ends the wait for a server that accepts and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = make_store(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout=0.1, total_timeout=0.1)
        with pytest.raises(StorageUnavailable) as raised:
            OPERATIONS[name](store)
    assert raised.value.retryable


# A put of each client.
PUTS: dict[str, Callable[[Store], Any]] = {
    "boto3": lambda store: store.client().put_object(Bucket="outputs", Key="large.csv", Body=b"x"),
    "obstore": OPERATIONS["put_rendition"],
}
LATE = 0  # stands for an error in the body of a 200 response (S3, CopyObject)


class FakeS3(BaseHTTPRequestHandler):
    """Answers the first puts with `stumbles`, accepts all others, and cuts every get short."""

    protocol_version = "HTTP/1.1"
    connections: set[tuple[str, int]]
    stumbles: list[int]
    puts: list[int]

    def do_PUT(self) -> None:
        """Accept the put, or answer with the next status of `stumbles`."""
        assert self.path.startswith("/"), "the client takes the server for a proxy"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.connections.add(self.client_address)
        self.puts.append(self.stumbles.pop(0) if self.stumbles else 200)
        body = b""
        if "x-amz-copy-source" in self.headers:
            body = b"<CopyObjectResult><ETag>1</ETag></CopyObjectResult>"
        if late := self.puts[-1] == LATE:
            body = b"<Error><Code>InternalError</Code></Error>"
        self.send_response(200 if late else self.puts[-1])
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Send fewer bytes than promised."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"S. No.")
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def fake_s3() -> Iterator[ThreadingHTTPServer]:
    """A server that counts its connections."""
    FakeS3.connections, FakeS3.stumbles, FakeS3.puts = set(), [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeS3) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield server
        server.shutdown()


def test_a_download_that_breaks_off_delays_the_work(fake_s3: ThreadingHTTPServer) -> None:
    """A partial body is never taken for the whole file."""
    with pytest.raises(StorageUnavailable):
        make_store(f"http://127.0.0.1:{fake_s3.server_port}").open_input(f"{REQUEST_ID}/input.csv")


@pytest.mark.parametrize(("name", "most"), [("boto3", 1), ("obstore", 5)])
def test_connections_are_kept(fake_s3: ThreadingHTTPServer, name: str, most: int) -> None:
    """Consecutive puts use few connections: obstore may return one to its pool after the next put has begun."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}")
    for _ in range(20):
        PUTS[name](store)
    assert len(FakeS3.puts) == 20
    assert len(FakeS3.connections) <= most


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_connections_are_never_shared_with_a_fork(fake_s3: ThreadingHTTPServer) -> None:
    """A child opens its own for large files, and refuses to put small ones, which would hang; the parent's work."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}")
    put_large, put_small = (partial(put, store) for put in PUTS.values())
    put_large(), put_small()
    assert len(FakeS3.connections) == 2
    assert in_child(put_large) == 0
    assert len(FakeS3.connections) == 3
    assert in_child(put_small) == 1
    put_large(), put_small()
    assert len(FakeS3.connections) == 3


COPY = {"source_key": f"{REQUEST_ID}/1/1.png", "key": f"{REQUEST_ID}/2/1.png"}
RETRIED: dict[str, Callable[[Store], Any]] = {
    "put_original": OPERATIONS["put_original"],
    "copy_original": lambda store: store.copy_original(**COPY),
}


@pytest.mark.parametrize("operation", RETRIED.values(), ids=RETRIED)
@pytest.mark.parametrize(
    ("stumbles", "puts"),
    [([500], [500, 200]), ([503, 500], [503, 500, 200]), ([500] * 4, [500] * 3), ([403], [403])],
    ids=["one error", "two errors", "too many errors", "a refusal"],
)
def test_a_server_error_is_retried(
    fake_s3: ThreadingHTTPServer, operation: Callable[[Store], Any], stumbles: list[int], puts: list[int]
) -> None:
    """Server errors are retried for a short while; a refusal is not."""
    FakeS3.stumbles = list(stumbles)
    ends = nullcontext() if puts[-1] == 200 else pytest.raises(StorageUnavailable, match=str(puts[-1]))
    with ends:
        operation(make_store(f"http://127.0.0.1:{fake_s3.server_port}"))
    assert FakeS3.puts == puts


def test_a_copy_that_fails_late_is_retried(fake_s3: ThreadingHTTPServer) -> None:
    """S3 may have answered 200 by then, and reports the failure in the body."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}")
    FakeS3.stumbles = [LATE]
    RETRIED["copy_original"](store)
    assert FakeS3.puts == [LATE, 200]
    FakeS3.stumbles = [LATE] * 3
    with pytest.raises(StorageUnavailable, match="InternalError"):
        RETRIED["copy_original"](store)


def test_a_server_with_a_private_certificate_authority(
    fake_s3: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both clients trust the certificates of AWS_CA_BUNDLE."""
    context, trusted = self_signed(tmp_path)
    fake_s3.socket = context.wrap_socket(fake_s3.socket, server_side=True)
    endpoint = f"https://127.0.0.1:{fake_s3.server_port}"
    for put in PUTS.values():
        with pytest.raises((StorageUnavailable, SSLError)):
            put(make_store(endpoint))
    assert not FakeS3.puts
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
    for put in PUTS.values():
        put(make_store(endpoint))
    assert FakeS3.puts == [200, 200]


# obstore does not limit its pool: it may open a connection while another is being returned.
@pytest.mark.parametrize(("name", "most"), [("boto3", 4), ("obstore", 8)])
def test_threads_share_one_client(fake_s3: ThreadingHTTPServer, name: str, most: int) -> None:
    """Concurrent threads open few more connections than there are threads."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}", pool_size=4)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(100):
            threads.submit(PUTS[name], store)
    assert len(FakeS3.puts) == 100
    assert len(FakeS3.connections) <= most


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_configured_endpoint_is_reached_without_the_proxy(
    fake_s3: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The proxy of the environment is for the internet, not for a store with an endpoint of its own."""
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    OPERATIONS["put_rendition"](make_store(f"http://127.0.0.1:{fake_s3.server_port}"))
    assert len(FakeS3.connections) == 1
