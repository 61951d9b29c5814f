"""Share links of well-known services -> the URL of the file itself, or why no such URL exists.

A share link leads to a page around the file. Everything here is about the text of a URL: nothing is looked up, and a
direct link stays as it is. The checks of addresses apply to the result as to any URL.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from imgproc.pipeline.http.unshareable_links import names_of, split_link, unshareable

MAX_NESTED = 3  # links that hold a share link, which may be one of OneDrive that holds another


class DirectLink(NamedTuple):
    """The URL of the file that a share link of `service` leads to."""

    url: str
    service: str

    @property
    def note(self) -> str:
        """One sentence for the reading of the file."""
        return (
            f"This is a share link of {self.service}; the file itself is downloaded from {urlsplit(self.url).netloc}."
        )


def direct_form(url: str) -> DirectLink | None:
    """The direct link that the share link `url` stands for; None if `url` is not a share link that we know."""
    return _direct_form(url, MAX_NESTED)


def is_of_service(host: str) -> bool:
    """Whether the host belongs to a service whose share links we know."""
    return _service_of(host.lower()) is not None


def _direct_form(url: str, nested: int) -> DirectLink | None:
    parts = split_link(url)
    service = _service_of(parts.hostname or "") if parts and nested else None
    if parts is None or service is None or unshareable(url):
        return None
    name, convert = service
    found = convert(parts)
    if found and (convert is _wrapped or found.startswith("https://1drv.ms/")):
        inner = _direct_form(found, nested - 1)
        return inner if inner or convert is not _wrapped else DirectLink(found, name)
    return DirectLink(found, name) if found and found != url else None


def _query(parts: SplitResult) -> dict[str, str]:
    return dict(parse_qsl(parts.query, keep_blank_values=True))


def _url(host: str | None, path: str, query: dict[str, str] | None = None) -> str:
    return f"https://{host}{path}" + (f"?{urlencode(query)}" if query else "")


def _google_drive(parts: SplitResult) -> str | None:
    """`confirm=t` answers the warning that a large file was not scanned for viruses."""
    query = _query(parts)
    found = re.match(r"/(?:a/[\w.-]+/)?file/(?:u/\d+/)?d/([\w-]+)", parts.path)
    plain = re.fullmatch(r"/(?:a/[\w.-]+/)?(?:u/\d+/)?(?:open|uc)", parts.path)
    file_id = found[1] if found else query.get("id", "") if plain else ""
    if not re.fullmatch(r"[\w-]{10,}", file_id):
        return None
    wanted = {"id": file_id, "export": "download", "confirm": "t"}
    if key := query.get("resourcekey"):
        wanted["resourcekey"] = key
    return _url("drive.usercontent.google.com", "/download", wanted)


def _google_docs(parts: SplitResult) -> str | None:
    if found := re.match(r"/drawings/(?:u/\d+/)?d/([\w-]{10,})(?:/(?:edit|view|preview|pub)?)?\Z", parts.path):
        return _url("docs.google.com", f"/drawings/d/{found[1]}/export/png")
    return _google_drive(parts)


def _google_storage(parts: SplitResult) -> str | None:
    """The console gives links that need a login; a public file has the same path at the store."""
    return _url("storage.googleapis.com", parts.path) if re.match(r"/[^/]+/.", parts.path) else None


_WRAPPED_IN = {
    "/imgres": ("imgurl",), "/url": ("url", "q"), "/l.php": ("u",), "/": ("url",),
    "/images/search": ("mediaurl", "img_url"), "/media": ("url",),
}  # fmt: skip


def _wrapped(parts: SplitResult) -> str | None:
    """The link inside a link of a search engine, a network or a mail filter."""
    query = _query(parts)
    names = _WRAPPED_IN.get(parts.path, ())
    found = next((query[name] for name in names if name in query), "")
    return found if split_link(found) else None


def _dropbox(parts: SplitResult) -> str | None:
    """`raw=1` asks for the file itself; links that ask for it with `dl=1` are direct already."""
    query = _query(parts)
    if not re.match(r"/(?:s|sh|scl/f[io])/", parts.path) or query.get("dl") == "1" or query.get("raw") == "1":
        return None
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"dl", "raw"}]
    return f"https://www.dropbox.com{parts.path}?{urlencode([*kept, ('raw', '1')])}"


def _moved_one_drive(account: str, share: str) -> str:
    """The file of an account that moved to SharePoint."""
    path = f"/personal/{account}/_layouts/15/download.aspx"
    return _url("my.microsoftpersonalcontent.com", path, {"share": share})


def _one_drive_short(parts: SplitResult) -> str | None:
    """Accounts that moved to SharePoint have links with `/c/`; the shares API serves the older ones."""
    if found := re.fullmatch(r"/[a-z]/c/([0-9a-fA-F]+)/([\w!-]+)", parts.path):
        return _moved_one_drive(*found.groups())
    if re.fullmatch(r"/[a-z]/s![\w-]+", parts.path):
        encoded = base64.urlsafe_b64encode(parts._replace(scheme="https").geturl().encode()).decode().rstrip("=")
        return _url("api.onedrive.com", f"/v1.0/shares/u!{encoded}/root/content")
    return None


def _one_drive(parts: SplitResult) -> str | None:
    if found := re.fullmatch(r"/:i:/g/personal/([0-9a-fA-F]+)/([\w!-]+)", parts.path):
        return _moved_one_drive(*found.groups())
    query = _query(parts)
    if redeem := query.get("redeem"):
        try:
            link = base64.urlsafe_b64decode(redeem + "=" * (-len(redeem) % 4)).decode()
        except ValueError:
            return None
        return link if link.startswith("https://1drv.ms/") else None
    item = query.get("resid") or query.get("id", "")
    if parts.path.startswith("/download") or "authkey" not in query or "!" not in item:
        return None
    return _url("onedrive.live.com", "/download", {"resid": item, "authkey": query["authkey"]})


def _share_point(parts: SplitResult) -> str | None:
    """`download=1` asks for the file instead of the page that shows it."""
    query = _query(parts)
    if not re.match(r"/:[a-z]:/", parts.path) or query.get("download") == "1":
        return None
    query.pop("web", None)
    return _url(parts.hostname, parts.path, {**query, "download": "1"})


def _box(parts: SplitResult) -> str | None:
    found = re.fullmatch(r"/s/(?P<name>\w+)/file/(?P<id>\d+)", parts.path)
    file = re.fullmatch(r"/file/(\d+)", parts.path)
    name, number = (found["name"], found["id"]) if found else (_query(parts).get("s"), file and file[1])
    if name and number:
        wanted = {"rm": "box_download_shared_file", "shared_name": name, "file_id": f"f_{number}"}
        return _url(parts.hostname, "/index.php", wanted)
    host = "app.box.com" if parts.hostname in {"box.com", "www.box.com"} else parts.hostname
    found = re.fullmatch(r"/(?:embed/)?s/(\w+)/?", parts.path)
    return _url(host, f"/shared/static/{found[1]}") if found else None


def _file_of_page(host: str, pattern: str, file: str) -> Callable[[SplitResult], str | None]:
    """Converts pages around the files of a repository: a path that matches `pattern` becomes `file` at `host`."""
    page = re.compile(pattern)

    def convert(parts: SplitResult) -> str | None:
        found = page.fullmatch(parts.path)
        return _url(host, found.expand(file)) if found else None

    return convert


# `/raw/` of GitHub redirects to the file, also where Git LFS keeps it.
_git_hub = _file_of_page("github.com", r"(/[\w.-]+/[\w.-]+)/blob(/.+)", r"\1/raw\2")
_git_lab = _file_of_page("gitlab.com", r"(/.+?)/(?:-/)?blob(/.+)", r"\1/-/raw\2")
_bitbucket = _file_of_page("bitbucket.org", r"(/[\w.{}-]+/[\w.{}-]+)/src(/[^/]+/.+)", r"\1/raw\2")
_codeberg = _file_of_page("codeberg.org", r"(/[\w.-]+/[\w.-]+)/src(/(?:branch|commit|tag)/.+)", r"\1/raw\2")
_hugging_face = _file_of_page("huggingface.co", r"(/.+?)/blob(/.+)", r"\1/resolve\2")


def _imgur(parts: SplitResult) -> str | None:
    """Imgur serves a picture in its own format whatever the extension says, and a page where there is none."""
    found = re.fullmatch(r"/(?:r/\w+/)?(\w{5,8})(\.\w{3,4})?", parts.path)
    if not found:
        return None
    extension = ".gif" if found[2] == ".gifv" else found[2] or ".jpg"
    is_direct = parts.hostname == "i.imgur.com" and extension == found[2]
    return None if is_direct else _url("i.imgur.com", f"/{found[1]}{extension}")


def _wikimedia(parts: SplitResult) -> str | None:
    """`Special:FilePath` redirects to the file. A drawing (SVG) is asked for as a picture of a usual width."""
    title = unquote(parts.path.removeprefix("/wiki/")) if parts.path.startswith("/wiki/") else ""
    if parts.path == "/w/index.php":
        title = _query(parts).get("title", "")
    if parts.fragment.startswith("/media/"):
        title = unquote(parts.fragment.removeprefix("/media/"))
    namespace, colon, name = title.partition(":")
    # The name of the namespace depends on the language, so a file is known by its extension.
    is_file = re.search(r"\.(?:jpe?g|png|gif|webp|tiff?|svg|xcf)\Z", name, re.I)
    if not colon or not is_file or namespace.lower() in {"special", "talk"}:
        return None
    width = {"width": "1280"} if name.lower().endswith(".svg") else None
    return _url(parts.hostname, f"/wiki/Special:FilePath/{quote(name, safe='')}", width)


def _unsplash(parts: SplitResult) -> str | None:
    found = re.fullmatch(r"/photos/(?:[\w-]*-)?([\w-]{11})", parts.path)
    return _url("unsplash.com", f"/photos/{found[1]}/download", {"force": "true"}) if found else None


_GOOGLE = "com de fr it es nl pl pt at ch be se dk co.uk co.in co.jp com.au com.br com.mx com.tr ca"
_SERVICES: dict[str, tuple[str, Callable[[SplitResult], str | None]]] = {
    "drive.google.com": ("Google Drive", _google_drive),
    "docs.google.com": ("Google Drive", _google_docs),
    "storage.cloud.google.com": ("Google Cloud Storage", _google_storage),
    **{f"{www}google.{end}": ("Google", _wrapped) for www in ("", "www.", "images.") for end in _GOOGLE.split()},
    "l.facebook.com": ("Facebook", _wrapped),
    "lm.facebook.com": ("Facebook", _wrapped),
    "l.instagram.com": ("Instagram", _wrapped),
    **dict.fromkeys(("www.bing.com", "bing.com"), ("Bing", _wrapped)),
    **dict.fromkeys(("yandex.com", "yandex.ru"), ("Yandex", _wrapped)),
    "www.reddit.com": ("Reddit", _wrapped),
    ".safelinks.protection.outlook.com": ("Outlook", _wrapped),
    ".dropbox.com": ("Dropbox", _dropbox),
    "1drv.ms": ("OneDrive", _one_drive_short),
    "onedrive.live.com": ("OneDrive", _one_drive),
    ".sharepoint.com": ("SharePoint", _share_point),
    ".box.com": ("Box", _box),
    ".github.com": ("GitHub", _git_hub),
    "gitlab.com": ("GitLab", _git_lab),
    "bitbucket.org": ("Bitbucket", _bitbucket),
    "codeberg.org": ("Codeberg", _codeberg),
    "huggingface.co": ("Hugging Face", _hugging_face),
    ".imgur.com": ("Imgur", _imgur),
    ".wikipedia.org": ("Wikipedia", _wikimedia),
    ".wikimedia.org": ("Wikimedia", _wikimedia),
    ".unsplash.com": ("Unsplash", _unsplash),
}


@lru_cache(maxsize=4096)  # Files have many URLs of few hosts.
def _service_of(host: str) -> tuple[str, Callable[[SplitResult], str | None]] | None:
    return next((_SERVICES[name] for name in names_of(host) if name in _SERVICES), None)
