"""What a product of one image costs each server: CPU of the workers, transactions, commands and bytes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil
import redis
import sqlalchemy as sa

from benchmarks.corpus import jpeg
from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.runs import process, warm_up, worker_cpu
from tests.support.host_process import image_host_process
from tests.support.postgresql import postgresql
from tests.support.stack import Stack, running_stack
from tests.support.valkey_server import valkey

SIZES = ("S", "M", "L")
IDLE_SECONDS = 5.0
PRODUCTS = 200
_COUNTS = sa.text(
    "SELECT sum(xact_commit + xact_rollback), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'),"
    " (SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname IN"
    " ('products', 'product_images')) FROM pg_stat_database"
)


@dataclass(frozen=True)
class Counts:
    """What was counted until now."""

    worker_cpu: float  # seconds
    database_cpu: float  # seconds
    redis_cpu: float  # seconds
    transactions: float
    wal: float  # bytes
    tables: float  # bytes
    commands: float
    redis_bytes: float

    def since(self, before: Counts) -> Counts:
        """The difference."""
        return Counts(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


class Counters:
    """Reads the counters of the servers."""

    def __init__(self, stack: Stack, database: str, redis_url: str) -> None:
        self._stack, self._engine = stack, sa.create_engine(database)
        self._redis = redis.Redis.from_url(redis_url)

    def read(self) -> Counts:
        """The counts now. PostgreSQL reports those of a session up to a second late."""
        time.sleep(1.5)
        with self._engine.connect() as connection:
            transactions, wal, tables = map(float, connection.execute(_COUNTS).one())
        info = self._redis.info()
        passed = info["total_net_input_bytes"] + info["total_net_output_bytes"]
        cpu = worker_cpu(self._stack), _postgresql_cpu(), info["used_cpu_user"] + info["used_cpu_sys"]
        return Counts(*cpu, transactions, wal, tables, info["total_commands_processed"], passed)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
        self._redis.close()


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """The cost of a product of one image, by the size of the image."""
    products = number or (40 if quick else PRODUCTS)
    rows = list(_rows(SIZES[:1] if quick else SIZES, products))
    columns = [
        "image", "workers, CPU ms", "PostgreSQL, CPU ms", "Redis, CPU ms", "transactions", "WAL, bytes",
        "tables, bytes", "Redis commands", "Redis, bytes",
    ]  # fmt: skip
    notes = [
        f"Means of {products} products of one image each, in one file, with PostgreSQL: plan, images and finalization.",
        "The same counters of an idle stack were measured first and are subtracted, except those of the tables.",
    ]
    return Table("What a product costs each server", columns, rows, notes)


def _rows(sizes: tuple[str, ...], products: int) -> Iterator[list[str | float]]:
    for size in sizes:
        say(f"  {size}")
        with ExitStack() as servers:
            folder = Path(servers.enter_context(tempfile.TemporaryDirectory()))
            database, queue = servers.enter_context(postgresql()), servers.enter_context(valkey(folder))
            host = servers.enter_context(image_host_process(jpeg(size)))
            settings = {"DATABASE_URL": database, "REDIS_URL": queue, "WORKERS": "2"}
            stack = servers.enter_context(running_stack(folder / "data", **settings))
            counters = Counters(stack, database, queue)
            servers.callback(counters.close)
            warm_up(stack, host)
            yield [size, *_costs(counters, stack, host, products)]


def _costs(counters: Counters, stack: Stack, host: str, products: int) -> list[float]:
    started, first = time.monotonic(), counters.read()
    time.sleep(IDLE_SECONDS)
    second, middle = counters.read(), time.monotonic()
    process(stack, host, products)
    third, end = counters.read(), time.monotonic()
    share = (end - middle) / (middle - started)
    idle, busy = astuple(second.since(first)), astuple(third.since(second))
    means = [(all_ - share * while_idle) / products for all_, while_idle in zip(busy, idle, strict=True)]
    return [1000 * each for each in means[:3]] + means[3:]


def _postgresql_cpu() -> float:
    """CPU seconds of the server, which counts those of its sessions that have ended."""
    total = 0.0
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if each.name() == "postgres":
                times = each.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
