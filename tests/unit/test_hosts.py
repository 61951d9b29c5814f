"""Which host names can only mean this machine (loopback)."""

from __future__ import annotations

import pytest

from imgproc.core.hosts import is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "a.b.localhost",
        "127.0.0.1",
        "127.0.0.1:8000",
        "127.255.3.4",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "127.0.0.1:",
    ],
)
def test_recognizes_loopback_hosts(host: str) -> None:
    """In every spelling, with or without a port."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example@localhost",
        "user:secret@127.0.0.1",
        "localhost evil.example",
        "é.localhost",
        "localhost,evil.example",
        "127.0.0.1, evil.example",
        "localhost/evil",
        "localhost#",
        "localhost\n",
        "localhost\x00",
        "0",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "192.168.1.5",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "[::1",
        "::1",
        "[::1%25lo]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "localhost:port",
        "localhost:80:80",
        "..localhost",
        "*.localhost",
    ],
)
def test_rejects_other_hosts(host: str) -> None:
    """DNS could resolve these names to this machine, or they are not plain loopback hosts."""
    assert not is_loopback(host)


def test_a_long_name_is_read_in_linear_time() -> None:
    """Thousands of labels cost no more than reading them."""
    assert not is_loopback("a." * 16_000 + "evil")
