"""The S3 servers that the contract of the store runs against, each with a user of the least rights.

moto and the embedded one (rclone) are always there. `make programs` installs the others; without one its tests are
skipped.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from imgproc.embedded.ports import LOOPBACK, EmbeddedError, require_free_port
from imgproc.pipeline.storage import buckets
from imgproc.pipeline.storage.store import Store
from scripts.programs import find
from tests.support.s3 import ACCESS_KEY, SECRET, create_buckets, s3_server

ROOT = Path(__file__).parents[2]
ADMIN, ADMIN_SECRET = "test-admin-key", "test-admin-secret"
STARTING = 30.0  # seconds
BUCKETS = ("originals", "outputs")


@dataclass(frozen=True)
class Server:
    """A running server: `user` and `admin` are pairs of key and secret; `opens`: strangers may read outputs."""

    endpoint: str
    user: tuple[str, str] = (ACCESS_KEY, SECRET)
    admin: tuple[str, str] = (ACCESS_KEY, SECRET)
    opens: bool = False
    region: str = "us-east-1"

    def store(self, *, administrator: bool = False, **changes: Any) -> Store:
        """A store with short deadlines, as imgproc's user or as the administrator."""
        key, secret = self.admin if administrator else self.user
        settings: dict[str, Any] = {
            "endpoint_url": self.endpoint,
            "access_key_id": key,
            "secret_access_key": secret,
            "region": self.region,
            "originals_bucket": "originals",
            "outputs_bucket": "outputs",
            "public_url": f"{self.endpoint}/outputs",
            "connect_timeout": 2,
        }
        return Store(**(settings | changes))


def program(name: str) -> str:
    """The path of a program; skips the test without it."""
    found = find(name)
    if found is None:
        pytest.skip(f"{name} is missing (make programs), so its contract is not tested.")
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, nor on the port 10,000 above, which some servers use too.

    Neither is one that the kernel gives to outgoing connections.
    """
    while True:
        start = random.randrange(20_000, 22_700)
        ports = [start + number for number in range(count)]
        if all(_is_free(each) for port in ports for each in (port, port + 10_000)):
            return ports


def _is_free(port: int) -> bool:
    try:
        require_free_port(LOOPBACK, port)
    except EmbeddedError:
        return False
    return True


@contextmanager
def running(command: list[str], folder: Path, *, ready: Callable[[], Any], **environ: str) -> Iterator[None]:
    """Run a server while the block runs, from when `ready` returns without an error."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env={**os.environ, **environ})
    try:
        deadline = time.monotonic() + STARTING
        while True:
            try:
                ready()
                break
            except Exception:  # noqa: BLE001 - whatever the client raises, the server is not ready
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text()[-2000:]) from None
                time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """moto, which answers as AWS does, and checks no keys."""
    server = ThreadedMotoServer(LOOPBACK, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Server(f"http://{host}:{port}")
    server.stop()


@contextmanager
def rclone(folder: Path) -> Iterator[Server]:
    """The embedded server, which has one user."""
    with s3_server(folder) as server:
        yield Server(server.endpoint)


@contextmanager
def minio(folder: Path) -> Iterator[Server]:
    """MinIO, prepared by the script of compose: the user has the rights of `minio/worker-policy.json`."""
    command, client = program("minio"), program("mc")
    (port,) = free_ports(1)
    server = Server(f"http://{LOOPBACK}:{port}", admin=(ADMIN, ADMIN_SECRET), opens=True)
    root = {"MINIO_ROOT_USER": ADMIN, "MINIO_ROOT_PASSWORD": ADMIN_SECRET, "MINIO_BROWSER": "off"}
    arguments = ["server", "--quiet", "--address", f"{LOOPBACK}:{port}", str(folder / "data")]
    ready = server.store(administrator=True).client().list_buckets
    with running([command, *arguments], folder, ready=ready, **root):
        environ = os.environ | root
        environ |= {
            "PATH": f"{Path(client).parent}:{os.environ['PATH']}",
            "MC_CONFIG_DIR": str(folder / "mc"),
            "S3_ENDPOINT_URL": server.endpoint,
            "S3_ACCESS_KEY_ID": ACCESS_KEY,
            "S3_SECRET_ACCESS_KEY": SECRET,
            "S3_ORIGINALS_BUCKET": "originals",
            "S3_OUTPUTS_BUCKET": "outputs",
        }
        subprocess.run(["sh", str(ROOT / "minio/init.sh")], env=environ, check=True, capture_output=True)
        yield server


@contextmanager
def seaweedfs(folder: Path) -> Iterator[Server]:
    """SeaweedFS: its configuration gives each user rights by bucket."""
    command = program("weed")
    rights = [f"{right}:{bucket}" for right in ("Read", "Write", "List") for bucket in BUCKETS]
    identities = [
        _identity("admin", ADMIN, ADMIN_SECRET, ["Admin", "Read", "Write", "List", "Tagging"]),
        _identity("imgproc", ACCESS_KEY, SECRET, rights),
        {"name": "anonymous", "actions": ["Read:outputs"]},
    ]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    s3, master, volume, filer = free_ports(4)
    ports = [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    places = [f"-dir={folder}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", f"-s3.config={config}"]
    small = ["-volume.max=40", "-master.volumeSizeLimitMB=64"]
    server = Server(f"http://{LOOPBACK}:{s3}", admin=(ADMIN, ADMIN_SECRET), opens=True)
    store = server.store(administrator=True)

    def ready() -> None:
        create_buckets(store)
        with buckets.probe(store):
            pass

    with running([command, "server", "-s3", *ports, *places, *small], folder, ready=ready):
        yield server


@contextmanager
def versitygw(folder: Path) -> Iterator[Server]:
    """versitygw on a folder: a user has the rights that the policies of the buckets grant."""
    command = program("versitygw")
    (port,) = free_ports(1)
    server = Server(f"http://{LOOPBACK}:{port}", admin=(ADMIN, ADMIN_SECRET), opens=True)
    store = server.store(administrator=True)
    for name in ("data", "users", "versions"):
        (folder / name).mkdir()
    root = ["--access", ADMIN, "--secret", ADMIN_SECRET]
    listens = ["--quiet", "--port", f"{LOOPBACK}:{port}", "--iam-dir", str(folder / "users")]
    keeps = ["posix", "--versioning-dir", str(folder / "versions"), str(folder / "data")]
    ready = store.client().list_buckets
    with running([command, *root, *listens, *keeps], folder, ready=ready):
        user = ["create-user", "--access", ACCESS_KEY, "--secret", SECRET, "--role", "user"]
        admin = [command, "admin", "--allow-insecure", *root, "--endpoint-url", server.endpoint, *user]
        subprocess.run(admin, check=True, capture_output=True)
        for bucket in BUCKETS:
            buckets.create(store, bucket, region=server.region)
            buckets.grant(store, bucket, principal=ACCESS_KEY)
        buckets.open_to_readers(store, "outputs")
        yield server


def _identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


SERVERS = {"moto": moto, "rclone": rclone, "minio": minio, "seaweedfs": seaweedfs, "versitygw": versitygw}
