"""Previews: pictures of a file that has not been started, downloaded and made small by the web process.

A preview goes through the guarded session and the limits of its host, as every download does. It is smaller, shorter
and rarer than those of workers, because a web process has few threads: one that takes too long is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from imgproc.core.config import Settings
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.http.body import Pace
from imgproc.pipeline.http.request_headers import HostHeaders, Identity, user_agent
from imgproc.pipeline.images.compress import CompressOptions, MemoryBudget, Rendition, compress
from imgproc.pipeline.images.thumbnail import thumbnail

MIB = 1024 * 1024
TIMEOUT, FIRST_BYTE_TIMEOUT = 6.0, 4.0  # seconds
LEAST_SPEED = 1_000_000  # bytes a second, so the longest download takes 16 s
MAX_BYTES = 10 * MIB
MAX_PIXELS = 25_000_000
MOST_COMPRESSED = 12_000_000  # pixels of a picture that is compressed while a person waits
MEMORY = 1024 * MIB  # of the previews of a process
SIDE = 160  # pixels of a thumbnail; it is shown at half of that, for sharp screens


@dataclass(frozen=True)
class Previews:
    """Makes previews. Threads may share it."""

    downloader: Downloader
    memory: MemoryBudget
    max_pixels: int

    def thumbnail(self, url: str) -> bytes:
        """A small JPEG of the picture.

        Raises:
            DownloadError, CompressError: the picture cannot be shown.
            HostWait: its host needs a pause.
        """
        source = self.downloader.download(url).body
        return thumbnail(source, side=SIDE, max_pixels=self.max_pixels, memory=self.memory).body

    def rendition(self, url: str, options: CompressOptions) -> tuple[bytes, Rendition]:
        """The picture as it is, and what the options make of it.

        Raises:
            DownloadError, CompressError: the picture cannot be shown.
            HostWait: its host needs a pause.
        """
        source = self.downloader.download(url).body
        most = min(self.max_pixels, MOST_COMPRESSED)
        return source, compress(source, options=options, max_pixels=most, memory=self.memory)


def init_app(app: Flask, settings: Settings) -> None:
    """Make the previews of `app`."""
    app.extensions["previews"] = Previews(
        downloader=Downloader(
            allowed_networks=settings.allowed_networks,
            timeout=min(TIMEOUT, settings.download_timeout),
            max_bytes=min(MAX_BYTES, settings.max_image_bytes),
            pace=Pace(min(FIRST_BYTE_TIMEOUT, settings.first_byte_timeout), LEAST_SPEED),
            samples_url=settings.samples_url,
            pool_size=2,
            gate=app.extensions["services"].host_limits,
            identity=Identity(user_agent(settings.contact_url), HostHeaders(settings.host_headers)),
        ),
        memory=MemoryBudget(MEMORY),
        max_pixels=min(MAX_PIXELS, settings.max_image_pixels),
    )


def previews() -> Previews:
    """The previews of the current app."""
    found: Previews = current_app.extensions["previews"]
    return found
