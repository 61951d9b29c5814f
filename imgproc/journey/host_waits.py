"""Enqueues products that wait for a host as soon as it has room, or once they are due."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from imgproc.db.transitions import window
from imgproc.journey import turns
from imgproc.journey.outage import is_outage
from imgproc.journey.services import Services, services

DUE_AT_ONCE = 100  # products that one call looks at


def enqueue_due() -> None:
    """Enqueue the products that have waited long enough, with others of their requests that fit into the window."""
    size = services().settings.dispatch_window
    for request_id in window.requests_with_due(limit=DUE_AT_ONCE):
        turns.enqueue_products(window.release(request_id, window=size))


def wake_idle_hosts() -> None:
    """Enqueue waiting products of idle hosts: no download is under way there whose end would wake them.

    The host may be faster than when they began to wait, a worker may be killed before it wakes others, and when a host
    is given up all of them can fail at once.
    """
    hosts = window.hosts_waited_for(limit=DUE_AT_ONCE)
    for host, room in services().host_limits.room(hosts).items() if hosts else ():
        turns.enqueue_products(window.wake(host, most=room, window=services().settings.dispatch_window))


def wake_waiting(services: Services) -> None:
    """Enqueue as many waiting products as the hosts that this process has just asked have room for."""
    for host, most in services.host_limits.take_spare().items():
        try:
            woken = window.wake(host, most=most, window=services.settings.dispatch_window)
        except DBAPIError as error:
            if not is_outage(error):
                raise
            return
        turns.enqueue_products(woken)
