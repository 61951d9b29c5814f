"""The table of settings: generated files are up to date, and wrong values are refused with the name of the setting."""

from __future__ import annotations

import errno
import os
from dataclasses import fields
from pathlib import Path
from unittest.mock import Mock

import pytest

from imgproc.core import config
from imgproc.core.config import ConfigError, Settings, SettingsSchema, load_settings
from imgproc.core.settings import TABLE
from imgproc.pipeline.http.request_headers import HostHeaders
from scripts import write_settings

ROOT = Path(__file__).parents[2]
SECRET_WORDS = ("SECRET", "TOKEN", "KEY", "PASSWORD", "DATABASE_URL", "REDIS_URL")
UNNAMED_SECRETS = {"HOST_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "SENTRY_DSN"}


@pytest.mark.parametrize("name", write_settings.WRITTEN)
def test_files_follow_the_table(name: str) -> None:
    """`make settings` changes nothing."""
    text = (ROOT / name).read_text()
    assert write_settings.updated(name, text) == text


def test_a_stale_file_is_named_and_then_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` reports the file and changes nothing; the next run writes it."""
    for name in write_settings.WRITTEN:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    page = tmp_path / write_settings.PAGE
    page.write_text(page.read_text().replace("| `PORT` |", "| `DOOR` |"))
    monkeypatch.setattr(write_settings, "ROOT", tmp_path)
    assert write_settings.main(check=True) == 1
    assert f"{write_settings.PAGE} is out of date" in capsys.readouterr().out
    assert write_settings.main(check=False) == 0
    assert write_settings.main(check=True) == 0
    assert page.read_text() == (ROOT / write_settings.PAGE).read_text()


def test_a_file_without_marks_is_refused() -> None:
    """Without marks the table would be missing unnoticed."""
    with pytest.raises(ValueError, match="lacks the lines"):
        write_settings.updated(write_settings.PAGE, "# Settings\n")


def test_the_schema_and_the_dataclass_have_the_same_names() -> None:
    """Each setting is declared in both, in the same order."""
    assert [each.name.upper() for each in fields(Settings)] == list(SettingsSchema().fields) == list(TABLE)


def test_every_description_is_one_sentence_on_one_line() -> None:
    """Descriptions are written into table cells and one-line comments."""
    assert [name for name, each in TABLE.items() if not each.description.endswith(".")] == []
    assert [name for name, each in TABLE.items() if set(each.description) & set("\n|")] == []
    assert [line for line in write_settings.example_lines().splitlines() if len(line) > 120] == []


def test_secrets_are_declared_as_secrets() -> None:
    """Secrets stay out of the repr; every setting with a name like a secret is declared as one."""
    named = {name for name in TABLE if any(word in name for word in SECRET_WORDS)}
    assert {name for name, each in TABLE.items() if each.secret} == (named | UNNAMED_SECRETS) - {"API_KEYS_REQUIRED"}
    shown = repr(load_settings({"API_KEY": "hunter2", "DATABASE_URL": "postgresql://u:hunter2@h/d"}))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        pytest.param("DATABASE_URL", "postgres", "Give postgresql://", id="a database without a scheme"),
        pytest.param("DATABASE_URL", "mysql://hunter2@host/db", "Give postgresql://", id="another database"),
        pytest.param("DATABASE_URL", "postgresql://u:hunter2@host:54x/db", "Give postgresql://", id="no port number"),
        pytest.param("DATABASE_URL", " postgresql://u:hunter2@h/d", "Give postgresql://", id="a space in front"),
        pytest.param("DATABASE_URL", "POSTGRESQL://u:hunter2@h/d", "Give postgresql://", id="a scheme in capitals"),
        pytest.param("DATABASE_URL", "postgresql://u:/hunter2@h:5x/d", "Give postgresql://", id="slash, no port"),
        pytest.param("DATABASE_URL", "sqlite://hunter2.db", "three slashes", id="SQLite with two slashes"),
        pytest.param("REDIS_URL", "hunter2:6379", "Give redis://", id="Redis without a scheme"),
        pytest.param("REDIS_URL", "http://hunter2:6379", "Give redis://", id="Redis by HTTP"),
        pytest.param("REDIS_URL", "redis://:hunter2@host:99999", "Give redis://", id="a port that is too large"),
        pytest.param("REDIS_URL", "redis://:hunter2@host/first", "number of a database", id="Redis database by name"),
        pytest.param("WEBHOOK_SECRET", "hunter2", "Must start with whsec_", id="webhook secret"),
        pytest.param("IMGPROC_URL", "hunter2:8000", "absolute http", id="address without a scheme"),
        pytest.param("CONTACT_URL", "hunter2", "absolute http", id="no contact URL"),
        pytest.param("CONTACT_URL", "https://a.example/(hunter2)", "without spaces", id="a contact with parentheses"),
        pytest.param("CONTACT_URL", "https://a.example/\r\nX: hunter2", "without spaces", id="a contact with a header"),
        pytest.param("HOST_HEADERS", "hunter2", "Give a JSON object", id="headers that are no JSON"),
        pytest.param("HOST_HEADERS", '["hunter2"]', "Give a JSON object", id="headers in a list"),
        pytest.param("HOST_HEADERS", '{"a.example": "hunter2"}', "Give a JSON object", id="headers in a text"),
        pytest.param(
            "HOST_HEADERS", '{"https://a.example": {"X": "hunter2"}}', "without scheme", id="headers of a URL"
        ),
        pytest.param("HOST_HEADERS", '{"a.example:80": {"X": "hunter2"}}', "without scheme", id="headers of a port"),
        pytest.param("HOST_HEADERS", '{"*.a.example": {"X": "hunter2"}}', "without scheme", id="headers of a star"),
        pytest.param("HOST_HEADERS", '{"a.example": {"X": 1}}', "one line of text", id="a header that is a number"),
        pytest.param("HOST_HEADERS", '{"a.example": {"X": ""}}', "one line of text", id="an empty header"),
        pytest.param("HOST_HEADERS", '{"a.example": {"X": "a\\r\\nhunter2: b"}}', "one line", id="two headers in one"),
        pytest.param("HOST_HEADERS", '{"a.example": {"X": "hunter2\\u2028"}}', "one line", id="a Unicode line break"),
        pytest.param(
            "HOST_HEADERS", '{"a.example": {"X: hunter2": "b"}}', "no header may have", id="a name with a colon"
        ),
        pytest.param(
            "HOST_HEADERS", '{"a.example": {"hunter2\\n": "b"}}', "no header may have", id="a name of two lines"
        ),
        pytest.param("HOST_HEADERS", '{"a.example": {"host": "hunter2"}}', "leave it out", id="the header Host"),
        pytest.param(
            "HOST_HEADERS", '{"a.example": {"Content-Length": "hunter2"}}', "leave it out", id="a framing header"
        ),
        pytest.param("HOST_HEADERS", '{"a.example": {"Transfer-Encoding": "hunter2"}}', "leave it out", id="chunked"),
        pytest.param(
            "HOST_HEADERS", '{"a.example": {"Proxy-Authorization": "hunter2"}}', "leave it out", id="of proxies"
        ),
    ],
)
def test_a_wrong_setting_is_one_line_with_the_remedy(name: str, value: str, remedy: str) -> None:
    """The line does not quote the value, which may contain a password."""
    with pytest.raises(ConfigError) as refused:
        load_settings({name: value})
    message = str(refused.value)
    assert message.startswith(f"This setting cannot be used: {name}: ")
    assert remedy in message
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://postgres:@/postgres?host=/run/postgresql"),
        ("DATABASE_URL", "postgresql+psycopg://u:p@[::1]:5432/db"),
        ("DATABASE_URL", "postgres://host"),
        ("DATABASE_URL", "postgresql://u:p/a#s?s[w:o@host:5432/db"),
        ("DATABASE_URL", "sqlite:///imgproc.db"),
        ("DATABASE_URL", "sqlite:////srv/imgproc.db"),
        ("REDIS_URL", "redis://host"),
        ("REDIS_URL", "rediss://:p@host:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock?db=1"),
    ],
)
def test_accepts_the_urls_that_drivers_accept(name: str, value: str) -> None:
    """Sockets, IPv6 and TLS are accepted, with and without a database name."""
    load_settings({name: value})


def test_headers_of_hosts_stay_out_of_every_repr() -> None:
    """Neither the settings nor the headers as the downloader has them show a value."""
    given = '{"IMG.Shop.example": {"authorization": "Bearer hunter2", "referer": "https://hunter2.example/"}}'
    settings = load_settings({"HOST_HEADERS": given})
    headers = HostHeaders(settings.host_headers)
    assert headers.of("img.shop.example")["Authorization"] == "Bearer hunter2"
    assert "hunter2" not in f"{settings!r} {headers!r} {headers}"


@pytest.mark.parametrize("value", ["http://10.0.0.5", "http://10.0.0.5/"])
def test_the_address_of_the_samples_ends_with_a_slash(value: str) -> None:
    """Downloads may reach what begins with it: `http://10.0.0.55/` must not be among that."""
    assert load_settings({"SAMPLES_URL": value}).samples_url == "http://10.0.0.5/"


def test_the_environment_overrides_the_running_stack(tmp_path: Path) -> None:
    """IMGPROC_URL comes from the environment, or else from the file of the embedded stack."""
    environ = {"DATA_DIR": str(tmp_path)}
    assert load_settings(environ).imgproc_url is None
    (tmp_path / "embedded.env").write_text("IMGPROC_URL='http://127.0.0.1:9001'\n")
    assert load_settings(environ).imgproc_url == "http://127.0.0.1:9001"
    assert load_settings(environ | {"IMGPROC_URL": "https://shop.example"}).imgproc_url == "https://shop.example"


def test_the_addresses_of_another_user_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that all may write, such as /tmp, another user could name an address that collects API keys."""
    file = tmp_path / "embedded.env"
    file.write_text("IMGPROC_URL='http://127.0.0.1:9001'\n")
    if os.geteuid() == 0:
        os.chown(file, 1001, -1)
        assert load_settings({"DATA_DIR": str(tmp_path)}).imgproc_url  # root may use the stack of any user
    monkeypatch.setattr(os, "geteuid", lambda: 1002)
    with pytest.raises(
        ConfigError, match=r"^This setting cannot be used: DATA_DIR: .* another user; choose a DATA_DIR"
    ):
        load_settings({"DATA_DIR": str(tmp_path)})


def test_a_stack_whose_file_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder may be open to all, as /tmp is, but not its addresses and secrets."""
    (tmp_path / "embedded.env").touch()
    monkeypatch.setattr(config, "dotenv_values", Mock(side_effect=PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(ConfigError, match=r"^This setting cannot be used: DATA_DIR: .*Permission denied.*of your own"):
        load_settings({"DATA_DIR": str(tmp_path)})
