"""Three hosts of workers, whose clocks are minutes apart, and a host of PostgreSQL, Redis and S3.

`python -m tests.chaos.three_hosts` gives each a network namespace. One host is cut off in the middle of its work, which
the others take over; what it brings when it is back is refused. Then PostgreSQL and S3 are slow. At the end the
checker looks for anything lost or duplicated.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from imgproc.db.models import Product
from imgproc.db.statuses import ProductStatus
from tests.chaos import network, traps
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.network import Network, open_network
from tests.chaos.pictures import open_chaos_host
from tests.chaos.scenarios import Trial
from tests.support.processes import wait_until
from tests.support.slow_proxy import SlowProxy, slow_proxy

CLOCKS = (0.0, 150.0, -150.0)  # seconds by which the clocks of the hosts are wrong
SETTINGS = {"WORKERS": "2", "WORKER_PROCESSES": "2", "LEASE_SECONDS": "3", "DISPATCH_WINDOW": "64"}
SLOW = ("DATABASE_URL", "S3_ENDPOINT_URL")
DELAY = 0.05  # seconds that each piece from or to a slow service is late


class Route:
    """Puts a proxy in front of the services named in `SLOW`."""

    def __init__(self, cleanup: ExitStack) -> None:
        self._cleanup = cleanup
        self.proxies: list[SlowProxy] = []

    def __call__(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The settings that lead through the proxies."""
        changed = {}
        for name in SLOW:
            url = urlsplit(environ[name])
            assert url.hostname, f"{name} names no host"
            assert url.port, f"{name} names no port"
            proxy = self._cleanup.enter_context(slow_proxy(url.hostname, url.port))
            self.proxies.append(proxy)
            changed[name] = environ[name].replace(f":{url.port}", f":{proxy.port}")
        return changed


def cut_off_one(net: Network, trial: Trial) -> str:
    """Cut off the host of a worker that is about to finish a product, until the others have its work; what happened."""
    traps.set_trap(trial.cluster.traps, "finish", number=signal.SIGSTOP)
    trial.send(("cut", 30))
    suspended = trial.caught("finish")
    host = _host_of(suspended, net)
    with net.cut(host):
        held = _held(trial)
        wait_until(lambda: not held & _held(trial), seconds=30)
    done = _completed(trial)
    os.kill(suspended, signal.SIGCONT)
    log = trial.cluster.folder / f"pool{host + 1}.log"
    wait_until(lambda: "lease_lost" in log.read_text(), seconds=90)
    return f"host {host + 1} was cut off with {len(held)} products held by all; {done} of 30 were made meanwhile"


def slow_down(proxies: list[SlowProxy], trial: Trial) -> str:
    """Make a file while services are slow; what happened."""
    for proxy in proxies:
        proxy.delay = DELAY
    trial.send(("slow", 8))
    settled = trial.settle()
    for proxy in proxies:
        proxy.delay = 0
    assert settled, "a request did not end"
    delayed = [proxy.pieces for proxy in proxies]
    assert all(delayed), "a service was not slow"
    return f"{delayed} pieces from and to {', '.join(SLOW)} were late by {DELAY:g} s"


def _host_of(pid: int, net: Network) -> int:
    """The number of the host that a process runs on."""
    theirs = Path(f"/proc/{pid}/ns/net").readlink()
    return next(host for host in range(len(CLOCKS)) if net.namespace_of(host).readlink() == theirs)


def _held(trial: Trial) -> set[tuple[int, str]]:
    rows = trial.rows(Product)
    return {(row["id"], row["lease_token"]) for row in rows if row["status"] == ProductStatus.PROCESSING}


def _completed(trial: Trial) -> int:
    return sum(row["status"] == ProductStatus.COMPLETED for row in trial.rows(Product))


def run(folder: Path) -> list[str]:
    """Run both parts; a line about each, and one for each defect, or for a clock that is right."""
    with ExitStack() as cleanup:
        net = cleanup.enter_context(open_network(len(CLOCKS) + 1))
        assert isinstance(net, Network), "run this as a module, so that it enters its own namespace"
        host, route = cleanup.enter_context(open_chaos_host(net.address)), Route(cleanup)
        cluster: Cluster = cleanup.enter_context(
            open_cluster(folder, database="postgresql", network=net, settings=SETTINGS, clocks=CLOCKS, route=route)
        )
        trial = Trial(cluster, host)
        lines = [cut_off_one(net, trial)]
        assert trial.settle(), "a request did not end"
        lines.append(slow_down(route.proxies, trial))
        products = trial.rows(Product)
        lines.append(f"{_completed(trial)} of {len(products)} products completed")
        return lines + [f"DEFECT {defect}" for defect in trial.defects()]


def main() -> int:
    """Run it in a namespace of its own; 0 without a defect."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.three_hosts", description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep logs and objects in this empty folder")
    given = parser.parse_args().folder
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hosts-", ignore_cleanup_errors=True) as temporary:
        lines = run(given or Path(temporary))
    lines.append(f"{time.monotonic() - started:.0f} s")
    Console(highlight=False, soft_wrap=True).print(*lines, sep="\n", markup=False)
    return 1 if any(line.startswith("DEFECT") for line in lines) else 0


if __name__ == "__main__":
    if reason := network.missing():
        sys.exit(reason)
    if not network.is_inside():
        network.enter_namespace("tests.chaos.three_hosts", sys.argv[1:])
    sys.exit(main())
