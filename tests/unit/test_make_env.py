"""`make env` fills `.env` with new random secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.make_env import fill, main

EXAMPLE = """\
# __GENERATE__ stands for a secret.
A=__GENERATE__
B=__GENERATE__
WEBHOOK_SECRET=__GENERATE_WHSEC__
PORT=8000
"""


def test_every_placeholder_gets_its_own_secret() -> None:
    """Comments and other values stay unchanged."""
    comment, first, second, webhook, port = fill(EXAMPLE).splitlines()
    assert comment == "# __GENERATE__ stands for a secret."
    assert re.fullmatch(r"A=[\w-]{32}", first)
    assert re.fullmatch(r"B=[\w-]{32}", second)
    assert re.fullmatch(r"WEBHOOK_SECRET=whsec_[\w+/]{43}=", webhook)
    assert port == "PORT=8000"
    assert first[2:] != second[2:]


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """Its mode is 0600."""
    (tmp_path / ".env.example").write_text(EXAMPLE)
    main(tmp_path / ".env.example", tmp_path / ".env")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    """Its secrets are in use, and losing them would lock the owner out of the data."""
    (tmp_path / ".env.example").write_text(EXAMPLE)
    (tmp_path / ".env").write_text("A=mine")
    with pytest.raises(SystemExit, match="exists and is kept"):
        main(tmp_path / ".env.example", tmp_path / ".env")
    assert (tmp_path / ".env").read_text() == "A=mine"
