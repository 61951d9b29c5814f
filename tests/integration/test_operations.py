"""What operators do while the service runs: pause the workers, clean up, change secrets and buckets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask, current_app

from imgproc.app import create_app
from imgproc.cli.main import main
from imgproc.core.config import load_settings
from imgproc.db.engine import db
from imgproc.journey import orphans
from imgproc.journey.services import services
from imgproc.pipeline.storage.store import Store
from imgproc.queue import pause
from imgproc.queue.connection import redis_client
from tests.integration.conftest import Environ
from tests.integration.driver import drain, status_of, submit, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost


def imgproc(environ: Environ, *arguments: str) -> str:
    """The output of a command; it must succeed."""
    done = CliRunner().invoke(main, arguments, env=environ, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_paused_workers_take_no_job_until_they_are_resumed(app: Flask, environ: Environ, shop: ImageHost) -> None:
    """Uploads are accepted meanwhile. What waits is done afterwards."""
    assert "All workers are paused until imgproc resume" in imgproc(environ, "pause")
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work()
    assert status_of(request_id)["status"] == "pending"
    assert imgproc(environ, "resume") == "The workers go on.\n"
    assert drain(request_id)["status"] == "completed"
    assert imgproc(environ, "resume") == "The workers were not paused.\n"


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_a_pause_may_end_by_itself(app: Flask, environ: Environ) -> None:
    """An operator may forget it."""
    imgproc(environ, "pause", "--minutes", "0.1")
    assert pause.is_paused()
    assert 0 < redis_client().ttl("rq:suspended") <= 6


def test_orphans_are_listed_and_deleted_and_no_object_of_a_request(app: Flask, shop: ImageHost) -> None:
    """A request whose row is gone leaves orphans. Running, ended and removed requests have rows."""
    kept = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert drain(kept)["status"] == "completed"
    lost = "0" * 8 + "-0000-4000-8000-" + "0" * 12
    store = services().store
    for put in (store.put_original, store.put_rendition):
        put(f"{lost}/1/1.jpg", b"x", content_type="image/jpeg")
        put("not-an-id/1.jpg", b"x", content_type="image/jpeg")
    assert not [*orphans.find(services(), older_than=timedelta(hours=1))]
    found = [*orphans.find(services(), older_than=timedelta(0))]
    ours = [each for each in found if each.request_id == lost]
    assert [(each.bucket, each.objects) for each in ours] == [("originals", 1), ("outputs", 1)]
    assert kept not in {each.request_id for each in found}
    orphans.delete(services(), ours[0])
    assert lost not in {each.request_id for each in orphans.find(services(), older_than=timedelta(0))}
    assert store.open_picture("not-an-id/1.jpg", original=True) is not None


def copy_objects(store: Store, names: dict[str, str]) -> None:
    """Copy every object to the bucket of another name, as `rclone sync` does."""
    s3 = store.client()
    for source, target in names.items():
        s3.create_bucket(Bucket=target)
        for found in s3.list_objects_v2(Bucket=source).get("Contents", ()):
            body = s3.get_object(Bucket=source, Key=found["Key"])["Body"].read()
            s3.put_object(Bucket=target, Key=found["Key"], Body=body)


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)
def test_buckets_can_be_changed_while_requests_run(app: Flask, environ: Environ, shop: ImageHost) -> None:
    """What ended before is served and deleted, and what was in progress goes on, from the copies alone."""
    ended = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert drain(ended)["status"] == "completed"
    running = submit(csv_of(f"{shop.url}/coffee.png"))
    work(most=1)
    imgproc(environ, "pause")
    copy_objects(services().store, {"originals": "originals-2", "outputs": "outputs-2"})
    moved = environ | {"S3_ORIGINALS_BUCKET": "originals-2", "S3_OUTPUTS_BUCKET": "outputs-2"}
    with create_app(load_settings(moved)).app_context():
        imgproc(moved, "resume")
        assert drain(running)["status"] == "completed"
        assert get_csv(ended)
        assert current_app.test_client().delete(f"/api/requests/{ended}").status_code == 204
        left = services().store.client().list_objects_v2(Bucket="outputs-2", Prefix=ended)
        db.session.remove()
        db.engine.dispose()
    assert not left.get("Contents")


def get_csv(request_id: str) -> str:
    """The output CSV, from the API."""
    answer = current_app.test_client().get(f"/api/requests/{request_id}/output.csv", follow_redirects=False)
    assert answer.status_code in {200, 302, 303, 307}, answer.text
    return answer.text or answer.headers["Location"]
