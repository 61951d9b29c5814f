"""The validators of a picture, by which a later request asks for it only if it has changed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from urllib3 import BaseHTTPResponse

# We keep these headers and send them back to the host: an entity-tag (RFC 9110, 8.8.3) in ASCII, and an HTTP date.
ETAG = re.compile(r'(W/)?"[!#-~]{0,250}"')
DATE = re.compile(r"[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9:]{8} GMT")


@dataclass(frozen=True)
class Validators:
    """The validators of one version of a picture (RFC 9110, 8.8); empty where the host gives none that we keep."""

    etag: str
    last_modified: str

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that request the picture only if it has changed (RFC 9110, 13.1)."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


UNKNOWN = Validators("", "")


def validators_of(response: BaseHTTPResponse) -> Validators:
    """The validators that `response` carries."""
    etag, date = (response.headers.get(name, "").strip() for name in ("ETag", "Last-Modified"))
    return Validators(etag if ETAG.fullmatch(etag) else "", date if DATE.fullmatch(date) else "")
