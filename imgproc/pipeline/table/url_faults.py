"""What is wrong with an item of a URL cell, and what to do about it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from imgproc.core.redaction import redact
from imgproc.pipeline.http.unshareable_links import unshareable
from imgproc.pipeline.table.url_items import starts_url

MAX_URL_CHARS = 8192

_IN_FULL = "write it in full, as https://your-shop/picture.jpg"
_PUBLISH = "put the picture on a web server or in your shop, and give its https:// URL"
_NOTHING = (
    r"(?:n/?a|n\.a\.|none|null|nil|no|x|tbd|tba|-+|\u2013|\u2014|\.|\?|undefined|nan|0|false|empty|missing|pending)$"
)
_FILE_NAME = r"[^\s/\\:]+\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?|svg)$"
# Items that are no absolute URL, by their form: the first that matches tells.
_FORMS = (
    (r"https?://\s*https?:?/*", f"begins with http:// twice: {_IN_FULL}"),
    (r"[a-z]:[\\/]|\\\\|file:|~/|/(?:users|home|volumes|mnt|tmp)/", f"is a file on a computer: {_PUBLISH}"),
    (r"data:", f"is a picture inside the cell (data:), not a URL: {_PUBLISH}"),
    (r"(?:s3|gs|az|wasbs?)://", f"is the address of a cloud bucket for programs: {_PUBLISH}"),
    (r"s?ftps?://", f"is an FTP address, which browsers no longer open: {_PUBLISH}"),
    (r"(?:blob|about|javascript|mailto|cid|content|chrome):", f"is no address of a picture on the web: {_PUBLISH}"),
    (r"//\S", "has no https: before the //: add it"),
    (r"www\.", "has no https:// before the www.: add it"),
    (r"h?h?t{1,3}ps?:/{0,3}\S|h..?ps?:/{0,3}\S|https?[^:/]", f"is misspelled at its beginning: {_IN_FULL}"),
    (_NOTHING, "stands for no picture: leave it out, or remove the row if it has no other picture"),
    (r"#\S+[!?]$|#n/?\S+$|err:\d+$", "is the error of a formula: correct it in the spreadsheet, or leave it out"),
    (r"=", "is a formula: copy its column in the spreadsheet, paste it as values, and save again"),
    (
        r"/[\w-]/[\w-]/\S",
        "is a path without its host, as Magento exports it: put https://your-shop/media/catalog/product before it",
    ),
    (r"/\S", "is a path without its host: put the address of the website before it, such as https://your-shop"),
    (
        r"[^\s:?#./][^\s:?#]{0,300}/[^\s:?#/]{1,300}\.(?:jpe?g|png|gif|webp)$",
        "is a path without its host: put the address of the website before it, such as https://your-shop/",
    ),
    (
        _FILE_NAME,
        "is the name of a file, not its address: put that of its folder before it, such as https://your-shop/images/",
    ),
    (r"[\w-]+(?:\.[\w-]+)+(?::\d+)?/\S", "has no https:// before the host: add it"),
)
_FAULTS = tuple((re.compile(pattern, re.I), fault) for pattern, fault in _FORMS)


def fault_of(url: str) -> str | None:
    """What is wrong with the syntax of `url` (RFC 3986, and IRIs); its host is not looked up."""
    shown = redact(url[:200])
    shown = repr(shown if len(shown) <= 100 else shown[:100] + "…").replace("\\\\", "\\")
    fault = _form_fault(url) or _character_fault(url)
    try:
        parts = urlsplit(url)
        if not fault and "@" in parts.netloc:  # The URL is not shown, because it may hold a password.
            return "carries a user name or password: publish the image without one."
        has_address = parts.port != 0 and "%20" not in parts.netloc and re.search(r"[\w:]", parts.hostname or "")
    except ValueError:
        has_address = None
    fault = fault or (
        unshareable(url) if has_address else f"has no host (the name of the website), or no valid port: {_IN_FULL}"
    )
    return f"({shown}) {fault}." if fault else None


def _form_fault(url: str) -> str | None:
    """Why an item is no absolute http(s) URL."""
    is_absolute = starts_url(url)
    for pattern, fault in _FAULTS[:1] if is_absolute else _FAULTS:
        if pattern.match(url):
            return fault
    if is_absolute:
        return "is cut off at its end: copy all of it" if url.endswith(("…", "...")) else None
    if not re.search(r"[/.:\\]", url):
        return f"is no URL: leave it out, or {_IN_FULL}; a space inside a URL is written %20"
    return f"is not an absolute http:// or https:// URL: {_IN_FULL}, and a space inside it as %20"


def _character_fault(url: str) -> str | None:
    if len(url) > MAX_URL_CHARS:
        return f"is longer than {MAX_URL_CHARS:,} characters: shorten it"
    if "\\" in url:
        return "holds a backslash (\\): write / instead, or remove it"
    if not url.isprintable():
        return "holds an invisible character: remove it"
    return None
