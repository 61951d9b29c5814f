"""Makes one image: download, compress, store; or copies it from a duplicate. Objects come before rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import structlog

from imgproc.core.errors import HostWait, ImageError, ImgprocError, InfrastructureError
from imgproc.core.metrics import StageSeconds, timed
from imgproc.core.tracing import span
from imgproc.db.transitions.products import PendingImage, ProductClaim
from imgproc.db.transitions.results import FailedImage, ImageResult, MadeImage
from imgproc.journey.lease import stopping
from imgproc.journey.outage import growing_pauses
from imgproc.journey.services import Services
from imgproc.journey.stage_faults import BROKEN_DOWNLOAD, BROKEN_PICTURE, BROKEN_STORE, run_stage
from imgproc.journey.stage_times import stages_ms
from imgproc.pipeline.download import Download
from imgproc.pipeline.http.host_gate import host_and_port
from imgproc.pipeline.http.validators import UNKNOWN, Validators
from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress, content_type_of, extension_of
from imgproc.pipeline.storage.object_keys import original_key, rendition_key

OFTEN = 3  # refusals of an image after which it, not its host, may be the reason
OUTAGE_PATIENCE = 60.0  # seconds that a worker keeps the bytes of an image while the store is away
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between two tries at the store

log = structlog.get_logger(__name__)


OUT_OF_MEMORY = "A worker did not have enough memory for this image; give one with fewer pixels."


@dataclass(frozen=True)
class FailedAttempt:
    """An image that was not made in this attempt: it is tried again, or it fails for good."""

    image: PendingImage
    error: ImgprocError
    stages_ms: dict[str, int] | None = None


ImageOutcome = ImageResult | FailedAttempt


def failed(image: PendingImage, error: ImgprocError, *, stages_ms: dict[str, int] | None = None) -> ImageResult:
    """The result of an image that fails for good."""
    return ImageResult(image.id, FailedImage(error.code, error.detail, error.retryable, stages_ms))


@dataclass(frozen=True)
class ImageMaker:
    """Makes the images of a claimed product, one at a time.

    It calls `check` before each put, so that a worker whose lease was taken over stores nothing more. Every method
    raises the LeaseLost that `check` raises.
    """

    services: Services
    claim: ProductClaim
    check: Callable[[], None]
    claimed_at: float = field(default_factory=time.monotonic)

    def make(self, image: PendingImage, *, earlier: MadeImage | None = None) -> ImageOutcome:
        """Make one image from its source URL. If the picture has not changed since `earlier`, that is copied.

        Raises:
            LeaseLost: another worker has taken over the product.
        """
        started, spent = time.monotonic(), self._waited()
        with span("image", lambda: _attributes(image)) as traced:
            try:
                made = self._make(image, earlier, spent)
            except (ImageError, InfrastructureError, HostWait) as error:
                traced.fail(error.code)
                return FailedAttempt(image, error, stages_ms(spent))
            except MemoryError:  # the other images of the product may have used it up, so this one may be tried again
                exhausted = ImageError(OUT_OF_MEMORY, code="too_many_pixels", retryable=True)
                traced.fail(exhausted.code)
                return FailedAttempt(image, exhausted, stages_ms(spent))
        return _result(image, made, started, spent)

    def copy(self, image: PendingImage, made: MadeImage) -> ImageResult | None:
        """Copy what was made of a duplicate; None if its objects are gone, or the store cannot copy them.

        Raises:
            LeaseLost: another worker has taken over the product.
        """
        started, spent = time.monotonic(), self._waited()
        with span("copy", lambda: _attributes(image)):
            copied = self._copy(image, made, spent)
        return _result(image, copied, started, spent) if copied else None

    def _waited(self) -> StageSeconds:
        """What the image has waited for: a worker, then its turn among the images of the product."""
        queued_at, claimed_at = self.claim.queued_at, self.claim.claimed_at
        in_queue = (claimed_at - queued_at).total_seconds() if queued_at else 0.0
        return {"wait": max(0.0, in_queue) + time.monotonic() - self.claimed_at}

    def _make(self, image: PendingImage, earlier: MadeImage | None, spent: StageSeconds) -> MadeImage:
        known = Validators(earlier.etag or "", earlier.last_modified or "") if earlier else UNKNOWN
        download = self._download(image, known, spent)
        if earlier and self._is_unchanged(image, download, earlier):
            if copied := self._copy(image, earlier, spent):
                return self._with_validators(copied, download)
            if download.not_modified:
                download = self._download(image, UNKNOWN, spent)
        rendition = self._compress(image, download, spent)
        made = self._with_validators(self._made(image, rendition), download)
        self._store(image, made, download.body, rendition, spent)
        return made

    def _download(self, image: PendingImage, known: Validators, spent: StageSeconds) -> Download:
        again = image.refusals >= OFTEN
        if image.host_answered:
            self.services.host_limits.restore(host_and_port(image.source_url))
        download = partial(self.services.downloader.download, image.source_url, known=known, again=again, spent=spent)
        with timed("download", spent):
            return run_stage(image, BROKEN_DOWNLOAD, download)

    def _is_unchanged(self, image: PendingImage, download: Download, earlier: MadeImage) -> bool:
        """Whether the host says that the picture is unchanged, or sent the same bytes as the stored original."""
        if download.not_modified:
            return True
        if len(download.body) != earlier.source_bytes:
            return False
        compare = partial(self.services.store.original_is, earlier.original_key, download.body)
        try:
            return run_stage(image, BROKEN_STORE, compare)
        except (ImageError, InfrastructureError):
            return False

    def _compress(self, image: PendingImage, download: Download, spent: StageSeconds) -> Rendition:
        make = partial(
            compress,
            download.body,
            options=CompressOptions.from_json(self.claim.options),
            max_pixels=self.services.settings.max_image_pixels,
            memory=self.services.memory,
            spent=spent,
        )
        try:
            rendition = run_stage(image, BROKEN_PICTURE, make)
        except ImageError as error:
            if reason := download.reason_of(error.code):
                raise reason from error
            raise
        if download.doubt:
            log.info("download_irregular", image_id=image.id, code=download.doubt.code, note=download.doubt.detail)
        return rendition

    def _made(self, image: PendingImage, rendition: Rendition) -> MadeImage:
        source, output = rendition.source, rendition.output
        original, rendered = self._keys(image, source_format=source.format, output_format=output.format)
        return MadeImage(
            original_key=original,
            output_key=rendered,
            source_bytes=source.bytes,
            source_width=source.width,
            source_height=source.height,
            source_format=source.format,
            output_bytes=output.bytes,
            output_width=output.width,
            output_height=output.height,
            output_format=output.format,
            output_kept=rendition.kept,
            likeness=rendition.likeness,
            notes=[asdict(note) for note in rendition.notes] or None,
        )

    def _with_validators(self, made: MadeImage, download: Download) -> MadeImage:
        """Add the validators of the host, so that later requests may reuse the image, where that is allowed."""
        if not self.services.settings.reuse_pictures:
            return made
        known = download.validators
        return replace(made, etag=known.etag, last_modified=known.last_modified)

    def _keys(self, image: PendingImage, *, source_format: str, output_format: str) -> tuple[str, str]:
        """The keys of the original and of the rendition."""
        claim, place = self.claim, {"row": self.claim.row, "position": image.position}
        return (
            original_key(claim.request_id, **place, extension=extension_of(source_format)),
            rendition_key(
                claim.request_id, **place, product_name=claim.product_name, extension=extension_of(output_format)
            ),
        )

    def _copy(self, image: PendingImage, made: MadeImage, spent: StageSeconds) -> MadeImage | None:
        """The copy, without the validators: they belong to the download of `made`, which can be reused by itself."""
        original, rendered = self._keys(image, source_format=made.source_format, output_format=made.output_format)
        store = self.services.store
        try:
            with timed("copy", spent):
                self.check()
                run_stage(image, BROKEN_STORE, partial(store.copy_original, made.original_key, original))
                self.check()
                run_stage(image, BROKEN_STORE, partial(store.copy_rendition, made.output_key, rendered))
        except (ImageError, InfrastructureError):
            return None
        return replace(made, original_key=original, output_key=rendered, etag=None, last_modified=None)

    def _store(
        self, image: PendingImage, made: MadeImage, source: bytes, rendition: Rendition, spent: StageSeconds
    ) -> None:
        store, source_type = self.services.store, content_type_of(rendition.source.format)
        put_original = partial(store.put_original, made.original_key, source, content_type=source_type)
        put_rendition = partial(
            store.put_rendition, made.output_key, rendition.body, content_type=rendition.content_type
        )
        self._put(partial(run_stage, image, BROKEN_STORE, put_original), spent)
        self._put(partial(run_stage, image, BROKEN_STORE, put_rendition), spent)

    def _put(self, put: Callable[[], None], spent: StageSeconds) -> None:
        """Store the bytes; in a short outage of the store keep them and try again, which saves another download.

        Raises:
            StorageUnavailable: the store stayed away.
        """
        give_up = time.monotonic() + OUTAGE_PATIENCE
        for pause in growing_pauses(FIRST_PAUSE, LONGEST_PAUSE):
            self.check()
            try:
                with timed("put", spent):
                    put()
            except InfrastructureError:
                if time.monotonic() + pause > give_up or stopping.wait(pause):
                    raise
            else:
                return


def _attributes(image: PendingImage) -> dict[str, str | int]:
    """What a trace says of an image: the host, not the URL."""
    attributes: dict[str, str | int] = {"imgproc.image_id": image.id, "imgproc.position": image.position}
    with suppress(ValueError):  # a URL that the download will refuse
        attributes["server.address"] = host_and_port(image.source_url)
    return attributes


def _result(image: PendingImage, made: MadeImage, started: float, spent: StageSeconds) -> ImageResult:
    duration_ms = round((time.monotonic() - started) * 1000)
    return ImageResult(image.id, replace(made, duration_ms=duration_ms, stages_ms=stages_ms(spent)))
