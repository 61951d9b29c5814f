"""Which jobs workers run, and what they do when a host, the store or their own process fails."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, cast

import pytest
from rq import Queue, Retry
from rq.job import Callback, Job
from rq.serializers import JSONSerializer
from rq.webhook import Webhook
from structlog.testing import CapturingLogger

from imgproc.core import logs
from imgproc.db.models import ProcessingRequest, Product
from imgproc.journey import image_maker, jobs, lease
from imgproc.journey.image_maker import ImageMaker
from imgproc.journey.services import services
from imgproc.queue import enqueue as producer
from imgproc.queue import rq_classes
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.driver import (
    burst,
    codes_of,
    drain,
    get,
    pass_time,
    row,
    rows,
    status_of,
    statuses,
    submit,
    upload,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers give their work back at once when the store is down, instead of waiting for it."""
    monkeypatch.setattr(image_maker, "OUTAGE_PATIENCE", 0)


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """The log of the queue."""
    logger = CapturingLogger()
    monkeypatch.setattr(rq_classes, "log", logger)
    return logger


# -- the queue ----------------------------------------------------------------------------------------------------


def enqueue(function: str, *arguments: Any, **options: Any) -> Job:
    """Enqueue a job directly, as any client of Redis can."""
    return Queue("express", connection=redis_client(), serializer=JSONSerializer).enqueue(
        function, *arguments, **options
    )


@pytest.mark.parametrize(
    "function",
    [
        pytest.param("pathlib.Path.touch", id="the standard library"),
        pytest.param("imgproc.journey.delete.remove", id="a function of ours that is no job"),
        pytest.param("imgproc.journey.jobs._fail_request", id="a private function of jobs"),
        pytest.param("imgproc.journey.jobs.reads.db.drop_all", id="through a module of jobs"),
    ],
)
def test_workers_run_only_our_four_jobs(tmp_path: Path, dropped: CapturingLogger, function: str) -> None:
    """A client of Redis can run no other function: such a job is dropped."""
    foreign = tmp_path / "foreign"
    enqueue(function, str(foreign))
    assert burst() == []
    assert [call.args for call in dropped.calls] == [("job_dropped",)]
    assert not foreign.exists()


def test_workers_call_no_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's callbacks and webhooks are never called, whether the job succeeds or raises."""
    called: list[Any] = []
    monkeypatch.setattr(logs, "configure", lambda *arguments: called.append(arguments))
    monkeypatch.setattr(Webhook, "send", lambda *arguments, **_options: called.append(arguments))
    call, hook = Callback("imgproc.core.logs.configure"), Webhook("http://127.0.0.1:1/", "failed")
    options = {"on_success": call, "on_failure": call, "on_stopped": call, "webhooks": [hook]}
    enqueue("imgproc.journey.jobs.plan", str(uuid.uuid4()), **options)
    assert burst() == []
    monkeypatch.setattr(jobs, "plan", lambda _request_id: 1 / 0)
    enqueue("imgproc.journey.jobs.plan", str(uuid.uuid4()), **options, retry=Retry(3))
    assert len(burst()) == 1
    assert called == []


def test_workers_call_no_methods_of_objects(tmp_path: Path, dropped: CapturingLogger) -> None:
    """RQ could call a method of an instance; our jobs are functions, so such a job is dropped."""
    foreign = tmp_path / "foreign"
    job = Job.create("imgproc.journey.jobs.deliver", connection=redis_client(), serializer=JSONSerializer)
    job._instance, job._func_name, job._args = str(foreign), "imgproc.journey.jobs.plan", ()
    Queue("express", connection=redis_client(), serializer=JSONSerializer).enqueue_job(job)
    assert burst() == []
    assert [call.args for call in dropped.calls] == [("job_dropped",)]


def test_a_job_leaves_nothing_in_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither success nor an exception leaves a record, so a bug in a million products does not fill the memory."""
    enqueue("imgproc.journey.jobs.plan", str(uuid.uuid4()))
    burst()
    monkeypatch.setattr(jobs, "plan", lambda _request_id: 1 / 0)
    enqueue("imgproc.journey.jobs.plan", str(uuid.uuid4()), failure_ttl=600)
    assert len(burst()) == 1
    kept = {str(key, "ascii") for key in cast("list[bytes]", redis_client().keys("rq:*"))}
    assert {key for key in kept if not key.startswith(("rq:worker", "rq:queues"))} == set()


def test_a_job_enqueued_while_it_runs_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may enqueue itself again: deleting its own record keeps the new one of the same id."""
    planned_ids: list[str] = []
    once = str(uuid.uuid4())

    def plan(request_id: str) -> None:
        if not planned_ids:
            producer.plans([request_id])
        planned_ids.append(request_id)

    monkeypatch.setattr(jobs, "plan", plan)
    producer.plans([once])
    burst()
    assert planned_ids == [once, once]
    assert redis_client().keys("rq:job:*") == []


def test_an_id_without_a_record_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker skips an id without a record and a record without a call, and runs the next job."""
    planned_ids: list[str] = []
    monkeypatch.setattr(jobs, "plan", planned_ids.append)
    redis_client().rpush("rq:queue:express", "gone", "empty")
    redis_client().hset("rq:job:empty", "status", "queued")
    following = str(uuid.uuid4())
    producer.plans([following])
    assert burst() == []
    assert planned_ids == [following]


# -- image hosts --------------------------------------------------------------------------------------------------


def test_a_temporary_error_of_the_host_is_retried(shop: ImageHost) -> None:
    """Only the failed image is retried, and not before it is due."""
    flaky = shop.says("/flaky.jpg", Answer(500), Answer(500), Answer(body=photo_file("rocket.webp")))
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", flaky]))
    work()
    product = row(Product)
    assert (product.status.value, product.attempt, product.lease_token) == ("pending", 1, None)
    assert status_of(request_id)["progress"]["images"] == {"total": 2, "completed": 1, "failed": 0}
    assert drain(request_id)["status"] == "completed"
    assert (shop.asked["/flaky.jpg"], shop.asked["/chelsea.jpg"], row(Product).attempt) == (3, 1, 3)


def test_attempts_are_limited(shop: ImageHost) -> None:
    """After three attempts the image fails with the code of its error."""
    request_id = submit(csv_of(shop.says("/busy.jpg", Answer(500))))
    assert drain(request_id)["status"] == "failed"
    assert (codes_of(request_id), shop.asked["/busy.jpg"]) == ([["http_500"]], 3)


@pytest.mark.parametrize("name", ["missing.jpg", "forbidden.jpg", "page.jpg", "cut.jpg"])
def test_a_permanent_failure_is_not_retried(shop: ImageHost, name: str) -> None:
    """The image would only fail again, so it is downloaded once."""
    drain(submit(csv_of(f"{shop.url}/{name}")))
    assert shop.asked[f"/{name}"] == 1


def test_an_image_that_exhausts_the_memory_fails_alone(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is retried like a temporary error, then fails with a code of its own; the other image completes."""
    download, tried = services().downloader.download, []

    def exhaust(url: str, **options: Any) -> Any:
        if url.endswith("rocket.webp"):
            tried.append(url)
            raise MemoryError
        return download(url)

    monkeypatch.setattr(services().downloader, "download", exhaust)
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/rocket.webp"]))
    assert drain(request_id)["status"] == "completed_with_errors"
    assert (codes_of(request_id), len(tried)) == ([[None, "too_many_pixels"]], 3)


def test_retry_after_delays_the_next_attempt(shop: ImageHost) -> None:
    """`Retry-After` replaces our own, shorter pause."""
    answers = Answer(429, headers={"Retry-After": "200"}), Answer(body=photo_file("rocket.webp"))
    request_id = submit(csv_of(shop.says("/limited.jpg", *answers)))
    work()
    pass_time(100)
    sweeper.sweep()
    work()
    assert (shop.asked["/limited.jpg"], statuses()) == (1, ["pending"])
    pass_time(150)
    sweeper.sweep()
    work()
    assert (shop.asked["/limited.jpg"], status_of(request_id)["status"]) == (2, "completed")


def test_a_postponed_product_does_not_block_others(shop: ImageHost) -> None:
    """The rest of the request goes on while the product waits."""
    request_id = submit(csv_of(shop.says("/busy.jpg", Answer(500)), f"{shop.url}/chelsea.jpg"))
    work()
    assert statuses() == ["pending", "completed"]
    assert status_of(request_id)["status"] == "processing"


# -- the object store ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_down_delays_images_and_fails_none(shop: ImageHost, objects: ObjectStore) -> None:
    """The product is given back unchanged, and no attempt is counted, however often that happens."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    with objects.away():
        for _ in range(4):
            work()
            assert (row(Product).status.value, row(Product).attempt) == ("pending", 0)
            pass_time(60)
            sweeper.sweep()
    assert drain(request_id)["status"] == "completed"
    assert row(Product).attempt == 1


def test_a_worker_keeps_its_image_during_a_short_outage(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store comes back while the worker retries, so nothing is downloaded again."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    outage = objects.away()
    outage.__enter__()

    class Stopping:
        def wait(self, _seconds: float) -> bool:
            outage.__exit__(None, None, None)
            return False

    monkeypatch.setattr(image_maker, "stopping", Stopping())
    work()
    assert (status_of(request_id)["status"], shop.asked["/chelsea.jpg"]) == ("completed", 1)


@pytest.mark.usefixtures("finalized_by_jobs")
@pytest.mark.parametrize("jobs_done", [pytest.param(0, id="plan"), pytest.param(2, id="finalize")])
def test_a_store_that_is_down_delays_the_plan_and_the_finalization(
    shop: ImageHost, objects: ObjectStore, jobs_done: int
) -> None:
    """The job gives its lease back, and a worker claims it again after a pause."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    if jobs_done:
        work(most=jobs_done)
    with objects.away():
        work()
        assert status_of(request_id)["status"] in {"processing", "finalizing"}
    assert drain(request_id)["status"] == "completed"
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (1, 1)


def test_an_upload_is_refused_while_the_store_is_down(shop: ImageHost, objects: ObjectStore) -> None:
    """It is answered with 503 and `Retry-After`, and no request is created: 202 means that the file is stored."""
    with objects.away():
        response = upload(csv_of(f"{shop.url}/chelsea.jpg"))
    assert (response.status_code, response.json["code"]) == (503, "storage_unavailable")
    assert response.headers["Retry-After"]
    assert get("/api/requests")["items"] == []


def test_a_request_whose_file_is_missing_fails(shop: ImageHost) -> None:
    """The file cannot be recovered, so the request fails with a reason, and the webhook is sent."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    services().store.delete_some(request_id)
    status = drain(request_id)
    assert (status["status"], status["error"]["code"], status["outputCsvUrl"]) == ("failed", "input_missing", None)
    assert shop.asked["/webhook"] == 1


# -- the worker's own end -----------------------------------------------------------------------------------------


def test_a_worker_asked_to_stop_gives_a_plan_back(shop: ImageHost) -> None:
    """Another worker soon goes on from where it stopped."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    lease.stopping.set()
    jobs.plan(request_id)
    request = row(ProcessingRequest)
    assert (request.lease_token, request.planned_at, rows(Product)) == (None, None, [])
    lease.stopping.clear()
    assert drain(request_id)["status"] == "completed"


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_job_that_fails_by_a_bug_is_retried(shop: ImageHost, monkeypatch: pytest.MonkeyPatch, attempts: int) -> None:
    """An unexpected exception is handled like a death: the lease expires and the sweeper enqueues the job again."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    sweeper.sweep()  # it has seen this Redis, so it takes no job for lost
    make_image, bugs = ImageMaker.make, iter(range(attempts))

    def stumble(*arguments: Any, **options: Any) -> Any:
        if next(bugs, None) is not None:
            raise ZeroDivisionError
        return make_image(*arguments, **options)

    monkeypatch.setattr(ImageMaker, "make", stumble)
    for _ in range(attempts):
        (failure,) = burst()
        assert (statuses(), "ZeroDivisionError" in failure) == (["processing"], True)
        pass_time(60)
        sweeper.sweep()
    assert drain(request_id)["status"] == "completed"
