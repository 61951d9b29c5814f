"""One picture's fault ends one picture, whatever it raises and wherever."""

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
    """What no stage is known to raise."""


# The stage, where it is, what tells the broken picture, and the code it ends with.
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
def test_a_fault_ends_its_picture_alone(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, stage: str, fault: type[Exception]
) -> None:
    """The product's good pictures are made, and the job does not fail."""
    holder, name, telling, code = STAGES[stage]
    whole = getattr(holder, name)
    broken: list[Any] = []

    def stumble(*arguments: Any, **options: Any) -> Any:
        is_broken = _tells(arguments, telling) if stage in {"download", "compress"} else _is_second(arguments)
        if is_broken:
            broken.append(arguments)
            raise fault(*(("utf-8", b"", 0, 1, "x") if fault is UnicodeDecodeError else ("x",)))
        return whole(*arguments, **options)

    monkeypatch.setattr(holder, name, stumble)
    monkeypatch.setattr(settle, "_backoff", lambda attempt: 0.0)
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/rocket.webp", f"{shop.url}/astronaut.jpg"]))
    assert drain(request_id)["status"] == "completed_with_errors"
    assert codes_of(request_id) == [[None, code, None]]
    assert broken


def _tells(arguments: tuple[Any, ...], telling: Any) -> bool:
    return any(telling in argument for argument in arguments if isinstance(argument, type(telling)))


def _is_second(arguments: tuple[Any, ...]) -> bool:
    """The key of an object names the position of its image."""
    key = next(argument for argument in arguments if isinstance(argument, str))
    return key.rpartition("/")[2].startswith("2")


def test_a_time_out_is_no_fault_of_the_picture(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the job, as it should; the lease runs out and another worker takes over."""

    def stumble(*_arguments: Any, **_options: Any) -> Any:
        raise JobTimeoutException

    monkeypatch.setattr(image_maker, "compress", stumble)
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert "JobTimeoutException" in burst()[0]
    assert row(Product).status.value == "processing"
