"""An unexpected exception fails one image, whatever the exception and whichever the stage."""

from __future__ import annotations

from typing import Any

import pytest
from rq.timeouts import JobTimeoutException

from imgproc.db.models import Product
from imgproc.journey import image_maker, settle
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.storage.store import Store
from tests.integration.driver import burst, codes_of, drain, row, submit
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")


class Unforeseen(Exception):
    """An exception that no stage is known to raise."""


# Stage: its owner, its attribute, what marks the broken image, and the code of the failure.
STAGES = {
    "download": (Downloader, "download", "rocket", "connect_failed"),
    "compress": (image_maker, "compress", b"RIFF", "corrupt_image"),
    "put the original": (Store, "put_original", "-2", "worker_lost"),
    "put the rendition": (Store, "put_rendition", "/2-", "worker_lost"),
}


@pytest.mark.parametrize(
    "fault", [Unforeseen, SyntaxError, RecursionError, UnicodeDecodeError], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_fails_only_its_image(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, stage: str, fault: type[Exception]
) -> None:
    """The other images of the product are made, and the job does not fail."""
    holder, name, mark, code = STAGES[stage]
    original = getattr(holder, name)
    broken: list[Any] = []

    def fail(*arguments: Any, **options: Any) -> Any:
        is_broken = _has_mark(arguments, mark) if stage in {"download", "compress"} else _is_second(arguments)
        if is_broken:
            broken.append(arguments)
            raise fault(*(("utf-8", b"", 0, 1, "x") if fault is UnicodeDecodeError else ("x",)))
        return original(*arguments, **options)

    monkeypatch.setattr(holder, name, fail)
    monkeypatch.setattr(settle, "_backoff", lambda attempt: 0.0)
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/rocket.webp", f"{shop.url}/astronaut.jpg"]))
    assert drain(request_id)["status"] == "completed_with_errors"
    assert codes_of(request_id) == [[None, code, None]]
    assert broken


def _has_mark(arguments: tuple[Any, ...], mark: Any) -> bool:
    return any(mark in argument for argument in arguments if isinstance(argument, type(mark)))


def _is_second(arguments: tuple[Any, ...]) -> bool:
    """The key of an object names the position of its image."""
    key = next(argument for argument in arguments if isinstance(argument, str))
    return key.rpartition("/")[2].startswith("2")


def test_a_job_timeout_does_not_fail_the_image(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout ends the job; the lease expires, and another worker takes over."""

    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise JobTimeoutException

    monkeypatch.setattr(image_maker, "compress", fail)
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert "JobTimeoutException" in burst()[0]
    assert row(Product).status.value == "processing"
