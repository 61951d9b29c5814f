"""Reads the settings from the environment, once, and reports every wrong one together.

Order of precedence: the environment, then `DATA_DIR/embedded.env` (written by the embedded stack while it runs, so that
a second shell finds its servers), then the defaults of the table.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from marshmallow import EXCLUDE, Schema, ValidationError

from imgproc.core.settings import MIB, TABLE, Settings

__all__ = [
    "FORM_OVERHEAD", "MIB", "UNSET_SETTINGS",
    "ConfigError", "Settings", "SettingsSchema", "load_settings", "settings_or_exit",
]  # fmt: skip

FORM_OVERHEAD = MIB  # bytes of a multipart body beside the file itself
UNSET_SETTINGS = dict.fromkeys(TABLE, "")  # hides every setting of an environment; an empty value counts as unset
EXIT_STATUS = 2  # as for a wrong option of a command


class ConfigError(Exception):
    """The environment holds settings that cannot be used; the message names every one of them."""


class _Environment(Schema):
    class Meta:
        """The environment holds variables of other programs too."""

        unknown = EXCLUDE


SettingsSchema = _Environment.from_dict({name: setting.type for name, setting in TABLE.items()}, name="SettingsSchema")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting from `environ` (default: the process's). An empty value counts as unset.

    Raises:
        ConfigError: one line for each setting that cannot be used, all of them at once.
    """
    given = {key: value for key, value in (os.environ if environ is None else environ).items() if value != ""}
    data_dir = Path(given.get("DATA_DIR", "var")).absolute()
    embedded = _running_stack(data_dir / "embedded.env")
    try:
        loaded: dict[str, Any] = SettingsSchema().load({**embedded, **given})
    except ValidationError as error:
        raise ConfigError(_explain(dict(error.messages))) from error  # type: ignore[arg-type]  # a list only for many=True
    values = {name.lower(): value for name, value in loaded.items()}
    if values["remote_user_header"] and not values["remote_user_networks"]:
        problem = "Name the networks of the proxy that sets REMOTE_USER_HEADER, e.g. 10.0.0.5/32."
        raise ConfigError(_explain({"REMOTE_USER_NETWORKS": [problem]}))
    outputs_dir = values["embedded_outputs_dir"]
    values |= {
        "data_dir": data_dir,
        "metrics_dir": Path(values["metrics_dir"] or data_dir / "metrics").absolute(),
        "embedded_outputs_dir": Path(outputs_dir) if outputs_dir else None,
        "heartbeat_file": Path(values["heartbeat_file"]) if values["heartbeat_file"] else None,
        "database_url": _driver(values["database_url"] or f"sqlite:///{data_dir / 'imgproc.db'}"),
        "s3_public_url": _public_url(values),
        "samples_url": _samples_url(values["samples_url"]),
    }
    return Settings(**values)


def _running_stack(file: Path) -> dict[str, str]:
    """The settings that the stack running in DATA_DIR wrote; none if no stack runs there.

    Raises:
        ConfigError: the file belongs to another user, whose addresses could catch API keys, or it cannot be read.
    """
    try:
        owner = file.stat().st_uid
        running = {key: value for key, value in dotenv_values(file).items() if value}
    except FileNotFoundError:
        return {}
    except OSError as error:
        problem = f"{file} cannot be read ({error.strerror}); choose a DATA_DIR of your own."
        raise ConfigError(_explain({"DATA_DIR": [problem]})) from error
    if owner != 0 and os.geteuid() not in (0, owner):
        raise ConfigError(_explain({"DATA_DIR": [f"{file} belongs to another user; choose a DATA_DIR of your own."]}))
    return running


def settings_or_exit() -> Settings:
    """Read the settings for an entry point; report wrong ones on standard error, without a traceback.

    Raises:
        SystemExit: with status 2, where a setting cannot be used.
    """
    try:
        return load_settings()
    except ConfigError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - logs are not set up without settings
        raise SystemExit(EXIT_STATUS) from error


def _explain(problems: Mapping[str, list[str]]) -> str:
    lines = [f"{name}: {' '.join(messages)}" for name, messages in sorted(problems.items())]
    if len(lines) == 1:
        return f"This setting cannot be used: {lines[0]}"
    return "\n  ".join(["These settings cannot be used:", *lines])


def _public_url(values: Mapping[str, Any]) -> str:
    """The base of public URLs: as given, else the outputs bucket at the endpoint."""
    endpoint = (values["s3_endpoint_url"] or "https://s3.amazonaws.com").rstrip("/")
    return str(values["s3_public_url"] or f"{endpoint}/{values['s3_outputs_bucket']}").rstrip("/")


def _samples_url(url: str | None) -> str | None:
    """The address of the samples with a slash at its end, because downloads compare URLs with it from the start."""
    return f"{url.rstrip('/')}/" if url else None


def _driver(url: str) -> str:
    """Name psycopg 3 where a PostgreSQL URL names no driver, as the URLs of hosting providers do."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url
