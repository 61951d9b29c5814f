"""What both clients of the store ask an S3 server for: addresses, tokens, encryption, caching and storage classes."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple

import pytest

from imgproc.core.config import ConfigError, load_settings
from imgproc.pipeline.storage import buckets
from imgproc.pipeline.storage.object_options import ObjectOptions
from tests.support.store_operations import MIB, make_store

KEY = "some-request/1/1.jpg"
KMS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
HASH = '"not-the-md5-of-the-bytes"'


class Call(NamedTuple):
    """One call that the server recorded."""

    method: str
    host: str
    path: str
    headers: dict[str, str]


class Recorder(BaseHTTPRequestHandler):
    """Answers every call of S3 that the store makes with success, and records it."""

    protocol_version = "HTTP/1.1"
    calls: ClassVar[list[Call]] = []

    def answer(self) -> None:
        """Record the call and answer it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.calls.append(Call(self.command, self.headers["Host"], self.path, headers))
        body = b"stored" if self.command in {"GET", "HEAD"} else b""
        if "uploads" in self.path:
            body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        elif self.command == "POST":
            body = b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>"
        elif "x-amz-copy-source" in headers:
            body = b"<CopyObjectResult><ETag>1</ETag></CopyObjectResult>"
        self.send_response(200)
        self.send_header("ETag", HASH)
        self.send_header("Last-Modified", "Sat, 28 Nov 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        """A put, a part or a copy."""
        self.answer()

    def do_POST(self) -> None:
        """The start or the end of an upload in parts."""
        self.answer()

    def do_GET(self) -> None:
        """An object."""
        self.answer()

    def do_HEAD(self) -> None:
        """The headers of an object."""
        self.answer()

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def s3() -> Iterator[ThreadingHTTPServer]:
    """A server that records its calls."""
    Recorder.calls = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield server
        server.shutdown()


def calls_of(server: ThreadingHTTPServer, **options: Any) -> dict[str, list[Call]]:
    """The calls of each operation that stores something."""
    changes = {name: options.pop(name) for name in ("session_token",) if name in options}
    store = make_store(f"http://127.0.0.1:{server.server_port}", options=ObjectOptions(**options), **changes)
    operations: dict[str, Callable[[], Any]] = {
        "input": lambda: store.put_input("some-request", io.BytesIO(b"x")),
        "large input": lambda: store.put_input("some-request", io.BytesIO(b"x" * 9 * MIB)),
        "original": lambda: store.put_original(KEY, b"x", content_type="image/jpeg"),
        "rendition": lambda: store.put_rendition(KEY, b"x", content_type="image/jpeg"),
        "copied original": lambda: store.copy_original(KEY, "other-request/1/1.jpg"),
        "copied rendition": lambda: store.copy_rendition(KEY, "other-request/1/1.jpg"),
        "CSV": lambda: store.put_csv("some-request/output.csv", [b"x"], private=False),
    }
    made = {}
    for name, operation in operations.items():
        Recorder.calls = []
        operation()
        made[name] = Recorder.calls
    return made


IMAGES = {"original", "rendition", "copied original", "copied rendition"}


def test_without_options_the_bucket_decides(s3: ThreadingHTTPServer) -> None:
    """No call names an encryption, a storage class or a token; a file above 8 MiB is sent in parts."""
    made = calls_of(s3)
    named = {name for calls in made.values() for call in calls for name in call.headers}
    unwanted = ("x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-security-token")
    assert not [name for name in named if name.startswith(unwanted)]
    assert [call.method for call in made["large input"]] == ["POST", "PUT", "PUT", "POST"]
    assert made["rendition"][0].headers["cache-control"] == "public, max-age=3600"
    assert made["CSV"][0].headers["cache-control"] == "private, no-store"


def test_every_object_is_encrypted_with_the_key(s3: ThreadingHTTPServer) -> None:
    """Puts, the starts of uploads in parts, and copies ask for SSE-KMS, and sign what they ask for."""
    made = calls_of(s3, encryption="aws:kms", kms_key_id=KMS_KEY)
    for calls in made.values():
        headers = calls[0].headers
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == KMS_KEY
        assert "x-amz-server-side-encryption-aws-kms-key-id" in headers["authorization"]


def test_an_encrypted_original_is_compared_by_its_bytes(s3: ThreadingHTTPServer) -> None:
    """With SSE-KMS the entity-tag is no MD5."""
    store = make_store(
        f"http://127.0.0.1:{s3.server_port}", options=ObjectOptions(encryption="aws:kms", kms_key_id=KMS_KEY)
    )
    assert store.original_is(KEY, b"stored")
    assert not store.original_is(KEY, b"storeD")


@pytest.mark.parametrize("encryption", [None, "AES256"])
def test_images_get_their_storage_class(s3: ThreadingHTTPServer, encryption: str | None) -> None:
    """Copies too: AWS does not copy the class of the source. Files keep the class of the bucket."""
    made = calls_of(s3, image_storage_class="STANDARD_IA", encryption=encryption)
    for name, calls in made.items():
        assert calls[0].headers.get("x-amz-storage-class") == ("STANDARD_IA" if name in IMAGES else None)
        assert calls[0].headers.get("x-amz-server-side-encryption") == encryption


def test_renditions_are_cached_as_configured(s3: ThreadingHTTPServer) -> None:
    """CSVs are still never cached."""
    made = calls_of(s3, image_cache_control="public, max-age=60, immutable")
    assert made["rendition"][0].headers["cache-control"] == "public, max-age=60, immutable"
    assert made["CSV"][0].headers["cache-control"] == "private, no-store"


def test_temporary_credentials_send_their_token(s3: ThreadingHTTPServer) -> None:
    """Every call of both clients has it."""
    made = calls_of(s3, session_token="the-token")
    assert {call.headers.get("x-amz-security-token") for calls in made.values() for call in calls} == {"the-token"}


def test_both_clients_put_the_prefix_first(s3: ThreadingHTTPServer) -> None:
    """The rows of the database leave it out."""
    store = make_store(f"http://127.0.0.1:{s3.server_port}", options=ObjectOptions(prefix="shop/"))
    store.put_csv("some-request/output.csv", [b"x"], private=False)
    store.put_rendition(KEY, b"x", content_type="image/jpeg")
    paths = [call.path.partition("?")[0] for call in Recorder.calls]
    assert paths == ["/outputs/shop/some-request/output.csv", f"/outputs/shop/{KEY}"]


def test_the_policy_covers_the_prefix() -> None:
    """Strangers and users get no rights to objects beside it; two prefixes have statements of their own."""
    assert buckets.public_read("b", prefix="shop/")["Resource"] == ["arn:aws:s3:::b/shop/*"]
    assert buckets.public_read("b", prefix="shop/")["Sid"] != buckets.public_read("b")["Sid"]
    objects, lists = buckets.for_user("b", prefix="shop/", principal="worker")
    assert objects["Resource"] == ["arn:aws:s3:::b", "arn:aws:s3:::b/shop/*"]
    assert "s3:DeleteObject" in objects["Action"]
    assert lists["Resource"] == ["arn:aws:s3:::b"]


@pytest.mark.parametrize(
    ("given", "read"),
    [("", ""), ("imgproc", "imgproc/"), ("shop/imgproc/", "shop/imgproc/"), ("v1.2_a-b/", "v1.2_a-b/")],
)
def test_a_prefix_ends_with_a_slash(given: str, read: str) -> None:
    """Whether it is given with one or not."""
    assert load_settings({"S3_PREFIX": given}).s3_prefix == read


@pytest.mark.parametrize("given", ["/shop", "a//b", "../a", "a/../b", "./a", "a b", "a?b", "é", "/", "a\nb"])
def test_a_prefix_that_servers_refuse_is_refused(given: str) -> None:
    """Servers that keep files refuse empty, `.` and `..` segments; others would need escapes in policies."""
    with pytest.raises(ConfigError, match="S3_PREFIX"):
        load_settings({"S3_PREFIX": given})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S3_ENCRYPTION", "kms"),
        ("S3_IMAGE_CACHE_CONTROL", "public\r\nSet-Cookie: a=b"),
        ("S3_IMAGE_STORAGE_CLASS", "IA\n"),
        ("S3_KMS_KEY_ID", "schlüssel"),
    ],
)
def test_a_value_that_no_header_may_have_is_refused(name: str, value: str) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match=name):
        load_settings({name: value})
