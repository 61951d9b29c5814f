"""The leases of the jobs: until when each job must end, and what an outage does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy.exc import DBAPIError

from imgproc.core.config import Settings
from imgproc.core.errors import InfrastructureError
from imgproc.db.timeouts import LONG, allow
from imgproc.db.transitions import deliveries, products, requests
from imgproc.db.transitions.products import ProductClaim
from imgproc.journey.image_maker import OUTAGE_PATIENCE
from imgproc.journey.lease import Lease
from imgproc.journey.outage import is_away, local_files, retry_on_outage
from imgproc.journey.settle import OUTAGE_DELAY

ENCODE_SECONDS = 60.0  # that one image may take besides its download
LONG_JOB_SECONDS = 6 * 3600.0  # deadline of planning or finalizing the largest file
ATTEMPT_SECONDS = 15.0  # deadline of one attempt at a delivery


def product_lease(product_id: int, claim: ProductClaim, *, token: str, settings: Settings) -> Lease:
    """Hold a product while its images are made."""
    seconds, deadline = settings.lease_seconds, product_seconds(claim, settings=settings)
    return _hold(product_id, products.renew_lease, products.give_back, token=token, seconds=seconds, deadline=deadline)


def product_seconds(claim: ProductClaim, *, settings: Settings) -> float:
    """The deadline of a product, in seconds.

    `IMAGE_THREADS` images are made at a time, so the images take some rounds. Each round may take the longest time of
    one image. This is doubled, because other products may hold all places of the process for as long. Two rounds are
    added: one to wait for other workers, one to make the images that they failed to make.
    """
    full_rounds = -(-len(claim.images) // settings.image_threads)
    return (2 * full_rounds + 2) * (settings.longest_download + ENCODE_SECONDS + OUTAGE_PATIENCE)


def delivery_lease(delivery_id: str, *, token: str, seconds: float) -> Lease:
    """Hold a delivery while its webhook is sent."""
    renew, give_back = deliveries.renew_lease, deliveries.give_back
    return _hold(delivery_id, renew, give_back, token=token, seconds=seconds, deadline=ATTEMPT_SECONDS)


@contextmanager
def request_lease(request_id: str, *, token: str, seconds: int) -> Iterator[Lease]:
    """Hold a request while it is planned or finalized. An outage returns it, and does not count as an attempt.

    Raises:
        InfrastructureError, sqlalchemy.exc.DBAPIError: the body raised it.
    """
    renew, give_back = requests.renew_lease, partial(requests.return_lease, delay=0)
    lease = _hold(request_id, renew, give_back, token=token, seconds=seconds, deadline=LONG_JOB_SECONDS)
    with allow(LONG), lease:
        try:
            with local_files():
                yield lease
        except (InfrastructureError, DBAPIError) as error:
            if is_away(error):
                retry_on_outage(partial(requests.return_lease, request_id, token=token, delay=OUTAGE_DELAY))
            raise


def _hold(
    row_id: str | int,
    renew: Callable[..., bool],
    give_back: Callable[..., None],
    *,
    token: str,
    seconds: float,
    deadline: float,
) -> Lease:
    """The lease of a row that was claimed with `token`; `renew` and `give_back` are the transitions of its table."""
    return Lease(
        partial(renew, row_id, token=token, lease_seconds=seconds),
        seconds=seconds,
        deadline=deadline,
        give_back=partial(give_back, row_id, token=token),
    )
