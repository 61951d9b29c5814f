"""Login pages that come instead of a picture, and what their owner can do about each."""

from __future__ import annotations

import re

from urllib3.util import Url

from imgproc.pipeline.http.unshareable_links import names_of

_BY_HOST = {
    "accounts.google.com": "share the file in Google Drive as “Anyone with the link”",
    "login.microsoftonline.com": "share the file in OneDrive or SharePoint as “Anyone with the link”",
    "login.live.com": "share the file in OneDrive as “Anyone with the link”",
    "account.box.com": "share the file in Box as “People with the link”",
    "app.box.com": "share the file in Box as “People with the link”",
    "www.dropbox.com": "share the file in Dropbox as “Anyone with the link”",
    "id.atlassian.com": "make the repository public",
    "gitlab.com": "make the repository public",
    "github.com": "make the repository public",
}
_DRIVE, _ONE_DRIVE = _BY_HOST["accounts.google.com"], _BY_HOST["login.microsoftonline.com"]
_DROPBOX, _BOX = _BY_HOST["www.dropbox.com"], _BY_HOST["app.box.com"]
# The hosts that serve the files of share links; `.x.com` stands for x.com and all below it.
_SHARED = {
    "drive.usercontent.google.com": _DRIVE,
    "drive.google.com": _DRIVE,
    "api.onedrive.com": _ONE_DRIVE,
    "onedrive.live.com": _ONE_DRIVE,
    "my.microsoftpersonalcontent.com": _ONE_DRIVE,
    ".sharepoint.com": _ONE_DRIVE,
    ".dropbox.com": _DROPBOX,
    ".dropboxusercontent.com": _DROPBOX,
    ".box.com": _BOX,
    ".boxcloud.com": _BOX,
}
PUBLIC = "make the picture public, or set the headers of the host (a cookie or token) in HOST_HEADERS"
SHOP = "the shop is closed by a password; take it off, or give the pictures from another host"

_PATH = re.compile(
    r"/(?:[\w-]+/)*(?:log-?in|sign-?in|signin|logon|sso|servicelogin|users/sign_in|wp-login\.php|account/login"
    r"|anmelden|connexion|iniciar-sesion|oauth2?/authorize|saml2?)(?:[/.?]|\Z)",
    re.I,
)
_FORM = re.compile(r"<input[^<>]*\btype\s*=\s*[\"']?password\b")


def login_remedy(url: Url, page: str) -> str | None:
    """What to do about the login that stands at `url`; None if the answer is no login page.

    `page` is the beginning of its HTML in lower case, empty where the answer has none.
    """
    host = (url.host or "").lower()
    path = url.path or "/"
    is_login = _PATH.match(path) or _FORM.search(page)
    if re.fullmatch(r"/(?:[a-z-]{2,5}/)?password/?", path) and page:
        return SHOP  # Shopify
    if host.startswith(("accounts.", "login.", "signin.", "auth.", "sso.", "idp.", "id.")) and host in _BY_HOST:
        return _BY_HOST[host]
    return _BY_HOST.get(host, PUBLIC) if is_login else None


def sharing_remedy(host: str) -> str | None:
    """How to share a file of the service at `host` with everyone; None if it is no such service."""
    return next((_SHARED[name] for name in names_of(host.lower()) if name in _SHARED), None)
