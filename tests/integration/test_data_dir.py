"""DATA_DIR is read by its owner alone, whatever umask a stack is started with and whatever was there before."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.core.datadir import OTHERS, make_private
from imgproc.db.engine import db
from tests.support.stack import running_stack

CSV = "S. No.,Product Name,Input Image Urls\n1.,Mug,http://127.0.0.1:9/mug.jpg\n"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Be that careless for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """What others may read, write or enter of a folder and all below it."""
    return {str(path) for path in [folder, *folder.rglob("*")] if stat.S_IMODE(path.lstat().st_mode) & OTHERS}


def test_all_that_a_stack_makes_is_private(tmp_path: Path) -> None:
    """The database, Redis, its log, objects and settings; and again where an earlier release left them open."""
    folder = tmp_path / "deep" / "var"
    folder.parent.mkdir()
    with umask(0):
        with running_stack(folder) as first:
            request_id = first.submit(CSV)["requestId"]
            requests.post(f"{first.url}/api/requests/{request_id}/cancel", timeout=30)
            ended = first.wait(request_id)
            assert (folder / "imgproc.db").exists()
            assert [*folder.rglob("output.csv")]
            assert open_to_others(folder) == set()
        for path in [folder, *folder.iterdir()]:
            path.chmod(0o777)
        with running_stack(folder, PORT=first.environ["PORT"]) as second:
            assert second.status(request_id) == ended
            assert open_to_others(folder) == set()


def test_other_commands_make_it_private_too(tmp_path: Path) -> None:
    """Such as `flask db upgrade`, where no stack has run yet."""
    folder = tmp_path / "var"
    with umask(0):
        app = create_app(load_settings({"DATA_DIR": str(folder)}))
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE some (thing)")
            assert (folder / "imgproc.db-wal").exists()
            assert open_to_others(folder) == set()
        with app.app_context():
            db.engine.dispose()


def test_a_folder_of_others_keeps_its_mode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """DATA_DIR=/tmp would lock everybody out; what is ours in it is closed all the same."""
    tmp_path.chmod(0o777)
    theirs, ours = tmp_path / "theirs.txt", tmp_path / "imgproc.db"
    for file in (theirs, ours):
        file.touch()
        file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        make_private(tmp_path)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, theirs, ours)]
    assert modes == [0o777, 0o644, 0o600]
    assert "choose a folder of its own" in caplog.text


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    """It lies elsewhere, and may be somebody else's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "objects").symlink_to(elsewhere)
    make_private(folder)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.stat().st_mode) & OTHERS == 0
