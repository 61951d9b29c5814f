"""How often an upload is read, from the socket to the saved products: each read has its own purpose."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import current_app

from imgproc.api import bodies
from imgproc.db.models import Product
from imgproc.pipeline.storage import streams
from tests.integration.driver import rows, status_of, work
from tests.support.csv_files import HEADER

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]

PRODUCTS = 2000
HEADS = 512 * 1024  # bytes read in addition, to find the kind, the encoding, the delimiter and the header


class CountedFile(io.BytesIO):
    """A file that counts the bytes read from it."""

    bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count."""
        block = super().read(size)
        self.bytes_read += len(block)
        return block


def catalogue(name: str) -> bytes:
    """A file of some 400 kB; `name` decides whether it is plain ASCII."""
    lines = (f"{row},{name} {'x' * 400},http://127.0.0.1:1/{row}.jpg?{'y' * 200}" for row in range(PRODUCTS))
    return "\n".join([HEADER, *lines]).encode()


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[CountedFile], list[CountedFile]]]:
    """The files that the web process spools, and those that the plan spools."""
    uploads: list[CountedFile] = []
    copies: list[CountedFile] = []

    def make(files: list[CountedFile]) -> CountedFile:
        files.append(CountedFile())
        return files[-1]

    with monkeypatch.context() as patched:
        patched.setattr(bodies, "default_stream_factory", lambda *_arguments, **_options: make(uploads))
        patched.setattr(streams, "tempfile", _Tempfile(lambda: make(copies)))
        yield uploads, copies


class _Tempfile:
    """Replaces the module `tempfile`, to supply the file that a plan spools."""

    def __init__(self, make: Any) -> None:
        self.TemporaryFile = make
        self.gettempdir = tempfile.gettempdir


@pytest.mark.parametrize("name", ["Mug", "Tasse à café"], ids=["ascii", "utf-8"])
def test_an_upload_is_read_twice_and_its_plan_reads_it_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read to validate it, to store it, and to save its products; it is hashed while it arrives."""
    content = catalogue(name)
    with counted(monkeypatch) as (uploads, copies):
        form = {"file": (io.BytesIO(content), "products.csv")}
        response = current_app.test_client().post("/api/upload", data=form)
        assert response.status_code == 202, response.text
        (upload,) = uploads
        work(most=1)
        (copy,) = copies
    assert len(rows(Product)) == PRODUCTS
    assert 2 * len(content) <= upload.bytes_read < 2 * len(content) + HEADS
    assert len(content) <= copy.bytes_read < len(content) + HEADS
    assert status_of(response.get_json()["requestId"])["progress"]["products"]["total"] == PRODUCTS


def test_validating_reads_a_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation stores nothing, so there is no second read."""
    content = catalogue("Mug")
    with counted(monkeypatch) as (uploads, _):
        form = {"file": (io.BytesIO(content), "products.csv")}
        assert current_app.test_client().post("/api/validate", data=form).get_json()["valid"]
    (upload,) = uploads
    assert len(content) <= upload.bytes_read < len(content) + HEADS
