"""The images of one product: each picture is made once, and its duplicates are copied.

Every image has objects of its own, copied inside the store, so that a request can be removed without regard to others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

from imgproc.core.errors import ImageError
from imgproc.db.transitions.duplicates import Duplicate, find_duplicates, find_earlier
from imgproc.db.transitions.products import PendingImage, ProductClaim
from imgproc.db.transitions.results import FailedImage, ImageResult, MadeImage
from imgproc.journey.image_maker import FailedAttempt, ImageMaker, ImageOutcome, failed
from imgproc.journey.lease import stopping
from imgproc.journey.outage import growing_pauses, retry_on_outage
from imgproc.journey.services import Services

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks at an image that another worker is making

Item = TypeVar("Item")
Result = TypeVar("Result")


class ProductImages:
    """The images of a claimed product. `check` raises LeaseLost once another worker has taken over the product."""

    def __init__(self, services: Services, claim: ProductClaim, check: Callable[[], None]) -> None:
        self._settings = services.settings
        self._threads = services.image_threads
        self._claim = claim
        self._check = check
        self._maker = ImageMaker(services, claim, check)

    def make(self) -> list[ImageOutcome]:
        """The outcome of every image, in order.

        Images without a duplicate are made first; meanwhile other workers may finish the duplicates of the others.

        Raises:
            LeaseLost: another worker has taken over the product.
        """
        first_of = {image.source_url: image for image in reversed(self._claim.images)}
        outcomes = self._make([image for image in first_of.values() if image.duplicate is None])
        outcomes |= self._copy_duplicates([image for image in first_of.values() if image.duplicate is not None])
        outcomes |= self._make([image for image in first_of.values() if image.source_url not in outcomes])
        repeated = [image for image in self._claim.images if first_of[image.source_url] is not image]
        copies = dict(zip(repeated, self._map(partial(self._copy_first, outcomes), repeated), strict=True))
        return [copies.get(image) or outcomes[image.source_url] for image in self._claim.images]

    def _map(self, function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
        """As `map`, but several at a time."""
        return self._threads.map(function, items, at_once=self._settings.image_threads)

    def _make(self, images: list[PendingImage]) -> dict[str, ImageOutcome]:
        """Make the images, or copy what earlier requests made of them. Returns the outcomes by URL."""
        earlier = {image.id: self._earlier(image) for image in images}

        def make(image: PendingImage) -> ImageOutcome:
            return self._maker.make(image, earlier=earlier[image.id])

        return dict(zip((image.source_url for image in images), self._map(make, images), strict=True))

    def _earlier(self, image: PendingImage) -> MadeImage | None:
        """The image that an earlier request made from the URL, if it may be reused."""
        if image.earlier is None or not self._settings.reuse_pictures:
            return None
        find = partial(find_earlier, self._claim.request_id, image.source_url, options=self._claim.options)
        return retry_on_outage(find)

    def _copy_first(self, outcomes: dict[str, ImageOutcome], image: PendingImage) -> ImageOutcome:
        """The outcome of an image that repeats a URL of this product: a copy of what the first one became."""
        first = outcomes[image.source_url]
        if isinstance(first, FailedAttempt):
            return FailedAttempt(image, first.error)
        if isinstance(first.outcome, FailedImage):
            return ImageResult(image.id, first.outcome)
        return self._maker.copy(image, first.outcome) or self._maker.make(image)

    def _copy_duplicates(self, images: list[PendingImage]) -> dict[str, ImageOutcome]:
        """Copy the outcomes of duplicates in other products, by URL. An image without a usable one is left out."""
        duplicates = self._ended_duplicates(images)
        copied = self._map(partial(self._copy_duplicate, duplicates), images)
        return {image.source_url: outcome for image, outcome in zip(images, copied, strict=True) if outcome}

    def _copy_duplicate(self, duplicates: dict[int, Duplicate], image: PendingImage) -> ImageOutcome | None:
        """The outcome of the duplicate; None if it has not ended, or its failure may have passed."""
        duplicate = duplicates.get(cast("int", image.duplicate))
        outcome = duplicate.outcome if duplicate else None
        if isinstance(outcome, MadeImage):
            return self._maker.copy(image, outcome)
        if isinstance(outcome, FailedImage) and not outcome.error_retryable:
            return failed(image, ImageError(outcome.error_detail or "", code=outcome.error_code, retryable=False))
        return None

    def _ended_duplicates(self, images: list[PendingImage]) -> dict[int, Duplicate]:
        """The duplicates by id, as soon as no worker is making any of them.

        It waits for all of them together, for no longer than a download may take.
        """
        holders = {cast("int", image.duplicate): image.holder for image in images}
        if not holders:
            return {}
        give_up = time.monotonic() + self._settings.download_timeout
        pauses = growing_pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            found = retry_on_outage(partial(find_duplicates, holders))
            being_made = any(each.holder and each.holder == holders[image_id] for image_id, each in found.items())
            if not being_made or time.monotonic() > give_up or stopping.wait(next(pauses)):
                return found
            self._check()
