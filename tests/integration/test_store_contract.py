"""The contract of the object store, tested on moto and on a real server, and how outages of the store are reported."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from imgproc.core.errors import ImgprocError, StorageUnavailable
from imgproc.pipeline.storage.object_keys import output_csv_key, rendition_key
from imgproc.pipeline.storage.store import Store
from tests.support.hostile_servers import self_signed
from tests.support.s3 import S3Server, create_buckets, s3_server

REQUEST_ID = "6f1c9f0e-5a55-4c1f-9d0a-0c6f7a1b2c3d"
CSV_KEY = output_csv_key(REQUEST_ID, token="c0ffee" * 5)
MIB = 1024 * 1024


def make_store(endpoint: str | None, **changes: Any) -> Store:
    """A store with the test's keys and short deadlines."""
    settings = {
        "endpoint_url": endpoint,
        "access_key_id": "test-access-key",
        "secret_access_key": "test-secret-key",
        "region": "us-east-1",
        "originals_bucket": "originals",
        "outputs_bucket": "outputs",
        "public_url": "http://public.example/outputs",
        "connect_timeout": 2,
    }
    return Store(**(settings | changes))


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One rclone server for the module."""
    with s3_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    """The URL of moto, which answers as AWS would."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["moto", "rclone"])
def endpoint(request: pytest.FixtureRequest) -> str:
    """The URL of the store under test."""
    if request.param == "moto":
        return str(request.getfixturevalue("moto_server"))
    return str(request.getfixturevalue("real_server").endpoint)


@pytest.fixture
def store(endpoint: str) -> Iterator[Store]:
    """A store with both buckets, emptied of our request afterwards."""
    store = make_store(endpoint)
    create_buckets(store)
    yield store
    store.delete_some(REQUEST_ID)


@pytest.fixture
def objects(endpoint: str) -> Any:
    """A plain S3 client, to check what was stored."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test-access-key",
        aws_secret_access_key="test-secret-key",
        region_name="us-east-1",
    )


def keys(objects: Any, bucket: str, prefix: str = f"{REQUEST_ID}/") -> list[str]:
    """The keys under a prefix."""
    return [found["Key"] for found in objects.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


class Unseekable(io.RawIOBase):
    """A stream like a socket: it can be read once, in order."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        """True: the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        return self._content.readinto(buffer)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"S. No.,Product Name\r\n", id="small"),
        pytest.param(os.urandom(MIB) * 12, id="12-mib-in-parts"),
    ],
)
@pytest.mark.parametrize("stream_of", [io.BytesIO, Unseekable])
def test_an_upload_is_read_back_unchanged(store: Store, content: bytes, stream_of: Callable[[bytes], Any]) -> None:
    """An input of any size, from a seekable stream or not, is read back whole and can be rewound."""
    key = store.put_input(REQUEST_ID, stream_of(content))
    assert key == f"{REQUEST_ID}/input.csv"
    with store.open_input(key) as stored:
        assert stored.read() == content
        assert stored.seek(0) == 0


def test_an_upload_starts_at_the_position_and_stays_open(store: Store) -> None:
    """The stream belongs to the caller: the store reads from its position and leaves it open."""
    stream = io.BytesIO(b"skipped,kept")
    stream.seek(8)
    with store.open_input(store.put_input(REQUEST_ID, stream)) as stored:
        assert stored.read() == b"kept"
    assert not stream.closed


def test_a_missing_upload_is_not_retried(store: Store) -> None:
    """If the store answers that the object does not exist, the error is permanent."""
    with pytest.raises(ImgprocError) as raised:
        store.open_input(f"{REQUEST_ID}/input.csv")
    assert (raised.value.code, raised.value.retryable) == ("input_missing", False)


def test_originals_are_private_and_renditions_public(store: Store, objects: Any) -> None:
    """Each kind goes to its own bucket, with the given Content-Type."""
    store.put_original(f"{REQUEST_ID}/1/1.png", b"source", content_type="image/png")
    store.put_rendition(f"{REQUEST_ID}/1/1-shoe.jpg", b"rendition", content_type="image/jpeg")
    original = objects.get_object(Bucket="originals", Key=f"{REQUEST_ID}/1/1.png")
    rendition = objects.get_object(Bucket="outputs", Key=f"{REQUEST_ID}/1/1-shoe.jpg")
    assert (original["Body"].read(), original["ContentType"]) == (b"source", "image/png")
    assert (rendition["Body"].read(), rendition["ContentType"]) == (b"rendition", "image/jpeg")


def test_a_copy_equals_its_source(store: Store, objects: Any) -> None:
    """A copy has the same bytes and headers in the same bucket, and its source stays."""
    first, second = (f"{REQUEST_ID}/{row}/1.png" for row in (1, 2))
    store.put_original(first, b"original", content_type="image/png")
    store.put_rendition(first, b"rendition", content_type="image/jpeg")
    store.copy_original(first, second)
    store.copy_rendition(first, second)
    for bucket, body, content_type in (
        ("originals", b"original", "image/png"),
        ("outputs", b"rendition", "image/jpeg"),
    ):
        assert keys(objects, bucket) == [first, second]
        copy, put = (objects.get_object(Bucket=bucket, Key=key) for key in (second, first))
        assert (copy["Body"].read(), copy["ContentType"]) == (body, content_type)
        assert copy.get("CacheControl") == put.get("CacheControl")


def test_copying_a_missing_object_fails(store: Store) -> None:
    """It is reported like any other failure of the store."""
    for copy in (store.copy_original, store.copy_rendition):
        with pytest.raises(StorageUnavailable, match="to copy"):
            copy(f"{REQUEST_ID}/8/1.png", f"{REQUEST_ID}/9/1.png")


def test_compares_an_original_with_given_bytes(store: Store) -> None:
    """The store compares hashes, which the server returns as ETags."""
    key = f"{REQUEST_ID}/1/1.png"
    store.put_original(key, b"original", content_type="image/png")
    assert store.original_is(key, b"original")
    assert not store.original_is(key, b"originaL")
    with pytest.raises(StorageUnavailable):
        store.original_is(f"{REQUEST_ID}/9/1.png", b"original")


def test_a_second_put_replaces_the_first(store: Store, objects: Any) -> None:
    """A job that runs again writes the same key again."""
    key = f"{REQUEST_ID}/1/1-shoe.jpg"
    for body in (b"a longer first body", b"second"):
        store.put_rendition(key, body, content_type="image/jpeg")
    assert objects.get_object(Bucket="outputs", Key=key)["Body"].read() == b"second"
    assert keys(objects, "outputs") == [key]


@pytest.mark.parametrize(
    "product_name",
    [
        pytest.param("Crème brûlée", id="accents"),
        pytest.param("红鞋", id="no-ascii-form"),
        pytest.param("../../etc/passwd", id="path-traversal"),
        pytest.param(".hidden", id="leading-dot"),
        pytest.param("a\x00b\r\n", id="control-characters"),
        pytest.param("100% & more?#x", id="url-syntax"),
        pytest.param("x" * 5000, id="long"),
        pytest.param("\u202egpj.exe", id="right-to-left-override"),
    ],
)
def test_every_product_name_gives_a_key_the_store_takes(store: Store, objects: Any, product_name: str) -> None:
    """The path of the public URL names the stored object."""
    key = rendition_key(REQUEST_ID, row=1, position=1, product_name=product_name, extension="jpg")
    store.put_rendition(key, b"rendition", content_type="image/jpeg")
    path = unquote(urlsplit(store.public_url(key)).path)
    assert objects.get_object(Bucket="outputs", Key=path.removeprefix("/outputs/"))["Body"].read() == b"rendition"


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"S. No.\r\n", b"1.\r\n"], id="small"),
        pytest.param([b"x" * MIB] * 10, id="10-mib-in-parts"),
    ],
)
@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_a_csv_is_stored_from_chunks(store: Store, objects: Any, chunks: list[bytes], private: bool) -> None:
    """The chunks may come from a generator; the object has the type of a CSV and is only in the chosen bucket."""
    store.put_csv(CSV_KEY, (chunk for chunk in chunks), private=private)
    stored = objects.get_object(Bucket="originals" if private else "outputs", Key=CSV_KEY)
    assert stored["Body"].read() == b"".join(chunks)
    assert stored["ContentType"] == "text/csv; charset=utf-8"
    assert keys(objects, "outputs" if private else "originals") == []
    body = store.open_csv(CSV_KEY)
    assert (body.read() if body else None) == (b"".join(chunks) if private else None)
    for _ in range(2):
        store.delete_csvs([CSV_KEY], private=private)
    assert keys(objects, "originals") == keys(objects, "outputs") == []


def test_a_csv_that_cannot_be_written_is_not_stored(store: Store, objects: Any) -> None:
    """The writer's error passes unchanged, and no partial file is stored."""

    def chunks() -> Iterator[bytes]:
        yield b"S. No.\r\n"
        raise LookupError

    with pytest.raises(LookupError):
        store.put_csv(CSV_KEY, chunks(), private=False)
    assert keys(objects, "outputs") == []


def test_deleting_a_request_spares_the_others(store: Store, objects: Any) -> None:
    """Every object under the request's prefix is deleted, in both buckets; deleting twice is no error."""
    neighbour = f"{REQUEST_ID}0/1/1-shoe.jpg"
    store.put_rendition(neighbour, b"other", content_type="image/jpeg")
    store.put_input(REQUEST_ID, io.BytesIO(b"input"))
    store.put_original(f"{REQUEST_ID}/1/1.png", b"source", content_type="image/png")
    store.put_rendition(f"{REQUEST_ID}/1/1-shoe.jpg", b"rendition", content_type="image/jpeg")
    for _ in range(2):
        assert store.delete_some(REQUEST_ID)
        assert keys(objects, "originals") == keys(objects, "outputs") == []
    assert keys(objects, "outputs", prefix=neighbour) == [neighbour]
    store.delete_some(f"{REQUEST_ID}0")


def test_deletes_a_page_of_objects_at_a_time(store: Store, objects: Any) -> None:
    """S3 lists and deletes at most 1,000 keys at once; the return value tells whether the request has more."""
    with ThreadPoolExecutor(8) as threads:
        for row in range(1, 1006):
            threads.submit(store.put_rendition, f"{REQUEST_ID}/{row}/1-a.jpg", b"x", content_type="image/jpeg")
    assert len(keys(objects, "outputs")) == 1000
    assert not store.delete_some(REQUEST_ID)
    assert len(keys(objects, "outputs")) == 5
    assert store.delete_some(REQUEST_ID)
    assert keys(objects, "outputs") == []


def test_ping_needs_both_buckets(endpoint: str) -> None:
    """`ping` succeeds once both exist."""
    store = make_store(endpoint, originals_bucket="first-originals", outputs_bucket="first-outputs")
    with pytest.raises(StorageUnavailable):
        store.ping()
    create_buckets(store)
    store.ping()


def test_a_missing_bucket_delays_the_work(endpoint: str) -> None:
    """A missing bucket is an outage, which delays the product and does not fail it."""
    store = make_store(endpoint, originals_bucket="absent-originals", outputs_bucket="absent-outputs")
    for operation in OPERATIONS.values():
        with pytest.raises(StorageUnavailable) as raised:
            operation(store)
        assert raised.value.retryable


OPERATIONS: dict[str, Callable[[Store], Any]] = {
    "put_input": lambda store: store.put_input(REQUEST_ID, io.BytesIO(b"x" * 9 * MIB)),
    "open_input": lambda store: store.open_input(f"{REQUEST_ID}/input.csv"),
    "put_original": lambda store: store.put_original(f"{REQUEST_ID}/1/1.png", b"x", content_type="image/png"),
    "put_rendition": lambda store: store.put_rendition(f"{REQUEST_ID}/1/1-a.jpg", b"x", content_type="image/jpeg"),
    "put_csv": lambda store: store.put_csv(CSV_KEY, [b"x"], private=False),
    "put_csv, private": lambda store: store.put_csv(CSV_KEY, [b"x"], private=True),
    "open_csv": lambda store: store.open_csv(CSV_KEY),
    "delete_csvs": lambda store: store.delete_csvs([CSV_KEY], private=False),
    "delete_some": lambda store: store.delete_some(REQUEST_ID),
    "ping": lambda store: store.ping(),
}
IMAGES = {"put_original", "put_rendition"}  # the operations that use obstore


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
    error = "HTTPClientError" if name in IMAGES else "EndpointConnectionError"
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


@pytest.mark.parametrize("name", ["put_csv", "put_rendition"])
def test_connections_are_kept(fake_s3: ThreadingHTTPServer, name: str) -> None:
    """Consecutive puts use one connection."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}")
    for _ in range(3):
        OPERATIONS[name](store)
    assert len(FakeS3.connections) == 1


def in_child(call: Callable[[], Any]) -> int:
    """The status with which a forked child ends: 0 if the call succeeds, else 1."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call()
            status = 0
        finally:
            os._exit(status)  # the child must not run the parent's test session to its end
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_connections_are_never_shared_with_a_fork(fake_s3: ThreadingHTTPServer) -> None:
    """A forked child opens its own for files and refuses to put images, which would hang; the parent's still work."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}")
    put_file, put_image = (partial(OPERATIONS[name], store) for name in ("put_csv", "put_rendition"))
    put_file(), put_image()
    assert len(FakeS3.connections) == 2
    assert in_child(put_file) == 0
    assert len(FakeS3.connections) == 3
    assert in_child(put_image) == 1
    put_file(), put_image()
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
    """The clients for files and for images both trust the certificates of AWS_CA_BUNDLE."""
    context, trusted = self_signed(tmp_path)
    fake_s3.socket = context.wrap_socket(fake_s3.socket, server_side=True)
    endpoint = f"https://127.0.0.1:{fake_s3.server_port}"
    for name in ("put_csv", "put_rendition"):
        with pytest.raises(StorageUnavailable):
            OPERATIONS[name](make_store(endpoint))
    assert not FakeS3.puts
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
    for name in ("put_csv", "put_rendition"):
        OPERATIONS[name](make_store(endpoint))
    assert FakeS3.puts == [200, 200]


# obstore does not limit its pool: it may open a connection while another is being returned.
@pytest.mark.parametrize(("name", "most"), [("put_csv", 4), ("put_rendition", 8)])
def test_threads_share_one_client(fake_s3: ThreadingHTTPServer, name: str, most: int) -> None:
    """Concurrent threads open few more connections than there are threads."""
    store = make_store(f"http://127.0.0.1:{fake_s3.server_port}", pool_size=4)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(100):
            threads.submit(OPERATIONS[name], store)
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
