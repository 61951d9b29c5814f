"""HTML pages that come with status 200 instead of a picture: where they lead, or what they mean."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode, urljoin, urlsplit

from urllib3.util import Url

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http import refusal_rules as rules
from imgproc.pipeline.http.login_pages import login_remedy
from imgproc.pipeline.http.request_headers import AGENT_NAME

MAX_PAGE_CHARS = 262_144  # The metadata of a page are at its beginning.
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|!--|script|meta|title|body)", re.I)

# Pages of services around one picture, and the hosts their pictures are at.
_PICTURE_PAGES = {
    "ibb.co": r"i\.ibb\.co",
    "imgbb.com": r"i\.ibb\.co",
    "postimg.cc": r"i\.postimg\.cc",
    "postimages.org": r"i\.postimg\.cc",
    "www.flickr.com": r"(?:live|farm\d+)\.static\.?flickr\.com",
    "flickr.com": r"(?:live|farm\d+)\.static\.?flickr\.com",
    "www.pinterest.com": r"i\.pinimg\.com",
    "pinterest.com": r"i\.pinimg\.com",
    "imgur.com": r"i\.imgur\.com",
    "prnt.sc": r"image\.prntscr\.com",
    "gyazo.com": r"i\.gyazo\.com",
}
_PICTURE = re.compile(r"<meta\s[^<>]{0,300}?property\s*=\s*[\"']?og:image(?::url)?[\"']?[^<>]{0,900}>", re.I)
_CONTENT = re.compile(r"\bcontent\s*=\s*[\"']([^\"'<>]{1,800})[\"']", re.I)

# The page of a file that is shared from a cloud of one's own, at any host.
_OWN_CLOUD_PATH = re.compile(r"(?:/[\w.-]+){0,3}/s/\w{15}/?")
_OWN_CLOUD = re.compile(r"\b(?:nextcloud|owncloud)\b", re.I)

_INPUT = re.compile(r"<input[^<>]{0,500}>", re.I)
_FORM = re.compile(r"<form[^<>]{0,500}\baction\s*=\s*[\"']([^\"'<>]{1,500})[\"']", re.I)

_QUOTA = re.compile(r"too many users have viewed or downloaded this file|<title>google drive - quota exceeded")
_MISSING = re.compile(
    r"<title[^>]*>[^<]{0,80}(?:\b404\b|not found|page introuvable|nicht gefunden|no encontrad|non trovat|não encontrad"
    r"|niet gevonden|nie znaleziono|bulunamad|見つかりません|找不到|не найден)"
)


def is_page(body: bytes) -> bool:
    """Whether the body begins as an HTML page does."""
    return _HTML.match(body[:1024]) is not None


def picture_of(body: bytes, url: Url) -> str | None:
    """The URL that the page at `url` leads to: the picture it is about, or the file behind a warning; None if neither.

    Only pages of known services are followed, and only to the hosts of their own files, or to the same host.
    """
    host, page = (url.host or "").lower(), body[:MAX_PAGE_CHARS].decode("utf-8", "replace")
    if host in {"drive.usercontent.google.com", "drive.google.com"}:
        return _behind_the_warning(page, url)
    if _OWN_CLOUD_PATH.fullmatch(url.path or "") and _OWN_CLOUD.search(page):
        return f"{url.scheme}://{url.netloc}{(url.path or '').rstrip('/')}/download"
    hosts = _PICTURE_PAGES.get(host) or (_PICTURE_PAGES["pinterest.com"] if _is_pinterest(host) else None)
    if not hosts:
        return None
    for tag in _PICTURE.findall(page):
        if found := _CONTENT.search(tag):
            target = html.unescape(found[1])
            if _is_at(target, hosts):
                return target
    return None


def page_error(body: bytes, url: Url) -> DownloadError | None:
    """The error of a page that came with status 200; None where it is only known to be a page."""
    host, page = url.host or "", body[:MAX_PAGE_CHARS].decode("utf-8", "replace").lower()
    if _QUOTA.search(page):
        detail = (
            f"{host} has served this file too often today (Google Drive); try again tomorrow, or give a copy of it."
        )
        return DownloadError(detail, code="not_an_image", retryable=True)
    for rule in rules.WALL_PAGES:
        if rule.sign.search(page):
            return DownloadError(f"{host} {rule.what.format(agent=AGENT_NAME)}.", code=rules.BOT_BLOCKED)
    if remedy := login_remedy(url, page):
        return DownloadError(f"{host} sent a login page instead of a picture; {remedy}.", code=rules.LOGIN_REQUIRED)
    if rules.SUSPENDED.sign.search(page):
        return DownloadError(f"{host} {rules.SUSPENDED.what}.", code="not_an_image")
    if _MISSING.search(page):
        detail = f"{host} sent a page that says “not found” instead of a picture; check the URL."
        return DownloadError(detail, code="not_an_image")
    return None


def _behind_the_warning(page: str, url: Url) -> str | None:
    """The URL of a file of Google Drive that was not scanned for viruses, from the form of the warning."""
    form = _FORM.search(page)
    if form is None or "virus" not in page.lower():
        return None
    fields = {}
    for tag in _INPUT.findall(page):
        name, value = (re.search(rf"\b{key}\s*=\s*[\"']([^\"'<>]*)[\"']", tag) for key in ("name", "value"))
        if name and value:
            fields[html.unescape(name[1])] = html.unescape(value[1])
    target = urljoin(url.url, html.unescape(form[1])).partition("?")[0]
    target = f"{target}?{urlencode(fields)}"
    return target if _is_at(target, r"drive\.usercontent\.google\.com|drive\.google\.com") else None


def _is_pinterest(host: str) -> bool:
    return (
        re.fullmatch(r"(?:[a-z]{2,3}\.|www\.)?pinterest\.(?:com|[a-z]{2}|co\.[a-z]{2}|com\.[a-z]{2})", host) is not None
    )


def _is_at(url: str, hosts: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and parts.port is None and re.fullmatch(hosts, parts.netloc) is not None
    except ValueError:
        return False
