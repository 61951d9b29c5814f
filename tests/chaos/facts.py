"""The state at the end of a run: rows, objects, received webhooks, downloads. It is collected once, then compared."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from PIL import Image

from imgproc.db.engine import Base, db, transaction
from imgproc.db.models import DeliveryAttempt, ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.db.transitions.removal import due
from imgproc.journey.delete import remove_due
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.chaos.callers import Sent
from tests.chaos.cluster import Cluster
from tests.chaos.pictures import BROKEN, REPAIRED, ChaosHost, digest, photo
from tests.support.receiver import Receipt, read_log

Row = dict[str, Any]
SERVERS_OWN = ".rclone_temp_put_"  # a file that rclone was writing when it was killed; real S3 shows no such files


@dataclass(frozen=True)
class Stored:
    """One object: its size, its digest, and its width and height, None if it is no picture."""

    bytes: int
    digest: str
    picture: tuple[int, int] | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that is compared. Keys of `objects` and `texts` are `bucket/key`, of `asked` paths with queries."""

    sent: list[Sent]
    image_hosts: Sequence[str]
    public_url: str
    requests: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    objects: dict[str, Stored] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    received: list[Receipt] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    seconds_to_end: float = 0.0  # from the last fault until every request had ended


def collect(cluster: Cluster, image_host: ChaosHost, sent: list[Sent], *, seconds_to_end: float) -> Facts:
    """Collect the facts; our own processes must have stopped."""
    with cluster.app.app_context():
        _finish_removals()
    objects, texts = _read_objects(cluster.objects)
    with cluster.app.app_context():
        tables = (ProcessingRequest, Product, ProductImage, WebhookDelivery, DeliveryAttempt)
        requests, products, images, deliveries, attempts = map(rows_of, tables)
    return Facts(
        sent,
        image_host.urls,
        cluster.environ["S3_PUBLIC_URL"],
        requests,
        products,
        images,
        deliveries,
        attempts,
        objects=objects,
        texts=texts,
        received=read_log(cluster.received),
        asked=image_host.served(),
        seconds_to_end=seconds_to_end,
    )


def _finish_removals() -> None:
    """Pretend that an hour has passed, and remove deleted requests and uploads that were never accepted."""
    removed = sa.update(ProcessingRequest).where(ProcessingRequest.removed_at.is_not(None))
    with transaction() as connection:
        connection.execute(removed.values(lease_until=ProcessingRequest.created_at))
    while due(limit=1):
        remove_due()


def rows_of(entity: type[Base]) -> list[Row]:
    """Every row of a table as plain values."""
    with db.engine.connect() as connection:
        found = connection.execute(sa.select(entity.__table__)).mappings()
        return [{name: _plain(value) for name, value in row.items()} for row in found]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _read_objects(folder: Path) -> tuple[dict[str, Stored], dict[str, bytes]]:
    """Every object of every bucket, and the content of the CSVs."""
    objects: dict[str, Stored] = {}
    texts: dict[str, bytes] = {}
    pictures: dict[str, tuple[int, int] | None] = {}  # by digest: each content is decoded once
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.startswith(SERVERS_OWN):
            key, content = str(file.relative_to(folder)), file.read_bytes()
            name = digest(content)
            if name not in pictures:
                pictures[name] = _size_as_picture(content)
            objects[key] = Stored(len(content), name, pictures[name])
            if file.suffix == ".csv":
                texts[key] = content
    return objects, texts


def _size_as_picture(content: bytes) -> tuple[int, int] | None:
    """Width and height, if the whole picture can be decoded."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            width, height = picture.size
            return width, height
    except (OSError, SyntaxError, ValueError):
        return None


@dataclass(frozen=True)
class Expected:
    """The original and the rendition that must be stored for a picture, byte for byte."""

    original: Stored
    rendition: Stored


@cache
def expected(picture: str) -> Expected:
    """The original and the rendition of a picture under the default options."""
    original = photo(REPAIRED if picture in BROKEN else picture)
    made = compress(original, options=CompressOptions(), max_pixels=50_000_000).body
    return Expected(*(Stored(len(each), digest(each), _size_as_picture(each)) for each in (original, made)))
