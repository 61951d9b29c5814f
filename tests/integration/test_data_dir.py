"""Only its owner can read DATA_DIR, whatever the umask of the stack and the modes of existing files."""

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
    """Set the umask for the block."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """The paths in a folder, itself included, that other users may read, write or enter."""
    return {str(path) for path in [folder, *folder.rglob("*")] if stat.S_IMODE(path.lstat().st_mode) & OTHERS}


def test_everything_a_stack_creates_is_private(tmp_path: Path) -> None:
    """The database, Redis, logs, objects and settings are private, also where an earlier release left them open."""
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


def test_other_commands_make_the_folder_private_too(tmp_path: Path) -> None:
    """`flask db upgrade`, for example, may run before any stack."""
    folder = tmp_path / "var"
    with umask(0):
        app = create_app(load_settings({"DATA_DIR": str(folder)}))
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE some (thing)")
            assert (folder / "imgproc.db-wal").exists()
            assert open_to_others(folder) == set()
        with app.app_context():
            db.engine.dispose()


def test_a_shared_folder_keeps_its_mode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """DATA_DIR=/tmp stays open to other users, and imgproc's own files in it become private."""
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


def test_the_target_of_a_link_keeps_its_mode(tmp_path: Path) -> None:
    """It is outside the folder, and may belong to another user."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "objects").symlink_to(elsewhere)
    make_private(folder)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.stat().st_mode) & OTHERS == 0
