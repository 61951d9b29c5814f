"""Settings that hold headers: how their text becomes headers, and which headers are refused."""

from __future__ import annotations

import json
import re
from typing import Any

from marshmallow import ValidationError, fields

HEADER_HOST = re.compile(r"\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
# RFC 9110, 5.6.2: a header's name is a token.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
HEADER_VALUE = re.compile(r"[!-~](?:[ -~]{0,8190}[!-~])?")
# imgproc sets these headers itself: they frame a message, or change with each request.
OWN_HEADERS = re.compile(
    r"host|connection|keep-alive|te|trailer|upgrade|expect|range|accept-encoding|transfer-encoding|content-.*|if-.*"
    r"|proxy-.*",
    re.I,
)


class HostHeaders(fields.Field[dict[str, dict[str, str]]]):
    """A JSON object: host -> header -> value. Values may be secrets, so messages quote none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> dict[str, dict[str, str]]:  # noqa: ARG002 - marshmallow's signature
        try:
            hosts = json.loads(value)
        except ValueError:
            hosts = None
        if not isinstance(hosts, dict) or not all(isinstance(headers, dict) for headers in hosts.values()):
            raise ValidationError('Give a JSON object, e.g. {"img.shop.example": {"Authorization": "Bearer …"}}.')
        return {host.lower(): _headers(host, headers) for host, headers in hosts.items()}


def _headers(host: str, headers: dict[str, Any]) -> dict[str, str]:
    """The headers of a host, each name in one spelling."""
    if not HEADER_HOST.fullmatch(host.lower()):
        raise ValidationError("Give host names without scheme, port or path (`.shop.example` includes all below it).")
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValidationError(f"A header of {host} has a name with characters that no header may have.")
        if OWN_HEADERS.fullmatch(name):
            raise ValidationError(f"The header {name} of {host} is set by imgproc itself; leave it out.")
        if not isinstance(value, str) or not HEADER_VALUE.fullmatch(value):
            raise ValidationError(f"The header {name} of {host} must be one line of text in ASCII.")
    return {name.title(): value for name, value in headers.items()}


def is_header_name(value: str) -> None:
    """Accept the name of a header with a hyphen or none; servers drop names with underscores."""
    if not HEADER_NAME.fullmatch(value) or "_" in value:
        raise ValidationError("Give the name of a header without underscores, e.g. X-Forwarded-User.")


def is_header_value(value: str) -> None:
    """Accept one line of ASCII, as a header's value is."""
    if not HEADER_VALUE.fullmatch(value):
        raise ValidationError("Give one line of text in ASCII.")
