"""Redacts credentials in text: in the query, fragment and user part of URLs, and our own secrets anywhere.

Used for texts that are stored, or read by others than the caller: logs, error details, messages of the command line.
URLs for downloads and webhooks are never redacted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

REDACTED = "REDACTED"
LONGEST_NAME = 100  # characters of a parameter's name; longer texts are not taken for names

# A URL inside a query is encoded, one inside that is encoded twice, and so on: `?` is `%3F`, `%253F`, …
_AGAIN = "%(?:25)*"
_QUOTED_END = rf"{_AGAIN}(?:26|3B|23)"  # & ; #
_START = rf"^|[?&;#\s\"'(,|]|{_AGAIN}(?:3F|26|3B|23)"
_NAME = rf"((?:(?!{_AGAIN}(?:3D|3F|26|3B|23))[\w.%~:$+\[\]-]){{1,{LONGEST_NAME}}})"
_PARAMETER = re.compile(rf"(?:{_START}){_NAME}(?:=|{_AGAIN}3D)", re.I)
# A value ends with the parameter, the text, or where the next URL of a list begins.
_VALUE = re.compile(rf"(?:(?!{_QUOTED_END}|[,|]\s*https?:)[^\s&;#\"'<>()])*", re.I)

_USER = re.compile(r"(://)[^\s/?#\"'<>]*@")
_QUOTED_USER = re.compile(
    rf"({_AGAIN}3A(?:{_AGAIN}2F){{2}})(?:(?!{_AGAIN}(?:2F|3F|23|26))[^\s&\"'<>/])*{_AGAIN}40", re.I
)
_OWN_SECRET = re.compile(
    r"\b(?:(whsec_)[A-Za-z0-9+/=_-]{20,}|(imgproc_)[A-Za-z0-9_-]{40,}|(share/)[A-Za-z0-9_.-]{80,})"
)

# Compared with a name without its punctuation. The first group also matches the end of longer names: X-Amz-Signature,
# access_token. The others match whole names only.
_SECRET_NAME = re.compile(
    r".*(?:token|secret|signature|password|passwd|passphrase|credentials?|apikey|accesskey(?:id)?|privatekey|"
    r"secretkey|sharedkey|authorization|authkey|session(?:id)?|jwt|hmac|otp)"
    r"|key|keypairid|googleaccessid|sig|se|sp|skoid|auth|oauth|pwd|pass|pw|sid|policy|ticket|bearer|cookie|tkn|"
    r"hdn(?:ea|ts|tl)"
)


def redact(text: str) -> str:
    """The text with `REDACTED` instead of every credential, in time linear in its length."""
    if "=" in text or "%" in text:
        text = _redact_parameters(text)
    if "@" in text or "%" in text:
        text = _QUOTED_USER.sub(rf"\1{REDACTED}@", _USER.sub(rf"\1{REDACTED}@", text))
    return _OWN_SECRET.sub(rf"\1\2\3{REDACTED}", text)


def redact_all(value: Any) -> Any:
    """A value of a log event with every text in it redacted. An object that is no plain value becomes its repr."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {key: redact_all(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact_all(each) for each in value]
    return redact(repr(value))


def _redact_parameters(text: str) -> str:
    parts, end, position = [], 0, 0
    while found := _PARAMETER.search(text, position):
        position = found.end()
        if not _is_secret(found[1]):
            continue  # the value may be a URL that has parameters too
        parts += [text[end:position], REDACTED]
        value = _VALUE.match(text, position)
        end = position = value.end() if value else position
    return "".join([*parts, text[end:]])


def _is_secret(name: str) -> bool:
    for _ in range(3):
        name = unquote(name)
    return _SECRET_NAME.fullmatch(re.sub(r"[\W_]", "", name.lower())) is not None
