"""The same picture once: what the request, or an earlier one, has made of a URL already is copied, not made again.

Every slot keeps objects of its own, so that a request can be removed without a look at others: the store copies them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar, cast

from imgproc.core.errors import ImageError
from imgproc.db.statuses import ImageStatus
from imgproc.db.transitions.duplicates import Duplicate, Earlier, find_duplicates, find_earlier
from imgproc.db.transitions.products import PendingImage, ProductClaim
from imgproc.db.transitions.results import ImageResult
from imgproc.journey.lease import insist, stopping
from imgproc.journey.making import ImageOutcome, copy_image, failed, make_image
from imgproc.journey.services import Toolbox

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks at an image that another worker has in hand

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ProductImages:
    """The images of a claimed product; `check` is asked before anything is stored."""

    tools: Toolbox
    claim: ProductClaim
    check: Callable[[], None]

    def make(self) -> list[ImageOutcome]:
        """The outcome of every image, in order.

        Those that nobody has made come first; meanwhile other workers may end what the rest waits for.

        Raises:
            LeaseLost: `check` raised it.
        """
        firsts = {image.source_url: image for image in reversed(self.claim.images)}
        again = [image for image in self.claim.images if firsts[image.source_url] is not image]
        repeated = [image for image in firsts.values() if image.duplicate is not None]
        made = self._make([image for image in firsts.values() if image.duplicate is None])
        taken = self._each(partial(self._from_twin, self._ended_twins(repeated)), repeated)
        made |= {image.source_url: outcome for image, outcome in zip(repeated, taken, strict=True) if outcome}
        made |= self._make([image for image in firsts.values() if image.source_url not in made])
        copies = dict(zip(again, self._each(partial(self._repeat, made), again), strict=True))
        return [copies.get(image) or made[image.source_url] for image in self.claim.images]

    def _make(self, images: list[PendingImage]) -> dict[str, ImageOutcome]:
        """Make the images, by URL; where an earlier request made one, with what it has left."""
        earlier = {image.id: self._earlier(image) for image in images}

        def make(image: PendingImage) -> ImageOutcome:
            return make_image(self.tools, self.claim, self.check, image, earlier=earlier[image.id])

        return dict(zip((image.source_url for image in images), self._each(make, images), strict=True))

    def _each(self, call: Callable[[Item], Result], items: list[Item]) -> Iterable[Result]:
        """As `map` does, several at a time."""
        return _executor(self.tools.settings.image_threads).map(call, items) if len(items) > 1 else map(call, items)

    def _earlier(self, image: PendingImage) -> Earlier | None:
        if image.earlier is None or not self.tools.settings.reuse_pictures:
            return None
        find = partial(find_earlier, self.claim.request_id, image.source_url, options=self.claim.options)
        return insist(find)

    def _repeat(self, made: dict[str, ImageOutcome], image: PendingImage) -> ImageOutcome:
        """The outcome of an image whose URL the product has more than once."""
        outcome = made[image.source_url]
        if not isinstance(outcome, ImageResult):
            return image, outcome[1]
        if outcome.status is ImageStatus.FAILED:
            return ImageResult(image.id, outcome.status, outcome.values)
        copy = copy_image(self.tools, self.claim, self.check, image, outcome.values)
        return copy or make_image(self.tools, self.claim, self.check, image, earlier=None)

    def _from_twin(self, twins: dict[int, Duplicate], image: PendingImage) -> ImageOutcome | None:
        """What came of the image of the same URL; None where that is nothing to go by."""
        twin = twins.get(cast("int", image.duplicate))
        if twin and twin.status is ImageStatus.COMPLETED:
            return copy_image(self.tools, self.claim, self.check, image, twin.made)
        if twin and twin.status is ImageStatus.FAILED and not twin.error_retryable:
            return failed(image, ImageError(twin.error_detail or "", code=twin.error_code or "", retryable=False))
        return None

    def _ended_twins(self, images: list[PendingImage]) -> dict[int, Duplicate]:
        """The twins, by id, once nobody has one in hand; waited for together no longer than a download may take."""
        holders = {cast("int", image.duplicate): image.holder for image in images}
        give_up, pause = time.monotonic() + self.tools.settings.download_timeout, FIRST_PAUSE
        while True:
            twins = insist(partial(find_duplicates, holders)) if holders else {}
            in_hand = any(twin.holder and twin.holder == holders[each] for each, twin in twins.items())
            if not in_hand or time.monotonic() > give_up or stopping.wait(pause):
                return twins
            self.check()
            pause = min(2 * pause, LONGEST_PAUSE)


@cache
def _executor(threads: int) -> ThreadPoolExecutor:
    """One executor a process, made after the fork by the first product."""
    return ThreadPoolExecutor(threads, thread_name_prefix="image")
