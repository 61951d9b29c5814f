"""URLs as they were written, with only what is illegal encoded, as browsers do (https://url.spec.whatwg.org).

Signed URLs and many old shops depend on each character, so nothing that may be sent is rewritten: `%7E` stays `%7E`,
`%2f` stays `%2f`, a stray `%` stays a stray `%`.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import unquote

import idna
from urllib3.util import Url

from imgproc.core.errors import InvalidInput

PORTS = {"http": 80, "https": 443}
# Redirects to signed URLs take up to 4,000 characters. Mapping an international host of 64 KiB takes a second.
MAX_URL_CHARS = 8192
MAX_HOST_CHARS = 1000

_ABSOLUTE = re.compile(r"(https?):[/\\]{2}([^/\\?#]*)([^?#]*)(?:\?([^#]*))?", re.I)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.I)
_SLASHES, _SLASH = re.compile(r"[/\\]{2}"), re.compile(r"^[/\\]+")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::0*([0-9]{0,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f]")
_NOT_IN_HOST = re.compile(r"[\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]")
# The path and the special-query percent-encode sets of the standard. `%` is in neither.
_ILLEGAL_IN_PATH = re.compile(r"[^!$-;=@-\]_a-z|~]+")
_ILLEGAL_IN_QUERY = re.compile(r"[^!$-&(-;=?-~]+")
_DOT, _DOTS = re.compile(r"\.|%2e", re.I), re.compile(r"(?:\.|%2e){2}", re.I)
_HAS_DOTS = re.compile(r"/(?:\.|%2e)", re.I)


def parse_url(url: str) -> Url:
    """The parts of an absolute http(s) URL; its path and query are ready to be sent. A fragment is dropped.

    Raises:
        InvalidInput: `invalid_url`: it is not an absolute http(s) URL, or it carries a user name or password.
    """
    if len(url) > MAX_URL_CHARS:
        raise _invalid(f"This URL is longer than {MAX_URL_CHARS:,} characters")
    url = url.strip(" \t\r\n\f").replace("\t", "")
    if _CONTROL.search(url):
        raise _invalid("This is not a URL we can read")
    found = _ABSOLUTE.fullmatch(url.partition("#")[0])
    if not found or not found[2]:
        raise _invalid("This is not an absolute http:// or https:// URL")
    scheme, authority, path, query = found.groups()
    if "@" in authority:
        raise _invalid("This URL carries a user name or password")
    host, port = _host_and_port(authority)
    return Url(scheme=scheme.lower(), host=host, port=port, path=_sent_path(path), query=_sent_query(query))


def join(base: Url, reference: str) -> str:
    """The URL that `reference` means in an answer from `base`, as browsers resolve it; it may be invalid.

    Tabs and line breaks are ignored, `\\` counts as `/`, and `http:/x` of the same scheme is relative.
    """
    reference = re.sub(r"[\t\r\n]", "", reference.strip(" \t\r\n\f"))
    scheme, found = base.scheme or "", _SCHEME.match(reference)
    if found and found[1].lower() not in PORTS:
        return reference
    if found:
        reference = reference[found.end() :]
    if (found and found[1].lower() != scheme) or _SLASHES.match(reference):
        return f"{found[1] if found else scheme}://{_SLASH.sub('', reference)}"
    return _join_path(base, reference)


def _join_path(base: Url, reference: str) -> str:
    origin, path = Url(scheme=base.scheme, host=base.host, port=base.port).url, base.path or "/"
    if reference.startswith(("/", "\\")):
        return origin + reference
    if reference.startswith("?"):
        return origin + path + reference
    if not reference or reference.startswith("#"):
        return base.url
    return origin + path[: path.rindex("/") + 1] + reference


def _host_and_port(authority: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(authority)
    if not found or not found[1] or int(found[2] or 0) > 65535:
        raise _invalid("This is not a URL we can read")
    host, port = found.groups()
    return _ascii_host(host), int(port) if port else None


def _ascii_host(host: str) -> str:
    """The host in lower case and ASCII, as it is looked up.

    A host that is not ASCII and maps to plain ASCII, such as full-width digits, is refused: parsers disagree about it.
    """
    if len(host) > MAX_HOST_CHARS:
        raise _invalid("This URL has too long a host")
    try:
        if host.startswith("["):
            IPv6Address(host[1:-1])
            return host.lower()
        host = unquote(host, errors="strict")
        sent = host.lower() if host.isascii() else _international(host)
        sent.encode("idna")  # Refuses empty and too long labels, as getaddrinfo does.
    except ValueError as error:
        raise _invalid("This is not a URL we can read") from error
    if _NOT_IN_HOST.search(sent):
        raise _invalid("This is not a URL we can read")
    return sent


def _international(host: str) -> str:
    """The host in Punycode after the mapping of UTS 46, without the stricter rules of IDNA 2008, as browsers do.

    Raises:
        ValueError: a character is not allowed, or the host maps to plain ASCII.
    """
    labels = idna.uts46_remap(host, std3_rules=False, transitional=False).split(".")
    sent = [label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels]
    if sent == labels:
        raise ValueError(host)
    return ".".join(sent)


def _sent_path(path: str) -> str:
    path = path.replace("\\", "/")
    if _HAS_DOTS.search(path):
        path = _without_dots(path)
    return _ILLEGAL_IN_PATH.sub(_encoded, path) or "/"


def _sent_query(query: str | None) -> str | None:
    return None if query is None else _ILLEGAL_IN_QUERY.sub(_encoded, query)


def _without_dots(path: str) -> str:
    """Resolve the segments `.` and `..`, also where the dot is written `%2e`. Empty segments count."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments, start=1):
        if _DOTS.fullmatch(segment):
            del kept[-1:]
        elif not _DOT.fullmatch(segment):
            kept.append(segment)
            continue
        if number == len(segments):
            kept.append("")
    return "/" + "/".join(kept)


def _encoded(illegal: re.Match[str]) -> str:
    return "%" + illegal[0].encode("utf-8", "replace").hex("%").upper()


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(f"{what}; give one like https://example.com/shoe.jpg.", code="invalid_url")
