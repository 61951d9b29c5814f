"""Untrusted text on a terminal and in text logs cannot act as control codes."""

from __future__ import annotations

import io
import json
import logging
import runpy
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from rich.console import Console
from structlog.stdlib import ProcessorFormatter

from imgproc import client, demo
from imgproc.cli import main
from imgproc.client.from_json import read
from imgproc.core import logs
from imgproc.core.logs import TextFormatter
from imgproc.core.terminal import printable, printable_lines

HOSTILE = {
    "an ANSI colour": "\x1b[31mred",
    "an 8-bit escape": "\x9b2Jgone",
    "a title": "\x1b]0;owned\x07",
    "a hyperlink": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "a bell": "\x07",
    "a backspace": "safe\x08\x08\x08\x08evil",
    "a carriage return": "safe\revil",
    "a form feed": "\x0c",
    "a delete": "\x7f",
    "a NUL": "\0",
    "an override of direction": "\u202egpj.exe",
    "an isolate": "\u2066evil\u2069",
    "marks of direction": "\u200e\u200f\u061c",
    "characters without width": "a\u200bb\ufeffc\u00add\u2060",
    "a line separator": "a\u2028b\u2029c",
    "a next line": "a\u0085b",
    "half a surrogate": "\ud800",
    "tags": "\U000e0041",
}
TEXTS = ["Crème brûlée", "赤いカップ", "ספל אדום", "👩\u200d🔧", "a\u200cb", "[bold]not markup[/]", "plain"]


def is_harmless(text: str) -> bool:
    """Whether a terminal shows every character in place."""
    return all(
        each in "\n\t\u200c\u200d" or (unicodedata.category(each) not in {"Cc", "Cs", "Cf", "Zl", "Zp"})
        for each in text
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_escapes_control_characters(name: str) -> None:
    """Both functions escape them, and a second escape changes nothing."""
    text = HOSTILE[name]
    for escape in (printable, printable_lines):
        assert is_harmless(escape(text))
        assert escape(escape(text)) == escape(text) != text


@pytest.mark.parametrize("text", TEXTS)
def test_leaves_other_text_alone(text: str) -> None:
    """Ordinary text in any script is unchanged."""
    assert (printable(text), printable_lines(text)) == (text, text)


def test_keeps_line_feeds_only_in_texts_of_several_lines() -> None:
    """`printable` escapes line feeds, so that a name stays on one line; `printable_lines` keeps them."""
    assert printable("a\n\tb") == "a\\x0a\\x09b"
    assert printable_lines("a\n\tb\r") == "a\n\tb\\x0d"


def test_escapes_every_invisible_control_and_format_character() -> None:
    """All of Unicode's control and format categories, except the two joiners and visible characters."""
    drawn = {0x200C, 0x200D, *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    for code in [*range(0x3000), *range(0xD800, 0xE000), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0080)]:
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and code not in drawn:
            assert printable(chr(code)) != chr(code), hex(code)


@pytest.fixture
def log_output() -> Any:
    """Configure logging into a buffer, and restore it after the test."""
    root = logging.getLogger()
    earlier, level = list(root.handlers), root.level
    buffer = io.StringIO()

    def configure(log_format: str) -> io.StringIO:
        logs.configure(log_format=log_format, level="INFO")
        # pytest's handlers would keep the log for a report, which cannot contain half a surrogate.
        root.handlers[:] = [each for each in root.handlers if isinstance(each.formatter, ProcessorFormatter)]
        for handler in root.handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(buffer)
        return buffer

    yield configure
    root.handlers[:] = earlier
    root.setLevel(level)
    structlog.reset_defaults()


def log_everything(text: str) -> None:
    """Log the text in every place of an event."""
    log = structlog.get_logger("ours")
    log.warning("product_failed", name=text, cells=[text], other=Path(text.replace("\0", "")))
    log.warning(text)
    logging.getLogger("theirs").warning("got %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("it_failed")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_log_escapes_untrusted_text(name: str, log_output: Any) -> None:
    """Events, values, messages of libraries and tracebacks are escaped."""
    buffer = log_output("text")
    log_everything(HOSTILE[name])
    assert buffer.getvalue().count("[warning") == 3
    assert is_harmless(buffer.getvalue())


def test_untrusted_text_cannot_forge_a_log_entry(log_output: Any) -> None:
    """A line feed in a name does not start a new entry."""
    buffer = log_output("text")
    log_everything("x\n2026-11-28T00:00:00Z [error] forged")
    entries = [line for line in buffer.getvalue().splitlines() if not line.startswith("    ")]
    assert len(entries) == 4
    assert not [entry for entry in entries if entry.startswith("2026-11-28T00:00:00Z [error")]


def test_a_json_log_has_the_original_text(log_output: Any) -> None:
    """JSON escapes it."""
    buffer = log_output("json")
    structlog.get_logger("ours").warning("product_failed", name="\x1b[31m\u202e")
    assert json.loads(buffer.getvalue())["name"] == "\x1b[31m\u202e"
    assert is_harmless(buffer.getvalue())


def test_gunicorn_escapes_its_log() -> None:
    """gunicorn's messages quote request lines."""
    conf = runpy.run_path(str(Path(__file__).parents[2] / "gunicorn.conf.py"))
    log = logging.Logger("gunicorn")
    buffer = io.StringIO()
    conf["logger_class"]._set_handler(
        object.__new__(conf["logger_class"]), log, "-", logging.Formatter("%(message)s"), buffer
    )
    log.warning("Invalid request: %s", "\x1b[31m")
    assert buffer.getvalue() == "Invalid request: \\x1b[31m\n"


def test_gunicorn_redacts_its_log() -> None:
    """gunicorn logs why a worker did not start, and the reason may quote a URL."""
    record = logging.makeLogRecord({"msg": "GET /a?token=s3cr3t \x1b[31m"})
    assert TextFormatter("%(message)s").format(record) == "GET /a?token=REDACTED \\x1b[31m"


COUNTS = {"completed": 1, "failed": 0, "total": 1}
STATUS = {
    "requestId": "x",
    "status": "completed",
    "statusUrl": "http://127.0.0.1/api/status/x",
    "createdAt": "2026-11-23T10:00:00Z",
    "counts": {"rows": 1, "products": 1, "images": 1, "skippedRows": 0},
    "filename": "a.csv",
    "options": {},
    "progress": {"percent": 100, "images": COUNTS, "products": COUNTS},
    "bytes": {"source": 2, "output": 1, "savedPercent": 1.0},
}
PRODUCT = {"line": 2, "serialNumber": "1.", "productName": "Mug", "status": "failed", "images": []}
SCREENS = [["status", "x"], ["submit", "{file}"], ["submit", "{file}", "--wait"], ["list"], ["products", "x"]]
SCREENS += [[*screen, "--json"] for screen in SCREENS]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "field",
    ["status", "filename", "reference", "outputCsvUrl", "failedCsvUrl", "error", "refusal", "requestId", "productName"],
)
def test_the_command_line_escapes_untrusted_text(
    field: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Any field of a server's answer is escaped, as text and in JSON."""
    text = HOSTILE[name].replace("\ud800", "\u202e")  # UTF-8 cannot encode half a surrogate
    said = {**STATUS, field: {"code": text, "detail": text} if field == "error" else text}
    request, product = read(client.Request, said), read(client.Product, {**PRODUCT, "productName": text})

    def submit(*_: Any, **__: Any) -> Any:
        if field == "refusal":
            raise client.ApiError(text)
        return read(client.Accepted, said)

    monkeypatch.setattr(client.Client, "submit", submit)
    monkeypatch.setattr(client.Client, "status", lambda *_: request)
    monkeypatch.setattr(client.Client, "watch", lambda *_: iter([request]))
    monkeypatch.setattr(client.Client, "requests", lambda *_, **__: iter([request]))
    monkeypatch.setattr(client.Client, "products", lambda *_, **__: iter([product]))
    file = tmp_path / "a.csv"
    file.write_text("")
    screens = [[word.format(file=file) for word in screen] for screen in SCREENS]
    outputs = [CliRunner().invoke(main.main, screen, catch_exceptions=False).output for screen in screens]
    assert all(map(is_harmless, outputs)), outputs


@pytest.mark.parametrize("name", [*TEXTS, *HOSTILE])
def test_the_table_of_the_demo_escapes_names(name: str) -> None:
    """Neither escape sequences nor rich's markup take effect."""
    text = HOSTILE.get(name, name)
    buffer = io.StringIO()
    Console(file=buffer, width=200, force_terminal=False).print(
        demo._results([read(client.Product, {**PRODUCT, "productName": text})])
    )
    shown = buffer.getvalue()
    assert printable(text) in shown
    assert is_harmless(shown)
