"""The troubles of image hosts: each lasts for a while, and then the host serves as before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.chaos.cluster import Cluster
from tests.chaos.fault_plan import Fault
from tests.support.hosts.host_troubles import always_answers, drips, hangs, most_at_once, silent
from tests.support.hosts.rate_limits import FixedWindow, RateLimit, retry_after
from tests.support.hosts.replies import Rule
from tests.support.hosts.troubled_host import TroubledHost

TARGET_SECONDS = 10.0  # how long a trouble waits for a request


def host_limits_requests(cluster: Cluster, fault: Fault) -> bool:
    """A host allows four requests a second, answers 429 to the others, and says when to come back."""
    return _trouble(cluster, fault, RateLimit(FixedWindow(4), tell=retry_after))


def host_answers_503(cluster: Cluster, fault: Fault) -> bool:
    """A host is busy: it answers 503 to everything."""
    return _trouble(cluster, fault, always_answers(503))


def host_allows_one(cluster: Cluster, fault: Fault) -> bool:
    """A host takes one request at a time, and answers 503 to the others."""
    return _trouble(cluster, fault, most_at_once(1))


def host_stays_silent(cluster: Cluster, fault: Fault) -> bool:
    """A host accepts requests and never answers them."""
    return _trouble(cluster, fault, silent)


def host_hangs(cluster: Cluster, fault: Fault) -> bool:
    """A host sends half of each picture, and then nothing more."""
    return _trouble(cluster, fault, hangs)


def host_drips(cluster: Cluster, fault: Fault) -> bool:
    """A host sends 2 kB a second."""
    return _trouble(cluster, fault, drips(200, 0.1))


def host_goes_away(cluster: Cluster, fault: Fault) -> bool:
    """A host closes all its connections and refuses new ones."""
    with _one_of(cluster, fault) as host:
        host.go_away()
        time.sleep(fault.lasts)
        host.come_back()
    return True


def _trouble(cluster: Cluster, fault: Fault, rule: Rule) -> bool:
    """Let one host follow `rule` from the first request that it refuses, then restart it without."""
    with _one_of(cluster, fault) as host:
        refused, deadline = host.log.refused, time.monotonic() + TARGET_SECONDS
        host.rules = [rule]
        while not (hit := host.log.refused > refused) and time.monotonic() < deadline and not cluster.made.is_set():
            time.sleep(0.05)
        time.sleep(fault.lasts if hit else 0)
        host.rules = []
        host.go_away()  # what hangs is reset, as by the restart of a server
        host.come_back()
    return hit


@contextmanager
def _one_of(cluster: Cluster, fault: Fault) -> Iterator[TroubledHost]:
    """One of the hosts at random, when its trouble before is over."""
    chosen = cluster.troubled_hosts[int(fault.chance * len(cluster.troubled_hosts))]
    with chosen.lock:
        yield chosen


HOST_FAULTS: dict[str, Callable[[Cluster, Fault], bool]] = {
    inject.__name__: inject
    for inject in (
        host_allows_one,
        host_answers_503,
        host_drips,
        host_goes_away,
        host_hangs,
        host_limits_requests,
        host_stays_silent,
    )
}
