"""Pins the parts of RQ that our code overrides and the private parts that it uses, so that upgrades fail visibly."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.worker import WorkerStatus
from rq.worker_pool import WorkerPool
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from imgproc.queue import presence
from imgproc.queue.calls import JobName, read_call
from imgproc.queue.enqueue import KEY_TYPES, NO_TIMEOUT, QUEUES
from imgproc.queue.fair_order import owners_key
from imgproc.queue.rq_classes import AllowedJob, JobQueue
from imgproc.worker.pool import Pool
from imgproc.worker.preloaded_worker import PreloadedWorker

# The signatures of the methods that our classes override or call, without annotations. A property has none.
METHODS: dict[type, dict[str, str]] = {
    Job: {
        "__init__": "(self, id=None, connection=None, serializer=None)",
        "perform": "(self)",
        "func": "property",
        "func_name": "property",
        "instance": "property",
        "success_callback": "property",
        "failure_callback": "property",
        "stopped_callback": "property",
    },
    Queue: {
        "__init__": (
            "(self, name='default', connection=None, default_timeout=None, is_async=True, job_class=None, "
            "serializer=None, death_penalty_class=<class 'rq.timeouts.UnixSignalDeathPenalty'>, **kwargs)"
        ),
        "key": "property",
        "enqueue_many": "(self, job_datas, pipeline=None, group_id=None)",
        "dequeue_any": ("(queues, timeout, connection, job_class=None, serializer=None, death_penalty_class=None)"),
    },
    SimpleWorker: {
        "request_stop": "(self, signum, frame)",
        "register_birth": "(self)",
        "register_death": "(self)",
        "execute_job": "(self, job, queue)",
        "run_maintenance_tasks": "(self)",
        "unsubscribe": "(self)",
        "_pubsub_exception_handler": "(self, exc, pubsub, pubsub_thread)",
        "set_state": "(self, state, pipeline=None)",
        "get_state": "(self)",
        "heartbeat": "(self, timeout=None, pipeline=None)",
        "check_for_suspension": "(self, burst)",
        "dequeue_timeout": "property",
    },
    WorkerPool: {
        "start": "(self, burst=False, logging_level='INFO')",
        "start_workers": "(self, burst=True, _sleep=0, logging_level='INFO')",
        "start_worker": "(self, count=None, burst=True, _sleep=0, logging_level='INFO')",
        "stop_workers": "(self)",
        "check_workers": "(self, respawn=True)",
        "get_worker_process": "(self, name, burst, _sleep=0, logging_level='INFO')",
        "reap_workers": "(self)",
        "handle_dead_worker": "(self, worker_data)",
        "number_of_active_workers": "property",
    },
}
ATTRIBUTES: dict[type, tuple[str, ...]] = {
    Job: ("redis_job_namespace_prefix",),
    Queue: ("job_class",),
    SimpleWorker: ("job_class", "queue_class", "max_connection_wait_time"),
    WorkerPool: ("Status",),
}
OURS = {AllowedJob: Job, JobQueue: Queue, PreloadedWorker: SimpleWorker, Pool: WorkerPool}
LOOK_AT = "Read RQ's changes and our subclasses (imgproc/queue, imgproc/worker), then update the pins."


def broken_pins() -> list[str]:
    """A sentence for each part of RQ that differs from its pin."""
    broken = [
        f"{owner.__name__}.{name} is {found}, pinned is {pinned}. {LOOK_AT}"
        for owner, methods in METHODS.items()
        for name, pinned in methods.items()
        if (found := _signature(owner, name)) != pinned
    ]
    return broken + [
        f"{owner.__name__}.{name} is gone. {LOOK_AT}"
        for owner, names in ATTRIBUTES.items()
        for name in names
        if not hasattr(owner, name)
    ]


def _signature(owner: type, name: str) -> str:
    member = getattr(owner, name, None)
    if member is None:
        return "gone"
    if isinstance(member, property):
        return "property"
    signature = inspect.signature(member)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_rq_has_everything_that_our_subclasses_need() -> None:
    """The pins cover every method and attribute that they override, call or set."""
    assert broken_pins() == []


def _renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rq.worker.base.BaseWorker._pubsub_exception_handler")


def _changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rq.worker.base.BaseWorker.heartbeat", lambda self, *, ttl: None)


def _removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rq.job.Job.redis_job_namespace_prefix")


@pytest.mark.parametrize(
    ("upgrade", "sentence"),
    [
        (_renamed, "SimpleWorker._pubsub_exception_handler is gone, pinned is"),
        (_changed, "SimpleWorker.heartbeat is (self, *, ttl), pinned is (self, timeout=None, pipeline=None)."),
        (_removed, "Job.redis_job_namespace_prefix is gone."),
    ],
    ids=["renamed", "changed", "removed"],
)
def test_an_upgrade_that_changes_a_pin_is_noticed(monkeypatch: pytest.MonkeyPatch, upgrade: Any, sentence: str) -> None:
    """The message names the member and the code to check."""
    upgrade(monkeypatch)
    (broken,) = broken_pins()
    assert broken.startswith(sentence)
    assert "imgproc/queue" in broken


@pytest.mark.parametrize(("ours", "theirs"), OURS.items(), ids=lambda each: each.__name__)
def test_every_override_is_pinned(ours: type, theirs: type) -> None:
    """New overrides in a subclass must also be pinned."""
    overridden = {name for name in vars(ours) if hasattr(theirs, name) and not name.startswith("__")}
    assert overridden - {*METHODS[theirs], *ATTRIBUTES[theirs]} - {"log_job_description"} == set()


def test_instances_have_the_private_fields_that_we_set() -> None:
    """`of_call` fills a job, `set_state` a worker, and `get_worker_process` a process."""
    job = Job("any", connection=Redis(), serializer=JSONSerializer)
    assert {"_func_name", "_instance", "_args", "_kwargs", "serializer"} <= vars(job).keys()
    pool = WorkerPool(["any"], connection=Redis())
    assert {"_burst", "status", "worker_dict", "num_workers"} <= vars(pool).keys()
    process = pool.get_worker_process("any", burst=False)
    assert {"_target", "_args", "_kwargs"} <= vars(process).keys()
    assert {"BUSY", "IDLE"} <= {each.name for each in WorkerStatus}
    assert "_state" in inspect.getsource(SimpleWorker._get_state)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (JobName.PLAN, ("00000000-0000-4000-8000-000000000000",)),
        (JobName.PROCESS_PRODUCT, (17,)),
        (JobName.FINALIZE, ("00000000-0000-4000-8000-000000000000", 2)),
        (JobName.DELIVER, ("00000000-0000-4000-8000-000000000000",)),
    ],
)
def test_rq_stores_the_calls_that_we_read(name: JobName, arguments: tuple[Any, ...]) -> None:
    """`read_call` can read the calls that RQ stores."""
    data = Queue.prepare_data(name.path, args=arguments, job_id="any", timeout=NO_TIMEOUT, result_ttl=0)
    job = Job.create(data.func, args=data.args, connection=Redis(), serializer=JSONSerializer, timeout=data.timeout)
    assert read_call(job.to_dict()["data"]) == (name, list(arguments))


def test_rq_uses_the_keys_whose_types_we_guard() -> None:
    """These are the Redis keys that all workers share."""
    by_queue = {WORKERS_BY_QUEUE_KEY % name for name in QUEUES}
    queues = {Queue(name, connection=Redis()).key for name in QUEUES}
    rings = {owners_key(name) for name in QUEUES}
    of_rq = {REDIS_WORKER_KEYS, Queue.redis_queues_keys, *by_queue, *queues, *rings}
    assert KEY_TYPES.keys() == of_rq | presence.KEY_TYPES.keys()


def test_rq_ends_a_wait_with_its_own_exception() -> None:
    """RQ's loop goes on after DequeueTimeout; a job's timeout is an ordinary exception, which no stage may swallow."""
    assert "except DequeueTimeout" in inspect.getsource(SimpleWorker.dequeue_job_and_maintain_ttl)
    assert issubclass(DequeueTimeout, Exception)
    assert issubclass(JobTimeoutException, Exception)
