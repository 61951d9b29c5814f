"""The faults, each a function that does it to the house and says whether it hit anything."""

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
from tests.chaos.fault_plan import Fault
from tests.chaos.held import Held
from tests.chaos.house import House
from tests.chaos.network import Network, Way

LONGEST_SKEW = 90.0  # seconds
TRAP_SECONDS = 15.0  # how long a trap waits for somebody to come by

Strike = Callable[[House, Fault], bool]


def kill_worker(house: House, fault: Fault) -> bool:
    """SIGKILL one worker; its pool starts another."""
    return _signal_one(_workers(house), fault, signal.SIGKILL) is not None


def stall_worker(house: House, fault: Fault) -> bool:
    """SIGSTOP one worker for longer than its lease, then let it go on with what it believes is its own."""
    worker = _signal_one(_workers(house), fault, signal.SIGSTOP)
    if worker is None:
        return False
    time.sleep(fault.lasts)
    with suppress(psutil.NoSuchProcess):  # it may have been killed meanwhile
        worker.send_signal(signal.SIGCONT)
    return True


def _workers(house: House) -> list[psutil.Process]:
    return [worker for pool in house.pools for worker in pool.children()]


def _signal_one(processes: list[psutil.Process], fault: Fault, number: signal.Signals) -> psutil.Process | None:
    """Signal the one whom chance picks; None where there is none any more."""
    if not processes:
        return None
    victim = processes[int(fault.chance * len(processes))]
    try:
        victim.send_signal(number)
    except psutil.NoSuchProcess:
        return None
    return victim


def kill_pool(house: House, fault: Fault) -> bool:
    """SIGKILL a pool; its workers die with it, wherever they are."""
    return _kill(_one_of(house.pools, fault))


def change_clock(house: House, fault: Fault) -> bool:
    """Stop a pool as an operator does, and have its host come back with another wrong clock."""
    host = int(fault.chance * len(house.pools))
    with house.pools[host].away(signal.SIGTERM):
        house.clocks[host] = random.Random(fault.chance).uniform(-LONGEST_SKEW, LONGEST_SKEW)
    return True


def kill_sweeper(house: House, fault: Fault) -> bool:
    """SIGKILL a sweeper."""
    return _kill(_one_of(house.sweepers, fault))


def kill_web(house: House, fault: Fault) -> bool:
    """SIGKILL one of the processes that answer; gunicorn starts another. Now and then gunicorn itself."""
    if fault.chance < 0.2:
        return _kill(house.web)
    return _signal_one(house.web.children(), fault, signal.SIGKILL) is not None


def kill_web_before_ringing(house: House, fault: Fault) -> bool:
    """The web process dies between the commit of an upload and the ring of its plan: no answer, no doorbell."""
    return _trap(house, "plans")


def kill_worker_before_finalizing(house: House, fault: Fault) -> bool:
    """A worker dies with the CSVs stored and the request not ended."""
    return _trap(house, "complete")


def kill_worker_before_electing(house: House, fault: Fault) -> bool:
    """A worker dies between the commit of a request's last product and the election of its finalizer."""
    return _trap(house, "elect_finalizer")


def kill_worker_before_announcing(house: House, fault: Fault) -> bool:
    """A worker dies with the request ended and the delivery not rung for."""
    return _trap(house, "deliveries")


def kill_worker_before_recording(house: House, fault: Fault) -> bool:
    """A worker dies with the webhook sent and its answer not written down."""
    return _trap(house, "record")


def _trap(house: House, name: str) -> bool:
    traps.set_trap(house.traps, name)
    deadline = time.monotonic() + TRAP_SECONDS
    while time.monotonic() < deadline:
        if not (house.traps / name).exists():
            return True
        time.sleep(0.05)
    return not traps.take_back(house.traps, name)


def flush_redis(house: House, fault: Fault) -> bool:
    """FLUSHALL."""
    try:
        with house.app.app_context():
            return bool(redis_client().flushall())
    except redis.RedisError:
        return False


def restart_redis_empty(house: House, fault: Fault) -> bool:
    """Redis is killed and comes back with nothing."""
    return _take_down(house.redis, fault)


def restart_postgresql(house: House, fault: Fault) -> bool:
    """What `pg_ctl -m immediate restart` does: SIGQUIT, by which every server process drops all and ends; start."""
    if house.database is None:
        return False
    return _take_down(house.database, fault, signal.SIGQUIT)


def kill_s3(house: House, fault: Fault) -> bool:
    """The object store is killed and comes back."""
    return _take_down(house.s3, fault)


def stall_s3(house: House, fault: Fault) -> bool:
    """The object store takes connections and says nothing."""
    with house.s3.lock:
        house.s3.send(signal.SIGSTOP)
        time.sleep(fault.lasts)
        house.s3.send(signal.SIGCONT)
    return True


def receiver_says_500(house: House, fault: Fault) -> bool:
    """The webhook receiver refuses."""
    return _receive(house, fault, "500")


def receiver_hangs(house: House, fault: Fault) -> bool:
    """The webhook receiver takes what comes and does not answer before the deadline."""
    return _receive(house, fault, "hang")


def kill_receiver(house: House, fault: Fault) -> bool:
    """The webhook receiver is killed and comes back."""
    return _take_down(house.receiver, fault)


def duplicate_doorbells(house: House, fault: Fault) -> bool:
    """Ring again for whatever comes: what waits, what is under way, what has long ended, what never was."""
    with house.app.app_context():
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


def cut_host(house: House, fault: Fault) -> bool:
    """The link of a host is down, and up again when its work is another's."""
    return _trouble(house, fault, lambda network, host: network.cut(host))


def cut_one_way(house: House, fault: Fault) -> bool:
    """A host is not heard any more, or hears nothing."""
    way = Way.TO_HOST if fault.chance * 1000 % 1 < 0.5 else Way.FROM_HOST
    return _trouble(house, fault, lambda network, host: network.dropping(host, way))


def lose_packets(house: House, fault: Fault) -> bool:
    """A third of all packets is lost on their way from and to a host."""
    return _trouble(house, fault, lambda network, host: network.dropping(host, *Way, share=1 / 3))


def delay_packets(house: House, fault: Fault) -> bool:
    """What is sent to a host arrives late."""
    return _trouble(house, fault, lambda network, host: network.delaying(host))


def _trouble(house: House, fault: Fault, trouble: Callable[[Network, int], AbstractContextManager[None]]) -> bool:
    """Have it on the line of one host. Troubles of a host follow one another, so that each mends what it has done."""
    assert isinstance(house.network, Network)
    host = int(fault.chance * (house.web_host + 1))
    with house.network.locks[host], trouble(house.network, host):
        time.sleep(fault.lasts)
    return True


def _one_of(held: list[Held], fault: Fault) -> Held:
    return held[int(fault.chance * len(held))]


def _kill(held: Held) -> bool:
    """SIGKILL the process alone; what it leaves behind must see to itself."""
    with held.lock:
        held.send(signal.SIGKILL)
        time.sleep(0.1)
        held.end()
        held.start()
    return True


def _take_down(held: Held, fault: Fault, number: signal.Signals = signal.SIGKILL) -> bool:
    with held.away(number):
        time.sleep(fault.lasts)
    return True


def _receive(house: House, fault: Fault, mode: str) -> bool:
    with house.receiver.lock:
        house.receive(mode)
        time.sleep(fault.lasts)
        house.receive("ok")
    return True


STRIKES: dict[str, Strike] = {
    strike.__name__: strike
    for strike in (
        change_clock,
        cut_host,
        cut_one_way,
        delay_packets,
        duplicate_doorbells,
        flush_redis,
        kill_pool,
        kill_receiver,
        kill_s3,
        kill_sweeper,
        kill_web,
        kill_web_before_ringing,
        kill_worker,
        kill_worker_before_announcing,
        kill_worker_before_electing,
        kill_worker_before_finalizing,
        kill_worker_before_recording,
        lose_packets,
        receiver_hangs,
        receiver_says_500,
        restart_postgresql,
        restart_redis_empty,
        stall_s3,
        stall_worker,
    )
}
