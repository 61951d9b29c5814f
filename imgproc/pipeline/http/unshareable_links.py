"""Links that certainly serve no picture to a program, and what to give instead.

Only what the text of a URL shows for certain is here. A link that may work is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_UPLOAD = "upload the picture to a public web server, or share it by Google Drive or Dropbox, and give that link"
_PUBLIC = "make the file public, and give its own URL"
_ONE_FILE = "share each picture by itself and give its own link"


MAX_HOST_CHARS = 254


class _Rule(NamedTuple):
    """The hosts of a link (`.x.com` is x.com and all below it), its path or a part of it, what it is, the remedy."""

    hosts: str
    path: str
    what: str
    remedy: str = _UPLOAD


_AMAZON = " ".join(f".amazon.{end}" for end in ("com", "ca", "de", "fr", "it", "es", "in", "co.uk", "co.jp", "com.au"))
_RULES = (
    _Rule("we.tl .wetransfer.com", r"/.", "a WeTransfer page, which only a browser can open"),
    _Rule("photos.app.goo.gl photos.google.com", r"/.", "a page of Google Photos"),
    _Rule("goo.gl", r"/photos/", "a page of Google Photos"),
    _Rule(".icloud.com", r"/.", "an iCloud page, which only a browser can open"),
    _Rule("disk.yandex.ru disk.yandex.com disk.360.yandex.ru yadi.sk", r"/[di]/", "a page of Yandex Disk"),
    _Rule(".mediafire.com", r"/(?:file|folder|view)/", "a MediaFire page, which only a browser can open"),
    _Rule(".pcloud.link", r"/publink", "a pCloud page, which only a browser can open"),
    _Rule("lightroom.adobe.com", r"/shares/", "a page of Adobe Lightroom"),
    _Rule("files.slack.com", r"/files-", "a file of Slack, which needs a login"),
    _Rule(".slack.com", r"/(?:files|archives)/", "a page of Slack, which needs a login"),
    _Rule("discord.com", r"/channels/", "a page of Discord, which needs a login"),
    _Rule("console.cloud.google.com", r"/.", "the console of Google Cloud, which needs a login", _PUBLIC),
    _Rule(".console.aws.amazon.com", r"/.", "the console of AWS, which needs a login", _PUBLIC),
    _Rule("www.instagram.com instagram.com instagr.am", r"/(?!static/).", "an Instagram page, which needs a login"),
    _Rule(
        ".facebook.com fb.watch",
        r"/(?:photo|photos|share|story|permalink|[\w.]+/(?:photos|posts))\b",
        "a Facebook page, which needs a login",
    ),
    _Rule(".canva.com", r"/(?:design|folder)/", "a Canva design", f"download it from Canva as PNG, then {_UPLOAD}"),
    _Rule("canva.link", r"/.", "a Canva design", f"download it from Canva as PNG, then {_UPLOAD}"),
    _Rule(".figma.com", r"/(?:file|design|proto)/", "a Figma design", f"export it as PNG, then {_UPLOAD}"),
    _Rule(".mega.nz .mega.io .mega.co.nz", r"/(?:#|file|folder|embed)", "an encrypted file of MEGA"),
    _Rule("drive.proton.me", r"/urls/", "an encrypted file of Proton Drive"),
    _Rule(".fromsmash.com", r"/.", "a page of Smash, which only a browser can open"),
    _Rule(".swisstransfer.com", r"/d/", "a SwissTransfer page, which only a browser can open"),
    _Rule(".transfernow.net", r"/.", "a TransferNow page, which only a browser can open"),
    _Rule(".terabox.com .terabox.app .1024terabox.com .1024tera.com .teraboxapp.com", r"/s", "a TeraBox page"),
    _Rule(".tiktok.com .twitter.com .x.com", r"/.+/(?:status|video|photo)/", "a post, not a picture"),
    _Rule(_AMAZON, r"/photos/(?:share|shared)", "a page of Amazon Photos"),
    _Rule(
        "drive.google.com",
        r"/(?:drive/|folderview|embeddedfolderview)",
        "a folder or the start page of Google Drive, not a file",
        "open the picture, choose Share, “Anyone with the link”, and give the link of the file",
    ),
    _Rule(
        "docs.google.com",
        r"/(?:document|spreadsheets|presentation|forms)/",
        "a Google document, not a picture",
        "save the picture as a file in Google Drive and share that",
    ),
    _Rule(
        ".dropbox.com",
        r"/(?:home|work|personal|preview|photos|h|request|t|transfer)(?:[/?#]|\Z)",
        "a Dropbox page that only its owner or a browser can open",
        "choose Share, “Copy link” of the file, and give that link",
    ),
    _Rule(
        ".dropbox.com",
        r"/(?:sh|scl/fo)/(?![^?#]*\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?)(?:[?#]|\Z))",
        "a Dropbox folder, not a file",
        _ONE_FILE,
    ),
    _Rule(
        ".box.com",
        r"/(?:s/\w+/folder/|folder/|files/|f/|file/(?!\d+\?(?:[^#]*&)?s=))",
        "a Box page that only its owner can open, or a folder",
        "choose Share of the file, “People with the link”, and give that link",
    ),
    _Rule("1drv.ms", r"/f/", "a OneDrive folder, not a file", _ONE_FILE),
    _Rule(".sharepoint.com", r"/:f:/", "a SharePoint folder, not a file", _ONE_FILE),
    _Rule(
        ".imgur.com",
        r"/(?:a|gallery|t/\w+)/",
        "an Imgur album, not a picture",
        "open the picture and copy its own address, which begins with https://i.imgur.com/",
    ),
    _Rule(".flickr.com", r"/photos/[^/]+/(?:albums|sets|galleries)\b", "a Flickr album, not a picture", _ONE_FILE),
)

_HOST = re.compile(r"//([^/?#:,\s]+)")
_LINK = re.compile(r"//(([^/?#:,\s]+)[^,\s\"]*)")


def any_unshareable(text: str) -> bool:
    """Whether any of the URLs in `text`, separated by commas or lines, certainly serves no picture.

    A text of many URLs has few hosts, so only the URLs of a host that has rules are read.
    """
    hosts = {host for host in set(_HOST.findall(text)) if has_rules(host)}
    return bool(hosts) and any(unshareable(f"https://{link}") for link, host in _LINK.findall(text) if host in hosts)


def has_rules(host: str) -> bool:
    """Whether some links of the host serve no picture."""
    return bool(_rules_of(host.lower()))


def unshareable(url: str) -> str | None:
    """What `url` leads to and what to give instead, as the end of a sentence; None if it may serve a picture."""
    parts = split_link(url)
    rules = _rules_of(parts.hostname or "") if parts else ()
    for path, rule in rules:
        if parts and path.match(parts._replace(scheme="", netloc="").geturl()):
            return f"leads to {rule.what}: {rule.remedy}"
    return None


def split_link(url: str) -> SplitResult | None:
    """The parts of `url`, if it is a link as services give them: http(s), no user name, no port of its own."""
    try:
        parts = urlsplit(url)
        usual = parts.scheme in {"http", "https"} and "@" not in parts.netloc and parts.port in {None, 80, 443}
    except ValueError:
        return None
    return parts if usual and parts.hostname else None


def names_of(host: str) -> Iterator[str]:
    """The keys of a table of hosts that concern `host`: `a.x.com`, `.a.x.com`, `.x.com`, `.com`."""
    yield host
    while 0 < len(host) < MAX_HOST_CHARS:
        yield f".{host}"
        host = host.partition(".")[2]


@lru_cache(maxsize=4096)  # Files have many URLs of few hosts.
def _rules_of(host: str) -> tuple[tuple[re.Pattern[str], _Rule], ...]:
    return tuple(rule for name in names_of(host) for rule in _BY_HOST.get(name, ()))


_BY_HOST: dict[str, list[tuple[re.Pattern[str], _Rule]]] = {}
for _rule in _RULES:
    for _name in _rule.hosts.split():
        _BY_HOST.setdefault(_name, []).append((re.compile(_rule.path, re.I), _rule))
