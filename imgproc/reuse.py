"""The same picture once: what the request, or an earlier one, has made of a URL already is copied, not made again.

Every slot keeps objects of its own, so that a request can be removed without a look at others: the store copies them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

from imgproc.errors import ImageError
from imgproc.lease import insist, stopping
from imgproc.lifecycle.products import PendingImage, ProductClaim
from imgproc.lifecycle.repeats import Earlier, Twin, find_earlier, find_twin
from imgproc.lifecycle.results import ImageResult
from imgproc.making import ImageOutcome, copy_image, failed, make_image
from imgproc.models import ImageStatus
from imgproc.toolbox import Toolbox

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks at an image that another worker has in hand
OWN_FAULT = "worker_lost"  # Says nothing about the picture with certainty, so it is tried again.

Make = Callable[[PendingImage], ImageOutcome]
Each = Callable[[Make, tuple[PendingImage, ...]], Iterable[ImageOutcome]]


@dataclass(frozen=True)
class ProductImages:
    """The images of a claimed product; `check` is asked before anything is stored, `each` makes many at a time."""

    tools: Toolbox
    claim: ProductClaim
    check: Callable[[], None]
    each: Each

    def make(self) -> list[ImageOutcome]:
        """The outcome of every image, in order.

        Those that nobody has made come first; meanwhile other workers may end what the rest waits for.

        Raises:
            LeaseLost: `check` raised it.
        """
        firsts = {image.source_url: image for image in reversed(self.claim.images)}
        made = self._make(image for image in firsts.values() if image.twin is None)
        late = []
        for image in (image for image in firsts.values() if image.twin is not None):
            if outcome := self._from_twin(image):
                made[image.source_url] = outcome
            else:
                late.append(image)
        made |= self._make(late)
        again = [image for image in self.claim.images if firsts[image.source_url] is not image]
        copies = {image.id: self._repeat(image, made[image.source_url]) for image in again}
        return [copies.get(image.id) or made[image.source_url] for image in self.claim.images]

    def _make(self, images: Iterable[PendingImage]) -> dict[str, ImageOutcome]:
        """Make the images, by URL; where an earlier request made one, with what it has left."""
        images = tuple(images)
        earlier = {image.id: self._earlier(image) for image in images}

        def make(image: PendingImage) -> ImageOutcome:
            return make_image(self.tools, self.claim, self.check, image, earlier=earlier[image.id])

        return dict(zip((image.source_url for image in images), self.each(make, images), strict=True))

    def _earlier(self, image: PendingImage) -> Earlier | None:
        if image.earlier is None or not self.tools.settings.reuse_pictures:
            return None
        find = partial(find_earlier, self.claim.request_id, image.source_url, options=self.claim.options)
        return insist(find)

    def _repeat(self, image: PendingImage, outcome: ImageOutcome) -> ImageOutcome:
        """The outcome of an image whose URL the product has more than once."""
        if not isinstance(outcome, ImageResult):
            return image, outcome[1]
        if outcome.status is ImageStatus.FAILED:
            return ImageResult(image.id, outcome.status, outcome.values)
        copy = copy_image(self.tools, self.claim, self.check, image, outcome.values)
        return copy or make_image(self.tools, self.claim, self.check, image, earlier=None)

    def _from_twin(self, image: PendingImage) -> ImageOutcome | None:
        """What came of the image of the same URL; None where that is nothing to go by."""
        twin = self._ended_twin(image)
        if twin and twin.status is ImageStatus.COMPLETED:
            return copy_image(self.tools, self.claim, self.check, image, twin.made)
        if twin and twin.status is ImageStatus.FAILED and not twin.error_retryable and twin.error_code != OWN_FAULT:
            return failed(image, ImageError(twin.error_detail or "", code=twin.error_code or "", retryable=False))
        return None

    def _ended_twin(self, image: PendingImage) -> Twin | None:
        """The twin, once nobody has it in hand; waited for no longer than a download may take."""
        find = partial(find_twin, cast("int", image.twin))
        give_up, pause = time.monotonic() + self.tools.settings.download_timeout, FIRST_PAUSE
        twin = insist(find)
        while twin and twin.in_hand and time.monotonic() < give_up and not stopping.wait(pause):
            self.check()
            pause = min(2 * pause, LONGEST_PAUSE)
            twin = insist(find)
        return twin
