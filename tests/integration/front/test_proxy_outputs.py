"""What the proxy does beside web: the public outputs from their bucket, and TLS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from imgproc.embedded.ports import DEMO_PORTS, free_port
from tests.integration.front import test_proxy
from tests.integration.front.test_proxy import proxy
from tests.support import small_disks
from tests.support.certificates import issue
from tests.support.http_server import Answer, Call, serve
from tests.support.stack import ROOT

IMAGE, CSV = "/outputs/5be6944d/1/1-mug.jpg", "/outputs/5be6944d/c0ffee/output.csv"
CACHE = {IMAGE: "public, max-age=3600", CSV: "private, no-store"}

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed (Debian: nginx-light)")


class Bucket:
    """An object store with the bucket `pictures`, which records what it is asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Answer:
        """Answer with the headers that a store gives."""
        self.calls.append(call)
        cache = CACHE.get(call.path.replace("/pictures/", "/outputs/"))
        if cache is None:
            return Answer(404)
        return Answer(200, b"bytes", {"Cache-Control": cache, "x-amz-version-id": "v1", "Content-Type": "image/jpeg"})


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    """The store of the module."""
    return Bucket()


@pytest.fixture(scope="module")
def front(bucket: Bucket) -> Iterator[str]:
    """The URL of a proxy with the address of the outputs; web is away."""
    with serve(bucket) as store, proxy("127.0.0.1:1", OUTPUTS_URL=f"{store}/pictures") as url:
        yield url


@pytest.mark.parametrize(
    ("path", "kept_for"),
    [pytest.param(IMAGE, "public, max-age=86400", id="image"), pytest.param(CSV, "private, no-store", id="CSV")],
)
def test_outputs_come_from_their_bucket(front: str, path: str, kept_for: str) -> None:
    """Images may be kept for a day, CSVs not at all; no header tells a version."""
    answer = requests.get(front + path, timeout=10)
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"bytes", kept_for)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "x-amz-version-id" not in answer.headers


def test_the_store_learns_the_key_alone(front: str, bucket: Bucket) -> None:
    """Neither a version, nor keys and cookies of the API's host."""
    headers = {"Authorization": "Bearer imgproc_key", "Cookie": "session=1"}
    assert requests.get(f"{front}{IMAGE}?versionId=v0&acl", headers=headers, timeout=10).ok
    call = bucket.calls[-1]
    assert call.path == IMAGE.replace("/outputs/", "/pictures/")
    assert not {"authorization", "cookie"} & call.headers.keys()


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_outputs_can_only_be_read(front: str, bucket: Bucket, method: str) -> None:
    """Whatever the policy of the bucket says, other methods do not reach it."""
    before = len(bucket.calls)
    assert requests.request(method, front + IMAGE, data=b"x", timeout=10).status_code == 403
    assert len(bucket.calls) == before


@pytest.mark.parametrize("path", ["/outputs/", "/outputs", "/outputs/../originals/a", "/pictures/a"])
def test_nothing_else_of_the_store_can_be_reached(front: str, bucket: Bucket, path: str) -> None:
    """No list of the bucket, and no other bucket: those paths go to web, which is away here."""
    before = len(bucket.calls)
    request = requests.Request("GET", front).prepare()
    request.url = front + path  # as given; requests would resolve the dots
    with requests.Session() as session:
        assert session.send(request, timeout=10).status_code == 503
    assert len(bucket.calls) == before


def test_with_a_certificate_the_proxy_speaks_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are in a folder beside its configuration."""
    folder = tmp_path / "nginx"
    shutil.copytree(ROOT / "nginx", folder)
    (folder / "tls").mkdir()
    issued = issue("localhost")
    (folder / "tls/fullchain.pem").write_bytes(issued.pem)
    (folder / "tls/privkey.pem").write_bytes(
        issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    monkeypatch.setattr(test_proxy, "START", ["sh", str(folder / "start.sh")])
    port = free_port(DEMO_PORTS)
    with proxy("127.0.0.1:1", TLS_LISTEN=f"127.0.0.1:{port}") as plain:
        authority = folder / "tls/fullchain.pem"
        answer = requests.get(f"https://127.0.0.1:{port}/healthz", verify=str(authority), timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "server_busy")
        assert requests.get(f"{plain}/healthz", timeout=10).status_code == 503


@pytest.mark.skipif(bool(small_disks.why_not()), reason=small_disks.why_not())
def test_a_full_disk_of_the_proxy_refuses_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller may try again, as for a full disk of web."""
    mount = 'mount -t tmpfs -o size=512k,mode=755 tmpfs "$RUN_DIR" && exec "$0" "$@"'
    monkeypatch.setattr(test_proxy, "START", [*small_disks.OWN_MOUNTS, "sh", "-c", mount, *test_proxy.START])
    with proxy("127.0.0.1:1") as url:
        answer = requests.post(f"{url}/api/upload", data=b"0" * 4 * 1024 * 1024, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "server_busy")
    assert answer.headers["Retry-After"] == "5"
