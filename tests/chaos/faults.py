"""The faults: each function injects one into the cluster and returns whether it hit a target."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

import psutil
import redis
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.journey import turns
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from tests.chaos import traps
from tests.chaos.cluster import Cluster
from tests.chaos.fault_plan import Fault
from tests.chaos.managed_process import ManagedProcess
from tests.chaos.network import Network, Way

LONGEST_SKEW = 90.0  # seconds
TRAP_SECONDS = 15.0  # how long a trap waits for a process

InjectFault = Callable[[Cluster, Fault], bool]


def kill_worker(cluster: Cluster, fault: Fault) -> bool:
    """SIGKILL one worker; its pool starts another."""
    return _signal_one(_workers(cluster), fault, signal.SIGKILL) is not None


def stall_worker(cluster: Cluster, fault: Fault) -> bool:
    """SIGSTOP one worker for longer than its lease, then let it go on with the product that it has lost."""
    worker = _signal_one(_workers(cluster), fault, signal.SIGSTOP)
    if worker is None:
        return False
    time.sleep(fault.lasts)
    with suppress(psutil.NoSuchProcess):  # it may have been killed meanwhile
        worker.send_signal(signal.SIGCONT)
    return True


def _workers(cluster: Cluster) -> list[psutil.Process]:
    return [worker for pool in cluster.pools for worker in pool.children()]


def _signal_one(processes: list[psutil.Process], fault: Fault, number: signal.Signals) -> psutil.Process | None:
    """Signal one process at random; None if there is none left."""
    if not processes:
        return None
    victim = processes[int(fault.chance * len(processes))]
    try:
        victim.send_signal(number)
    except psutil.NoSuchProcess:
        return None
    return victim


def kill_pool(cluster: Cluster, fault: Fault) -> bool:
    """SIGKILL a pool; its workers die with it, at any point of their work."""
    return _kill(_one_of(cluster.pools, fault))


def change_clock(cluster: Cluster, fault: Fault) -> bool:
    """Stop a pool with SIGTERM, and start it again with another wrong clock."""
    host = int(fault.chance * len(cluster.pools))
    with cluster.pools[host].down(signal.SIGTERM):
        cluster.clocks[host] = random.Random(fault.chance).uniform(-LONGEST_SKEW, LONGEST_SKEW)
    return True


def kill_sweeper(cluster: Cluster, fault: Fault) -> bool:
    """SIGKILL a sweeper."""
    return _kill(_one_of(cluster.sweepers, fault))


def kill_web(cluster: Cluster, fault: Fault) -> bool:
    """SIGKILL one web process, which gunicorn starts again; sometimes SIGKILL gunicorn itself."""
    if fault.chance < 0.2:
        return _kill(cluster.web)
    return _signal_one(cluster.web.children(), fault, signal.SIGKILL) is not None


def kill_web_before_enqueueing(cluster: Cluster, fault: Fault) -> bool:
    """A web process dies after an upload's commit and before its plan is enqueued: no answer, no job."""
    return _trap(cluster, "plans")


def kill_worker_before_finalizing(cluster: Cluster, fault: Fault) -> bool:
    """A worker dies after the CSVs are stored and before the request ends."""
    return _trap(cluster, "complete")


def kill_worker_before_electing(cluster: Cluster, fault: Fault) -> bool:
    """A worker dies after the commit of a request's last product and before the election of its finalizer."""
    return _trap(cluster, "elect_finalizer")


def kill_worker_before_announcing(cluster: Cluster, fault: Fault) -> bool:
    """A worker dies after the request has ended and before its delivery is enqueued."""
    return _trap(cluster, "deliveries")


def kill_worker_before_recording(cluster: Cluster, fault: Fault) -> bool:
    """A worker dies after a webhook is sent and before its result is recorded."""
    return _trap(cluster, "record")


def _trap(cluster: Cluster, name: str) -> bool:
    traps.set_trap(cluster.traps, name)
    deadline = time.monotonic() + TRAP_SECONDS
    while time.monotonic() < deadline and not cluster.announced.is_set():
        if not (cluster.traps / name).exists():
            return True
        time.sleep(0.05)
    return not traps.take_back(cluster.traps, name)


def flush_redis(cluster: Cluster, fault: Fault) -> bool:
    """FLUSHALL: every job in the queue is lost."""
    try:
        with cluster.app.app_context():
            return bool(redis_client().flushall())
    except redis.RedisError:
        return False


def restart_redis_empty(cluster: Cluster, fault: Fault) -> bool:
    """Redis is killed and comes back empty."""
    return _take_down(cluster.redis, fault)


def restart_postgresql(cluster: Cluster, fault: Fault) -> bool:
    """An immediate shutdown (SIGQUIT, as by `pg_ctl -m immediate restart`), then a start with recovery."""
    if cluster.database is None:
        return False
    return _take_down(cluster.database, fault, signal.SIGQUIT)


def kill_s3(cluster: Cluster, fault: Fault) -> bool:
    """The object store is killed and comes back."""
    return _take_down(cluster.s3, fault)


def stall_s3(cluster: Cluster, fault: Fault) -> bool:
    """The object store accepts connections and does not answer."""
    with cluster.s3.lock:
        cluster.s3.send(signal.SIGSTOP)
        time.sleep(fault.lasts)
        cluster.s3.send(signal.SIGCONT)
    return True


def receiver_answers_500(cluster: Cluster, fault: Fault) -> bool:
    """The webhook receiver answers 500."""
    return _receive(cluster, fault, "500")


def receiver_hangs(cluster: Cluster, fault: Fault) -> bool:
    """The webhook receiver reads requests and does not answer before the deadline."""
    return _receive(cluster, fault, "hang")


def kill_receiver(cluster: Cluster, fault: Fault) -> bool:
    """The webhook receiver is killed and comes back."""
    return _take_down(cluster.receiver, fault)


def duplicate_jobs(cluster: Cluster, fault: Fault) -> bool:
    """Enqueue jobs twice: for waiting, running and ended work, and for epochs that never existed."""
    with cluster.app.app_context():
        try:
            redis_client().ping()
            products = _some(sa.select(Product.id), 30)
            finalized = _some(sa.select(ProcessingRequest.id, ProcessingRequest.finalize_epoch), 5)
            deliveries = _some(sa.select(WebhookDelivery.id), 5)
        except (DBAPIError, redis.RedisError):
            return False
        for _ in range(2):
            enqueue.plans(row.id for row in finalized)
            turns.enqueue_products(row.id for row in products)
            enqueue.deliveries(row.id for row in deliveries)
            for row in finalized:
                enqueue.finalization(row.id, epoch=row.finalize_epoch)
                enqueue.finalization(row.id, epoch=row.finalize_epoch - 1)
    return True


def _some(statement: Any, count: int) -> list[sa.Row[Any]]:
    with db.engine.connect() as connection:
        return list(connection.execute(statement.order_by(sa.func.random()).limit(count)))


def cut_host(cluster: Cluster, fault: Fault) -> bool:
    """The link of a host is down, and comes up again when other hosts may have taken its work over."""
    return _disturb(cluster, fault, lambda network, host: network.cut(host))


def cut_one_way(cluster: Cluster, fault: Fault) -> bool:
    """A host can send but not receive, or receive but not send."""
    way = Way.TO_HOST if fault.chance * 1000 % 1 < 0.5 else Way.FROM_HOST
    return _disturb(cluster, fault, lambda network, host: network.dropping(host, way))


def lose_packets(cluster: Cluster, fault: Fault) -> bool:
    """A third of all packets to and from a host is lost."""
    return _disturb(cluster, fault, lambda network, host: network.dropping(host, *Way, share=1 / 3))


def delay_packets(cluster: Cluster, fault: Fault) -> bool:
    """Packets to a host arrive late."""
    return _disturb(cluster, fault, lambda network, host: network.delaying(host))


def _disturb(cluster: Cluster, fault: Fault, trouble: Callable[[Network, int], AbstractContextManager[None]]) -> bool:
    """Disturb the link of one host; a lock lets each disturbance be undone before the next one starts."""
    assert isinstance(cluster.network, Network)
    host = int(fault.chance * (cluster.web_host + 1))
    with cluster.network.locks[host], trouble(cluster.network, host):
        time.sleep(fault.lasts)
    return True


def _one_of(processes: list[ManagedProcess], fault: Fault) -> ManagedProcess:
    return processes[int(fault.chance * len(processes))]


def _kill(process: ManagedProcess) -> bool:
    """SIGKILL the process without its children, then start it again."""
    with process.lock:
        process.send(signal.SIGKILL)
        time.sleep(0.1)
        process.end()
        process.start()
    return True


def _take_down(process: ManagedProcess, fault: Fault, number: signal.Signals = signal.SIGKILL) -> bool:
    with process.down(number):
        time.sleep(fault.lasts)
    return True


def _receive(cluster: Cluster, fault: Fault, mode: str) -> bool:
    with cluster.receiver.lock:
        cluster.receive(mode)
        time.sleep(fault.lasts)
        cluster.receive("ok")
    return True


FAULTS: dict[str, InjectFault] = {
    inject.__name__: inject
    for inject in (
        change_clock,
        cut_host,
        cut_one_way,
        delay_packets,
        duplicate_jobs,
        flush_redis,
        kill_pool,
        kill_receiver,
        kill_s3,
        kill_sweeper,
        kill_web,
        kill_web_before_enqueueing,
        kill_worker,
        kill_worker_before_announcing,
        kill_worker_before_electing,
        kill_worker_before_finalizing,
        kill_worker_before_recording,
        lose_packets,
        receiver_hangs,
        receiver_answers_500,
        restart_postgresql,
        restart_redis_empty,
        stall_s3,
        stall_worker,
    )
}
