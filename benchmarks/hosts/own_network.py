"""A network namespace of our own, where the kernel's count of refused connections is ours alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INSIDE = "HOSTS_NETWORK"  # set where this process runs in the namespace


def enter(module: str, arguments: list[str]) -> None:
    """Run `python -m module` again in a fresh network namespace; return where that is impossible or done."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    unshare = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--"]
    try:
        tried = subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], check=False, capture_output=True)
    except FileNotFoundError:
        return
    if tried.returncode == 0:
        os.execvpe("unshare", [*unshare, sys.executable, "-m", module, *arguments], os.environ | {INSIDE: "1"})


def refused_connections() -> int | None:
    """Connections that failed before they were made (RFC 4022, tcpAttemptFails); None where others may cause some."""
    if not os.environ.get(INSIDE):
        return None
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line[:4] == "Tcp:")
    return int(values[names.index("AttemptFails")])
