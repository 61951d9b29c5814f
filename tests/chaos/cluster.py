"""A cluster of real processes: servers, web, two pools on separate hosts, two sweepers, a receiver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM
from typing import NamedTuple

import flask_migrate
from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db.engine import db
from imgproc.embedded.ports import DEMO_PORTS, free_port, is_ready, listens
from imgproc.embedded.supervisor import Service
from imgproc.journey.services import services
from imgproc.pipeline.notify import generate_secret
from tests.chaos import start, traps
from tests.chaos.managed_process import ManagedProcess, PythonService
from tests.chaos.network import Loopback, Network
from tests.support import s3
from tests.support.hosts.troubled_host import TroubledHost
from tests.support.postgresql import PostgreSQL
from tests.support.valkey_server import valkey_service

PUBLIC_URL = "http://public.example/outputs"
CLOCKS = (90.0, -90.0)  # seconds by which the clocks of the two hosts are wrong at first
SWEEPERS = (1, 2)
CHECK_SECONDS = 0.2
WEB_APP = "tests.chaos.web:app"

# Leases are short, so that a dead worker's work is taken over soon. Attempts are many, because workers die here without
# any fault of the product. `docs/explanation/reliability.md` explains both numbers.
SETTINGS = {
    "DOWNLOAD_TIMEOUT": "20",
    "LEASE_SECONDS": "3",
    "LOG_LEVEL": "INFO",
    "MAX_ATTEMPTS": "20",
    "S3_ACCESS_KEY_ID": s3.ACCESS_KEY,
    "S3_PUBLIC_URL": PUBLIC_URL,
    "S3_SECRET_ACCESS_KEY": s3.SECRET,
    "SWEEP_INTERVAL": "1",
    "WEBHOOK_RETRY_SCHEDULE": ",".join(["1"] * 10 + ["2"] * 50),
    "WORKERS": "8",  # of which three processes work on two or three jobs each
    "WORKER_PROCESSES": "2",
}


class Servers(NamedTuple):
    """The servers that our processes use; SQLite needs none."""

    database: ManagedProcess | None
    redis: ManagedProcess
    s3: ManagedProcess


@dataclass
class Cluster:
    """A running cluster, whose processes the faults hit."""

    folder: Path
    environ: dict[str, str]
    spawner: ThreadPoolExecutor
    database: ManagedProcess | None
    redis: ManagedProcess
    s3: ManagedProcess
    network: Loopback
    troubled_hosts: Sequence[TroubledHost] = ()
    clocks: list[float] = field(default_factory=lambda: list(CLOCKS))
    # Set once nothing is left for a fault to hit: every request has ended, and every webhook is sent as well.
    made: threading.Event = field(default_factory=threading.Event)
    announced: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.web_port, self.receiver_port = free_port(DEMO_PORTS), free_port(DEMO_PORTS)
        self.traps.mkdir()
        self.receive("ok")
        self.receiver = self._managed(self._receiver)
        self.web = self._managed(self._web)
        self.pools = [self._managed(partial(self._pool, host)) for host in range(len(self.clocks))]
        self.sweepers = [self._managed(partial(self._sweeper, number)) for number in SWEEPERS]
        self.app = self._migrated()

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://{self.network.address_of(self.web_host)}:{self.web_port}"

    @property
    def web_host(self) -> int:
        """The number of the host of web; each host before it has a pool, and the first two have a sweeper."""
        return len(self.clocks)

    @property
    def webhook_url(self) -> str:
        """The address of the webhook receiver."""
        return f"http://{self.network.address}:{self.receiver_port}/webhook"

    @property
    def objects(self) -> Path:
        """The folder of the buckets."""
        return self.folder / "objects"

    @property
    def traps(self) -> Path:
        """The folder of the traps."""
        return self.folder / "traps"

    @property
    def received(self) -> Path:
        """The receiver's log."""
        return self.folder / "received.jsonl"

    @property
    def ours(self) -> list[ManagedProcess]:
        """Our own processes."""
        return [self.web, *self.pools, *self.sweepers]

    @property
    def everything(self) -> list[ManagedProcess]:
        """All processes, in the order to start them in."""
        return [*filter(None, [self.database]), self.redis, self.s3, self.receiver, *self.ours]

    def receive(self, mode: str) -> None:
        """Let the receiver answer `ok`, `500`, or not at all (`hang`) from now on."""
        draft = self.folder / "mode.new"
        draft.write_text(mode)
        draft.replace(self.folder / "mode")

    def keep_running(self, stop: threading.Event) -> None:
        """Start every process again that ends by itself, until `stop` is set."""
        while not stop.wait(CHECK_SECONDS):
            for process in self.everything:
                process.restart_if_ended()

    def _managed(self, service: Callable[[], Service]) -> ManagedProcess:
        return ManagedProcess(service, spawner=self.spawner)

    def _python(self, name: str, *arguments: str, host: int | None = None, **environ: str) -> Service:
        return PythonService(
            name,
            ["-m", *arguments],
            environ=self.environ | {traps.FOLDER: str(self.traps)} | environ,
            log_file=self.folder / f"{name}.log",
            network=None if host is None else self.network.namespace_of(host),
        )

    def _pool(self, host: int) -> Service:
        clock = {start.CLOCK: str(self.clocks[host])}
        return self._python(f"pool{host + 1}", "tests.chaos.start", "worker", host=host, **clock)

    def _sweeper(self, number: int) -> Service:
        return self._python(f"sweeper{number}", "tests.chaos.start", "sweeper", host=number - 1)

    def _web(self) -> Service:
        """Two web processes, forked from a preloaded one, so that a dead one is replaced at once."""
        bind = ["--bind", f"{self.network.address_of(self.web_host)}:{self.web_port}"]
        processes = ["--preload", "--workers", "2", "--threads", "8"]
        return self._python("web", "gunicorn", *bind, *processes, WEB_APP, host=self.web_host)

    def _receiver(self) -> Service:
        arguments = ["tests.support.receiver", self.network.address, str(self.receiver_port), str(self.folder)]
        plain = self._python("receiver", *arguments)
        return PythonService(**vars(plain) | {"ready": lambda: listens(self.receiver_port, self.network.address)})

    def disconnect(self) -> None:
        """Close our own connections to the database."""
        with self.app.app_context():
            db.engine.dispose()

    def _migrated(self) -> Flask:
        """Create the tables and the buckets; the app that looks into the cluster."""
        app = create_app(load_settings(self.environ | {"LOG_LEVEL": "ERROR"}))
        with app.app_context():
            flask_migrate.upgrade()
            s3.create_buckets(services().store)
            db.engine.dispose()
        return app


@contextmanager
def open_cluster(
    folder: Path,
    *,
    database: str,
    mutation: str = "",
    network: Loopback | None = None,
    settings: Mapping[str, str] | None = None,
    clocks: Sequence[float] = CLOCKS,
    route: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda _: {},
) -> Iterator[Cluster]:
    """A running cluster in an empty folder, on `postgresql` or `sqlite`; all its processes end with the block.

    `route` changes settings once the servers listen, such as their addresses.
    """
    with ExitStack() as cleanup:
        spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")
        cleanup.callback(spawner.shutdown)
        network = network or Loopback()
        servers, environ = _start_servers(folder, database, spawner, cleanup, network)
        environ |= {**route(environ), **(settings or {}), start.MUTATION: mutation}
        cluster = Cluster(folder, environ, spawner, *servers, network=network, clocks=list(clocks))
        for process in [cluster.receiver, *cluster.ours]:
            cleanup.callback(process.end)
            process.start()
        _wait_for(cluster)
        stop = threading.Event()
        keeper = threading.Thread(target=cluster.keep_running, args=(stop,), name="keeper")
        keeper.start()
        cleanup.callback(keeper.join)
        cleanup.callback(stop.set)
        cleanup.callback(cluster.disconnect)
        yield cluster


def _start_servers(
    folder: Path, database: str, spawner: ThreadPoolExecutor, cleanup: ExitStack, network: Loopback
) -> tuple[Servers, dict[str, str]]:
    (folder / "objects").mkdir()
    redis, redis_url = valkey_service(folder, network.address)
    objects, s3_url = s3.object_store_service(folder / "objects", network.address)
    database_server: ManagedProcess | None = None
    environ = UNSET_SETTINGS | SETTINGS
    environ |= {"DATA_DIR": str(folder / "data"), "REDIS_URL": redis_url, "S3_ENDPOINT_URL": s3_url}
    environ["ALLOWED_NETWORKS"] = network.subnet
    environ["HOST"] = "0.0.0.0"  # on loopback the API would accept only loopback host names
    environ["WEBHOOK_SECRET"] = generate_secret()
    if database == "postgresql":
        postgresql = PostgreSQL()
        if isinstance(network, Network):
            postgresql.listen_on(network.address, network.subnet)
        cleanup.callback(postgresql.remove)
        database_server = ManagedProcess(postgresql.service, spawner=spawner)
        environ["DATABASE_URL"] = postgresql.url
    servers = Servers(
        database_server,
        ManagedProcess(lambda: redis, spawner=spawner),
        ManagedProcess(lambda: objects, spawner=spawner),
    )
    for process in filter(None, servers):
        cleanup.callback(process.end, SIGINT if process is database_server else SIGKILL)
        process.start()
    return servers, environ


def _wait_for(cluster: Cluster) -> None:
    ready = threading.Event()
    for _ in range(600):
        if is_ready(cluster.url):
            return
        ready.wait(0.1)
    raise TimeoutError(f"The web process did not become ready: {(cluster.folder / 'web.log').read_text()}")


def stop_ours(cluster: Cluster) -> None:
    """Stop our processes, and wait until the last one has ended."""
    for process in cluster.ours:
        process.end(SIGTERM)
