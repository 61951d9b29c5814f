"""The contract of the object store, run against every S3 server that is installed, by a user of the least rights."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests
from botocore.exceptions import ClientError

from imgproc.core.errors import ImgprocError, StorageUnavailable
from imgproc.pipeline.storage import buckets
from imgproc.pipeline.storage.object_keys import rendition_key
from imgproc.pipeline.storage.object_options import ObjectOptions
from imgproc.pipeline.storage.store import Store
from tests.support.s3 import create_buckets
from tests.support.s3_servers import SERVERS, Server
from tests.support.store_operations import CSV_KEY, MIB, OPERATIONS, REQUEST_ID


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server under test, one for the module."""
    with SERVERS[request.param](tmp_path_factory.mktemp("objects")) as server:
        create_buckets(server.store(administrator=True))
        yield server


@pytest.fixture(scope="module")
def the_store(server: Server) -> Store:
    """The store of all tests: its clients take longer to make than most tests."""
    return server.store()


@pytest.fixture
def store(the_store: Store) -> Iterator[Store]:
    """The store, emptied of our request afterwards."""
    yield the_store
    the_store.delete_some(REQUEST_ID)


@pytest.fixture(scope="module")
def objects(server: Server) -> Any:
    """A plain S3 client, to check what was stored."""
    return server.store(administrator=True).client()


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


def test_ping_needs_both_buckets(server: Server) -> None:
    """`ping` succeeds once both exist."""
    store = server.store(administrator=True, originals_bucket="first-originals", outputs_bucket="first-outputs")
    with pytest.raises(StorageUnavailable):
        store.ping()
    create_buckets(store)
    store.ping()


def test_a_missing_bucket_delays_the_work(server: Server) -> None:
    """A missing bucket is an outage, which delays the product and does not fail it."""
    store = server.store(originals_bucket="absent-originals", outputs_bucket="absent-outputs")
    for operation in OPERATIONS.values():
        with pytest.raises(StorageUnavailable) as raised:
            operation(store)
        assert raised.value.retryable


def test_a_prefix_starts_every_key(server: Server, objects: Any) -> None:
    """Two imgprocs with prefixes of their own share buckets: a removal spares the objects of the other."""
    ours, theirs = (server.store(options=ObjectOptions(prefix=prefix)) for prefix in ("shop/a/", "shop/b/"))
    image = f"{REQUEST_ID}/1/1.png"
    for store in (ours, theirs):
        with store.open_input(store.put_input(REQUEST_ID, io.BytesIO(b"input"))) as stored:
            assert stored.read() == b"input"
        store.put_original(image, b"source", content_type="image/png")
        store.put_rendition(image, b"rendition", content_type="image/png")
        store.copy_rendition(image, f"{REQUEST_ID}/2/1.png")
        store.put_csv(CSV_KEY, [b"x"], private=True)
        assert store.original_is(image, b"source")
        for opened in (store.open_csv(CSV_KEY), store.open_picture(image, original=False)):
            assert opened is not None
            opened.close()
    assert ours.public_url(image) == f"{server.endpoint}/outputs/shop/a/{image}"
    while not ours.delete_some(REQUEST_ID):
        pass
    left = {key for bucket in ours.buckets for key in keys(objects, bucket, "")}
    assert left == {f"shop/b/{REQUEST_ID}/{name}" for name in ("input.csv", "1/1.png", "2/1.png")} | {
        f"shop/b/{CSV_KEY}"
    }
    theirs.delete_some(REQUEST_ID)


def test_strangers_read_outputs_and_nothing_else(server: Server, store: Store) -> None:
    """They get an output by its key, list none, and read no originals."""
    if not server.opens:
        pytest.skip("This server has no bucket policies; the web process serves its outputs.")
    store.put_rendition(f"{REQUEST_ID}/1/1.jpg", b"rendition", content_type="image/jpeg")
    store.put_original(f"{REQUEST_ID}/1/1.jpg", b"source", content_type="image/jpeg")
    answer = requests.get(store.public_url(f"{REQUEST_ID}/1/1.jpg"), timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (b"rendition", "image/jpeg")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    for path in ("outputs", "outputs?versions", "originals", f"originals/{REQUEST_ID}/1/1.jpg"):
        assert requests.get(f"{server.endpoint}/{path}", timeout=10).status_code == 403
    assert requests.put(f"{server.endpoint}/outputs/mine.jpg", data=b"x", timeout=10).status_code == 403


def test_a_probe_leaves_nothing(server: Server, store: Store, objects: Any) -> None:
    """The rights of imgproc's user are enough for `imgproc check`."""
    store.ping()
    with buckets.probe(store) as key:
        assert keys(objects, "originals", key) == keys(objects, "outputs", key) == [key]
    assert keys(objects, "originals", key) == keys(objects, "outputs", key) == []


def test_a_removal_leaves_no_version(server: Server, store: Store, objects: Any) -> None:
    """This test is the last, because a bucket cannot forget that it kept versions."""
    try:
        objects.put_bucket_versioning(Bucket="outputs", VersioningConfiguration={"Status": "Enabled"})
    except ClientError as error:
        pytest.skip(f"This server keeps no versions ({error.response['Error']['Code']}).")
    for body in (b"first", b"second"):
        store.put_rendition(f"{REQUEST_ID}/1/1.jpg", body, content_type="image/jpeg")
    store.put_csv(CSV_KEY, [b"x"], private=False)
    store.delete_csvs([CSV_KEY], private=False)
    while not store.delete_some(REQUEST_ID):
        pass
    left = objects.list_object_versions(Bucket="outputs", Prefix=REQUEST_ID)
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")
