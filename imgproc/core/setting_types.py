"""How a setting is declared, how the text of its variable becomes a value, and which values are refused."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from limits import parse_many
from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf, Range

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST = re.compile(r"\.?[\w.-]+")
DATABASES = {"postgresql", "postgres", "postgresql+psycopg", "sqlite", "sqlite+pysqlite"}
REDIS_SCHEMES = {"redis", "rediss", "unix"}
CREDENTIALS = re.compile(r"(?<=://)[^:/@]*:[^@]*@")  # SQLAlchemy takes a password with any character but `@`
KEY_PREFIX = re.compile(r"(?:(?!\.\.?/)[A-Za-z0-9._-]{1,100}/){1,5}")  # S3 servers on files refuse `.`, `..` and `//`
MOST_WEBHOOK_SECRETS = 2  # the new one and the one it replaces


Readers = Literal["users", "operators", "tuning"]


@dataclass(frozen=True)
class Setting:
    """What the table says of one setting.

    `shown` describes the default to readers where its value would not. `compose` is the default that
    docker-compose.yml gives the containers; None where compose sets the value itself or containers have no use for it.
    """

    readers: Readers
    type: fields.Field[Any]
    description: str
    secret: bool
    shown: str | None
    compose: str | None


def _setting(
    readers: Readers,
    type_: fields.Field[Any],
    description: str,
    *,
    secret: bool = False,
    shown: str | None = None,
    compose: str | None = "",
) -> Any:
    """Declare a setting as the field of a dataclass; a secret stays out of its repr."""
    declared = Setting(readers, type_, description, secret, shown, compose)
    return field(repr=not secret, metadata={"setting": declared})


user = partial(_setting, "users")
operator = partial(_setting, "operators")
tuning = partial(_setting, "tuning")


def text(default: str | None = None, **options: Any) -> fields.String:
    """Any text."""
    return fields.String(load_default=default, **options)


def choice(default: str | None, *others: str) -> fields.String:
    """One of a few words; without a default also none."""
    return text(default, validate=OneOf([*filter(None, [default]), *others]))


def whole(default: int, at_least: int = 1, at_most: int | None = None) -> fields.Integer:
    """A whole number within bounds."""
    return fields.Integer(load_default=default, validate=Range(min=at_least, max=at_most))


def number(default: float, at_least: float) -> fields.Float:
    """A number with a lower bound."""
    return fields.Float(load_default=default, validate=Range(min=at_least))


def above_zero(default: float | None) -> fields.Float:
    """A number greater than 0."""
    return fields.Float(load_default=default, validate=Range(min=0, min_inclusive=False))


def share(default: float) -> fields.Float:
    """A number from 0 to 1."""
    return fields.Float(load_default=default, validate=Range(min=0, max=1))


def switch(*, default: bool) -> fields.Boolean:
    """True or false."""
    return fields.Boolean(load_default=default)


class Networks(fields.Field[tuple[Network, ...]]):
    """Comma-separated CIDR ranges."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[Network, ...]:  # noqa: ARG002 - marshmallow's signature
        try:
            return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise ValidationError(f"{error}; give CIDR ranges separated by commas, e.g. 10.0.0.0/8") from error


class Hosts(fields.Field[tuple[str, ...]]):
    """Comma-separated host names, without ports."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[str, ...]:  # noqa: ARG002 - marshmallow's signature
        hosts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not all(HOST.fullmatch(host) for host in hosts):
            raise ValidationError("Give host names without scheme or port, separated by commas, e.g. api.shop.example.")
        return hosts


class KeyPrefix(fields.Field[str]):
    """The start of an object's key: empty, or folders with a slash after each."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:  # noqa: ARG002 - marshmallow's signature
        prefix = f"{value.rstrip('/')}/"
        if not KEY_PREFIX.fullmatch(prefix):
            raise ValidationError(
                "Give names of letters, digits, `.`, `_` and `-` with a slash between, e.g. shop/imgproc/."
            )
        return prefix


class Names(fields.Field[tuple[str, ...]]):
    """Names separated by commas."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[str, ...]:  # noqa: ARG002 - marshmallow's signature
        return tuple(part.strip() for part in value.split(",") if part.strip())


class Seconds(fields.Field[tuple[int, ...]]):
    """Comma-separated whole seconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[int, ...]:  # noqa: ARG002 - marshmallow's signature
        try:
            seconds = tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise ValidationError("Give whole seconds separated by commas, e.g. 5,300.") from error
        if any(delay < 0 for delay in seconds):
            raise ValidationError("Give no negative delay: 0 or more seconds.")
        return seconds


def is_http_url(value: str) -> None:
    """Accept absolute http and https URLs."""
    if _scheme(value) not in {"http", "https"} or not urlsplit(value).hostname:
        raise ValidationError("Give an absolute http:// or https:// URL.")


def is_contact_url(value: str) -> None:
    """Accept URLs that fit into the comment of a User-Agent."""
    is_http_url(value)
    if not re.fullmatch(r"[!-'*-~]{1,500}", value):
        raise ValidationError("Give a URL in ASCII, without spaces and parentheses.")


def is_database_url(value: str) -> None:
    """Accept URLs of PostgreSQL and SQLite. The value may hold a password, so messages do not quote it."""
    scheme = _scheme(CREDENTIALS.sub("", value, count=1))
    if scheme not in DATABASES or not value.startswith(scheme):
        raise ValidationError("Give postgresql://user:password@host:5432/database or sqlite:////folder/file.db.")
    if scheme.startswith("sqlite") and not value.startswith(f"{scheme}:///"):
        raise ValidationError("A SQLite URL has three slashes before a relative path and four before an absolute one.")


def is_redis_url(value: str) -> None:
    """Accept URLs of Redis. The value may hold a password, so messages do not quote it."""
    scheme = _scheme(value)
    if scheme not in REDIS_SCHEMES or not value.startswith(scheme):
        raise ValidationError("Give redis://:password@host:6379/0, rediss:// for TLS, or unix:///path.sock.")
    if scheme != "unix" and not re.fullmatch(r"/?\d*", urlsplit(value).path):
        raise ValidationError("The path of a Redis URL is the number of a database, e.g. redis://host:6379/0.")


def is_webhook_secret(value: str) -> None:
    """Accept one secret of Standard Webhooks, or two separated by a space."""
    secrets = value.split()
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        raise ValidationError("Must start with whsec_ (make env generates one).")
    if len(secrets) > MOST_WEBHOOK_SECRETS:
        raise ValidationError("Give one secret, or two separated by a space while one replaces the other.")
    try:
        for secret in secrets:
            base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise ValidationError("What follows whsec_ must be base64 (make env generates one).") from error


def is_rate_limit(value: str) -> None:
    """Accept limits such as `300/minute`, several separated by semicolons."""
    try:
        parse_many(value)
    except ValueError as error:
        raise ValidationError("Give a number of calls and a time, e.g. 300/minute.") from error


def _scheme(url: str) -> str:
    """The scheme of a URL whose host and port can be read; else nothing."""
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.port is None or parts.port else ""
    except ValueError:  # a port that is no number, or an IPv6 address without its end
        return ""
