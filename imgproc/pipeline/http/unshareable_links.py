"""Links that certainly serve no picture to a program, and what to give instead.

Only what the text of a URL shows for certain is here. A link that may work is tried.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_UPLOAD = "upload the picture to a public web server, or share it by Google Drive or Dropbox, and give that link"
_ONE_FILE = "share each picture by itself and give its own link"


class _Rule(NamedTuple):
    """A host, the path and query (or a part of them) of the link, what it leads to, and the remedy."""

    host: str
    path: str
    what: str
    remedy: str


_RULES = (
    _Rule(r"we\.tl|(?:[\w-]+\.)?wetransfer\.com", r"/.", "a WeTransfer page, which only a browser can open", _UPLOAD),
    _Rule(r"photos\.app\.goo\.gl|photos\.google\.com", r"/.", "a page of Google Photos", _UPLOAD),
    _Rule(r"goo\.gl", r"/photos/", "a page of Google Photos", _UPLOAD),
    _Rule(r"(?:(?:www|share)\.)?icloud\.com", r"/.", "an iCloud page, which only a browser can open", _UPLOAD),
    _Rule(r"(?:www\.)?instagram\.com|instagr\.am", r"/(?!static/).", "an Instagram page, which needs a login", _UPLOAD),
    _Rule(
        r"(?:www\.|m\.|web\.)?facebook\.com|fb\.watch",
        r"/(?:photo|photos|share|story|permalink|[\w.]+/(?:photos|posts))\b",
        "a Facebook page, which needs a login",
        _UPLOAD,
    ),
    _Rule(
        r"(?:www\.)?canva\.(?:com|site)",
        r"/(?:design|folder)/",
        "a Canva design",
        "download it from Canva as PNG, then " + _UPLOAD,
    ),
    _Rule(r"canva\.link", r"/.", "a Canva design", "download it from Canva as PNG, then " + _UPLOAD),
    _Rule(r"(?:www\.)?figma\.com", r"/(?:file|design|proto)/", "a Figma design", "export it as PNG, then " + _UPLOAD),
    _Rule(r"(?:www\.)?mega\.(?:nz|io|co\.nz)", r"/(?:#|file|folder|embed)", "an encrypted file of MEGA", _UPLOAD),
    _Rule(r"drive\.proton\.me", r"/urls/", "an encrypted file of Proton Drive", _UPLOAD),
    _Rule(r"(?:[\w-]+\.)?fromsmash\.com", r"/.", "a page of Smash, which only a browser can open", _UPLOAD),
    _Rule(r"(?:www\.)?swisstransfer\.com", r"/d/", "a SwissTransfer page, which only a browser can open", _UPLOAD),
    _Rule(r"(?:www\.)?transfernow\.net", r"/.", "a TransferNow page, which only a browser can open", _UPLOAD),
    _Rule(r"(?:www\.)?(?:1024)?tera(?:box|share|box?app)\.(?:com|app)", r"/s", "a TeraBox page", _UPLOAD),
    _Rule(r"(?:www\.)?(?:tiktok\.com|twitter\.com|x\.com)", r"/.+/(?:status|video|photo)/", "a post", _UPLOAD),
    _Rule(
        r"(?:www\.)?amazon\.(?:com|[a-z]{2}|co\.\w\w)", r"/photos/(?:share|shared)", "an Amazon Photos page", _UPLOAD
    ),
    _Rule(
        r"drive\.google\.com",
        r"/(?:drive/|folderview|embeddedfolderview)",
        "a folder or the start page of Google Drive, not a file",
        "open the picture, choose Share, “Anyone with the link”, and give the link of the file",
    ),
    _Rule(
        r"docs\.google\.com",
        r"/(?:document|spreadsheets|presentation|forms)/",
        "a Google document, not a picture",
        "save the picture as a file in Google Drive and share that",
    ),
    _Rule(
        r"(?:www\.)?dropbox\.com",
        r"/(?:home|work|personal|preview|photos|h|request|t|transfer)(?:[/?#]|\Z)",
        "a Dropbox page that only its owner or a browser can open",
        "choose Share, “Copy link” of the file, and give that link",
    ),
    _Rule(
        r"(?:www\.)?dropbox\.com",
        r"/(?:sh|scl/fo)/(?![^?#]*\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?)(?:[?#]|\Z))",
        "a Dropbox folder, not a file",
        _ONE_FILE,
    ),
    _Rule(
        r"(?:[\w-]+\.){0,2}box\.com",
        r"/(?:s/\w+/folder|folder|files?|f)/",
        "a Box page that only its owner can open, or a folder",
        "choose Share of the file, “People with the link”, and give that link",
    ),
    _Rule(r"1drv\.ms", r"/f/", "a OneDrive folder, not a file", _ONE_FILE),
    _Rule(r"[\w-]+\.sharepoint\.com", r"/:f:/", "a SharePoint folder, not a file", _ONE_FILE),
    _Rule(
        r"(?:www\.|m\.)?imgur\.com",
        r"/(?:a|gallery|t/\w+)/",
        "an Imgur album, not a picture",
        "open the picture and copy its own address, which begins with https://i.imgur.com/",
    ),
    _Rule(
        r"(?:www\.)?flickr\.com",
        r"/photos/[^/]+/(?:albums|sets|galleries)\b",
        "a Flickr album, not a picture",
        _ONE_FILE,
    ),
)
_COMPILED = tuple((re.compile(f"(?:{rule.host})"), re.compile(rule.path, re.I), rule) for rule in _RULES)

# Finds the links that a rule may concern, in a text of many URLs, without reading each of them.
_SUSPICIOUS = re.compile(
    r"//(?:[\w-]+\.){0,3}(?:we\.tl|wetransfer\.com|photos\.(?:app\.goo\.gl|google\.com)|goo\.gl/photos|icloud\.com"
    r"|instagram\.com|instagr\.am|facebook\.com|fb\.watch|canva\.|figma\.com|mega\.|drive\.proton\.me|fromsmash\.com"
    r"|swisstransfer\.com|transfernow\.net|(?:1024)?tera|tiktok\.com|twitter\.com|x\.com|amazon\.[\w.]+/photos"
    r"|drive\.google\.com/(?:drive|fol|emb)|docs\.google\.com/[dspf]|dropbox\.com/(?!s/|scl/fi/)|box\.com|1drv\.ms/f"
    r"|sharepoint\.com/:f:|imgur\.com/(?:a|gallery|t)/|flickr\.com)[^,\s\"]*",
    re.I,
)


def any_unshareable(text: str) -> bool:
    """Whether any of the URLs in `text`, separated by commas or lines, certainly serves no picture."""
    return any(unshareable(f"https:{link}") for link in _SUSPICIOUS.findall(text))


def unshareable(url: str) -> str | None:
    """What `url` leads to and what to give instead, as the end of a sentence; None if it may serve a picture."""
    parts = split_link(url)
    if parts is None:
        return None
    where = parts._replace(scheme="", netloc="").geturl()
    for hosts, paths, rule in _COMPILED:
        if hosts.fullmatch(parts.hostname or "") and paths.match(where):
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
