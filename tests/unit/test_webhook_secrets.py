"""WEBHOOK_SECRET has one secret, or two during a rotation; other values are refused at start."""

from __future__ import annotations

import pytest

from imgproc.core.config import ConfigError, load_settings

ONE, TWO = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==", "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGVzdHM="


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        pytest.param("", (), id="none"),
        pytest.param(ONE, (ONE,), id="one"),
        pytest.param(f"{ONE} {TWO}", (ONE, TWO), id="two"),
        pytest.param(f" {ONE}  {TWO}\n", (ONE, TWO), id="two, with more space"),
    ],
)
def test_reads_one_secret_or_two(value: str, secrets: tuple[str, ...]) -> None:
    """The secrets keep their order."""
    assert load_settings({"WEBHOOK_SECRET": value}).webhook_secrets == secrets


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        pytest.param("c2VjcmV0", "whsec_", id="no prefix"),
        pytest.param(f"{ONE} c2VjcmV0", "whsec_", id="no prefix in the second"),
        pytest.param(" ", "whsec_", id="a space"),
        pytest.param(f"{ONE} {TWO} {ONE}", "or two", id="three"),
        pytest.param("whsec_not base64!", "whsec_", id="two words"),
        pytest.param("whsec_nöt-base64", "base64", id="not base64"),
        pytest.param("whsec_abcde", "base64", id="cut short"),
    ],
)
def test_refuses_unusable_secrets(value: str, remedy: str) -> None:
    """The error has the remedy, and does not show the value."""
    with pytest.raises(ConfigError) as error:
        load_settings({"WEBHOOK_SECRET": value})
    assert "WEBHOOK_SECRET: " in str(error.value)
    assert remedy in str(error.value)
    assert ONE not in str(error.value)


def test_the_repr_shows_no_secret() -> None:
    """The repr of the settings has neither secret."""
    shown = repr(load_settings({"WEBHOOK_SECRET": f"{ONE} {TWO}"}))
    assert ONE not in shown
    assert TWO not in shown
