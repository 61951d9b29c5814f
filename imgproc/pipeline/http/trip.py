"""One download as a sequence of requests: what each asks for, and what all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http.cookies import Cookies
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.resume import Beginning
from imgproc.pipeline.http.share_links import direct_form
from imgproc.pipeline.http.unshareable_links import unshareable
from imgproc.pipeline.http.validators import UNKNOWN, Validators


@dataclass(frozen=True)
class Request:
    """The next request of a download: where to, how, and what led to it."""

    url: str
    known: Validators = UNKNOWN
    begun: Beginning | None = None
    pause: float = 0.0  # seconds before it
    redirects: int = 0
    shared: bool = False  # whether the link of a service was replaced by that of its file
    waits: int = 0
    resumes: int = 0

    @property
    def doubt(self) -> DownloadError | None:
        """Why the request before this one must be continued."""
        return self.begun.error if self.begun else None


@dataclass(frozen=True)
class Trip:
    """What one download keeps from request to request; `again` says that its host has refused it several times."""

    deadline: Deadline
    again: bool
    cookies: Cookies = field(default_factory=Cookies)


def share_link(url: str) -> str | None:
    """The URL of the file that the share link `url` leads to; None if it is no share link.

    Raises:
        DownloadError: the link of this service cannot lead to a file.
    """
    if what := unshareable(url):
        raise DownloadError(f"{urlsplit(url).hostname} {what}.", code="invalid_url")
    link = direct_form(url)
    return link.url if link else None
