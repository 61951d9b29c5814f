"""The program that callgrind counts: each piece of work is run twice, and the second run is counted.

`python -m benchmarks.regression.counted_work FOLDER URL`: FOLDER holds the inputs and a database with queued products,
URL answers with a picture.
Callgrind writes its counts at each call of getppid, which nothing else here calls.
"""

from __future__ import annotations

import io
import ipaddress
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers import ours
from benchmarks.scan import LIMITS
from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db.engine import db
from imgproc.db.models import Product
from imgproc.db.transitions import products
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.table.read import read_csv, scan_csv

JPEG, PNG, CSV, DATA = "picture.jpg", "picture.png", "catalogue.csv", "data"  # in the folder
PRODUCTS = 10
PIECES = ("compress a JPEG", "compress a PNG", "scan a CSV", "claim and finish products", "download a picture")


def main(folder: Path, url: str) -> None:
    """Run each piece of work twice, and mark the beginning and the end of the second run."""
    picture, drawing, table = ((folder / name).read_bytes() for name in (JPEG, PNG, CSV))
    downloader = Downloader(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),), timeout=300, max_bytes=2**26)
    settings = load_settings(UNSET_SETTINGS | {"DATA_DIR": str(folder / DATA)})
    with create_app(settings).app_context():
        work = (
            lambda: ours(picture),
            lambda: ours(drawing),
            lambda: scan_csv(read_csv(io.BytesIO(table), limits=LIMITS)),
            _claims(),
            lambda: downloader.download(url),
        )
        for piece in work:
            _count(piece)
    downloader.close()


def _count(piece: Callable[[], object]) -> None:
    piece()
    os.getppid()
    piece()
    os.getppid()


def _claims() -> Callable[[], None]:
    """Claims and finishes the next products of the request at each call."""
    ids = iter(db.session.execute(db.select(Product.id).order_by(Product.id)).scalars().all())
    db.session.rollback()

    def claim_and_finish() -> None:
        for product_id, _ in zip(ids, range(PRODUCTS), strict=False):
            assert products.claim(product_id, token="guard", lease_seconds=600)
            products.finish(product_id, [], token="guard", window=64)

    return claim_and_finish


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
