"""What `imgproc up` says when it is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgproc.cli import stack_commands
from imgproc.core.config import load_settings


@pytest.mark.parametrize("required", [True, False])
def test_the_example_works_where_keys_are_required(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, required: bool
) -> None:
    """Only then it says how to get a key, and its command sends one."""
    environ = {"DATA_DIR": str(tmp_path), "API_KEYS_REQUIRED": str(required)}
    stack_commands._announce(load_settings(environ))
    said = capsys.readouterr().out
    assert ("imgproc keys create NAME" in said) is required
    assert ('-H "X-API-Key: $IMGPROC_API_KEY" -F file=@catalogue.csv' in said) is required
