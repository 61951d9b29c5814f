"""Hosts of a cluster: all on loopback, or each in its own network namespace behind a bridge, with links to cut.

`python -m tests.chaos` runs itself again in a fresh namespace, which holds the bridge and the servers. So no
interface of the machine changes, and the kernel removes everything when the last process has ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from imgproc.embedded.ports import LOOPBACK
from imgproc.embedded.supervisor import Service, spawn
from tests.support import preloaded
from tests.support.processes import wait_until

INSIDE = "CHAOS_NETWORK"  # set where this process runs in the fresh namespace
SUBNET = "10.213.0.0/24"
PROGRAMS = ("ip", "tc", "nsenter", "unshare")
ANY = 2**32  # how many values a random 32-bit number can have


class Way(Enum):
    """A direction of a link; the value is tc's name for it at the bridge's end."""

    TO_HOST = "egress"
    FROM_HOST = "ingress"


def missing() -> str:
    """Why network cuts are impossible here, in one line; empty if they are possible."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "Network cuts need root on Linux, to make network namespaces."
    if absent := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"Network cuts need {', '.join(absent)} (Debian: apt install iproute2 util-linux)."
    return _refused(["unshare", "--net", "--", "true"])


def _refused(command: list[str]) -> str:
    tried = subprocess.run(command, check=False, capture_output=True, text=True)
    return f"Network cuts are refused here: {tried.stderr.strip()}" if tried.returncode else ""


def is_inside() -> bool:
    """Whether this process runs in the fresh namespace."""
    return bool(os.environ.get(INSIDE))


def enter_namespace(module: str, arguments: list[str]) -> None:
    """Run `python -m module` again in a fresh network namespace, replacing this process."""
    command = ["unshare", "--net", "--", sys.executable, "-m", module, *arguments]
    os.execvpe(command[0], command, os.environ | {INSIDE: "1"})


def run_in_namespace(module: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` in a fresh network namespace, forked from a process that has imported our code."""
    keeper = _keep_namespace("fresh")
    place = Path(f"/proc/{keeper.pid}/ns/net")
    try:
        return preloaded.run(["-m", module, *arguments], environ=os.environ | {INSIDE: "1"}, network=place)
    finally:
        keeper.kill()
        keeper.wait()


class Loopback:
    """All hosts are this machine, and no link can be cut."""

    address, subnet = LOOPBACK, "127.0.0.0/8"

    def address_of(self, _host: int) -> str:
        """Where a server of this host listens."""
        return self.address

    def namespace_of(self, _host: int) -> Path | None:
        """The network namespace of the host; None is that of this process."""
        return None


class Network(Loopback):
    """Hosts numbered from 0, each in a namespace, and a bridge at `address`, where the servers listen."""

    address, subnet = "10.213.0.1", SUBNET

    def __init__(self, hosts: int) -> None:
        _run("ip link set lo up")
        _run("ip link add bridge0 type bridge forward_delay 0")
        _run(f"ip addr add {self.address}/24 dev bridge0")
        _run("ip link set bridge0 up")
        self.locks = [threading.Lock() for _ in range(hosts)]
        self._keepers = [_keep_namespace(self._port(host)) for host in range(hosts)]
        for host in range(hosts):
            self._connect(host)

    def _connect(self, host: int) -> None:
        port, keeper = self._port(host), self._keepers[host]
        _run(f"ip link add {port} type veth peer name uplink netns {keeper.pid}")
        _run(f"ip link set {port} master bridge0 up")
        _run(f"tc qdisc add dev {port} clsact")
        for command in ("link set lo up", f"addr add {self.address_of(host)}/24 dev uplink", "link set uplink up"):
            _run(f"nsenter --net={self.namespace_of(host)} -- ip {command}")

    def address_of(self, host: int) -> str:
        """The host's own address."""
        return f"10.213.0.{host + 11}"

    def namespace_of(self, host: int) -> Path:
        """The network namespace of the host."""
        return Path(f"/proc/{self._keepers[host].pid}/ns/net")

    def close(self) -> None:
        """End the processes that keep the namespaces."""
        for keeper in self._keepers:
            keeper.send_signal(signal.SIGKILL)
            keeper.wait()

    @contextmanager
    def cut(self, host: int) -> Iterator[None]:
        """The link is down while the block runs."""
        _run(f"ip link set {self._port(host)} down")
        try:
            yield
        finally:
            _run(f"ip link set {self._port(host)} up")

    @contextmanager
    def dropping(self, host: int, *ways: Way, share: float = 1.0) -> Iterator[None]:
        """A share of the packets is lost in these directions without any error, as with a broken switch."""
        # Classic BPF for tc: load a random number (an extension at -4096 + 56), drop (2) if it is below the bound.
        bound = min(int(share * ANY), ANY - 1)
        program = f"4,32 0 0 {ANY - 4096 + 56},37 1 0 {bound},6 0 0 2,6 0 0 {ANY - 1}"
        for way in ways:
            _run(f"tc filter add dev {self._port(host)} {way.value} bpf da bytecode", program)
        try:
            yield
        finally:
            for way in ways:
                _run(f"tc filter del dev {self._port(host)} {way.value}")

    @contextmanager
    def delaying(self, host: int) -> Iterator[None]:
        """Packets to the host are late: by netem, or behind a narrow line if the kernel has no netem."""
        netem = f"tc qdisc replace dev {self._port(host)} root netem delay 300ms 100ms"
        narrow = f"tc qdisc replace dev {self._port(host)} root tbf rate 400kbit burst 5kb latency 600ms"
        if _refused(netem.split()):
            _run(narrow)
        try:
            yield
        finally:
            _run(f"tc qdisc del dev {self._port(host)} root")

    def _port(self, host: int) -> str:
        return f"host{host}"


@contextmanager
def open_network(hosts: int) -> Iterator[Loopback]:
    """Namespaces for so many hosts if this process runs in a fresh one itself; otherwise loopback."""
    if not is_inside():
        yield Loopback()
        return
    network = Network(hosts)
    try:
        yield network
    finally:
        network.close()


def _keep_namespace(name: str) -> subprocess.Popen[bytes]:
    """An idle process in a new namespace; it dies with this process."""
    keeper = spawn(Service(name, ["unshare", "--net", "--", "sleep", "infinity"]))
    ours = Path("/proc/self/ns/net").readlink()
    wait_until(lambda: Path(f"/proc/{keeper.pid}/ns/net").readlink() != ours)
    return keeper


def _run(command: str, *more: str) -> None:
    """Run a command, given as words; the exception shows its output."""
    done = subprocess.run([*command.split(), *more], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
