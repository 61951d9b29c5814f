"""Real traffic to private, link-local and metadata addresses, in a network namespace where all of them answer.

A canary listens on every address, and a refused URL causes no connection to it. Where the kernel forbids namespaces
these cases are skipped; `tests/unit/test_addresses.py` refuses the same addresses without traffic.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--map-root-user", "--net", "--mount"]

# The namespace's loopback has all of these, and a plain connection reaches each of them before the cases are tried.
ADDRESSES = {
    "this network": "0.1.2.3",
    "private 10": "10.0.0.1",
    "carrier NAT": "100.64.0.1",
    "metadata of Alibaba": "100.100.100.200",
    "link-local": "169.254.0.1",
    "metadata": "169.254.169.254",
    "metadata of containers": "169.254.170.2",
    "private 172": "172.16.0.1",
    "metadata of Oracle": "192.0.0.192",
    "documentation": "192.0.2.1",
    "6to4 relay": "192.88.99.1",
    "private 192": "192.168.0.1",
    "benchmark": "198.18.0.1",
    "platform of Azure": "168.63.129.16",
    "compatible": "::10.0.0.1",
    "translated": "::ffff:0:10.0.0.1",
    "NAT64": "64:ff9b::10.0.0.1",
    "local NAT64": "64:ff9b:1::10.0.0.1",
    "6to4": "2002:a00:1::1",
    "Teredo": "2001:0:a00:1::1",
    "ISATAP": "2606:4700::5efe:10.0.0.1",
    "discard": "100::1",
    "documentation v6": "2001:db8::1",
    "unique local": "fd00:ec2::254",
    "site-local": "fec0::1",
}
PUBLIC = ("93.184.215.14", "2606:4700:4700::1111")
HOSTS = """\
127.0.0.1 localhost
10.0.0.1 inside.example inside.example.
93.184.215.14 mixed.example
169.254.169.254 mixed.example
93.184.215.14 outside.example
fd00:ec2::254 inside6.example
"""


def _at(address: str, port: str = "") -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}{port}/"


def _redirect(to: str) -> str:
    return f"http://8.8.8.8/?to={quote(to, safe='')}"


REFUSED: dict[str, tuple[str, list[str]]] = {
    **{name: (_at(address), []) for name, address in ADDRESSES.items()},
    "loopback": ("http://127.0.0.1/", []),
    "loopback v6": ("http://[::1]/", []),
    "mapped": ("http://[::ffff:10.0.0.1]/", []),
    "mapped loopback": ("http://[::ffff:127.0.0.1]/", []),
    "any address, which is this host": ("http://0.0.0.0/", []),
    "any address v6": ("http://[::]/", []),
    "decimal": ("http://167772161/", []),
    "octal": ("http://012.0.0.1/", []),
    "hexadecimal": ("http://0xa.0.0.1/", []),
    "short": ("http://10.1/", []),
    "trailing dot": ("http://10.0.0.1./", []),
    "a private name": ("http://inside.example/", []),
    "a private name v6": ("http://inside6.example/", []),
    "a private name with a trailing dot": ("http://inside.example./", []),
    "a name with one private address": ("http://mixed.example/", []),
    "Redis by name": ("http://inside.example:6379/", []),
    "another port of a public address": (_at("93.184.215.14", ":8080"), []),
    "next to an allowed network": ("http://10.0.0.1/", ["10.0.0.2/32", "10.1.0.0/16"]),
    "an allowed network behind NAT64": (_at(ADDRESSES["NAT64"]), ["10.0.0.0/8"]),
    "an allowed network behind 6to4": (_at(ADDRESSES["6to4"]), ["10.0.0.0/8"]),
}
# A webhook follows no redirect, so it ends with the status of the redirect.
REDIRECTED = {
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "private": "http://10.0.0.1/",
    "mapped": "http://[::ffff:10.0.0.1]/",
    "NAT64": "http://[64:ff9b::a00:1]/",
    "a private name": "http://inside.example/",
    "a name with one private address": "http://mixed.example/",
    "another port": "http://93.184.215.14:6379/",
    "twice": _redirect("http://10.0.0.1/"),
}
REACHED: dict[str, tuple[str, list[str]]] = {
    "public": (_at(PUBLIC[0]), []),
    "public v6": (_at(PUBLIC[1]), []),
    "public by name": ("http://outside.example/", []),
    "an allowed network": ("http://10.0.0.1/", ["10.0.0.1/32"]),
    "an allowed network, any port": ("http://10.0.0.1:6379/", ["10.0.0.0/8"]),
    "an allowed network by name": ("http://inside.example:8080/", ["10.0.0.0/8"]),
    "an allowed network, mapped": ("http://[::ffff:10.0.0.1]/", ["10.0.0.0/8"]),
    "an allowed network v6": (_at(ADDRESSES["unique local"]), ["fd00:ec2::/32"]),
}

Outcome = dict[str, list[object]]


def _works() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The outcome of every case, tried in one namespace."""
    if not _works():
        pytest.skip("this kernel forbids network namespaces")
    hosts = tmp_path_factory.mktemp("canary") / "hosts"
    hosts.write_text(HOSTS)
    redirected: dict[str, tuple[str, list[str]]] = {
        f"to {name}": (_redirect(to), []) for name, to in REDIRECTED.items()
    }
    question = [[*ADDRESSES.values(), *PUBLIC], str(hosts), REFUSED | redirected | REACHED]
    command = [*UNSHARE, sys.executable, "-m", "tests.integration.canary"]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    answer: Outcome = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("case", REACHED)
def test_an_allowed_url_reaches_the_canary(outcome: Outcome, case: str) -> None:
    """The download, the webhook and the ping connect once each, which proves that the canary works."""
    assert outcome[case] == ["reached", "reached", "reached", 3]


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_url_does_not_reach_the_canary(outcome: Outcome, case: str) -> None:
    """Neither the download nor the webhook nor the ping connects."""
    download, webhook, ping, connections = outcome[case]
    assert (download, webhook, connections) == ("forbidden_address", "forbidden_address", 0)
    assert ping in {"invalid_webhook_url", "forbidden_address"}  # before DNS is asked, and after


@pytest.mark.parametrize("case", REDIRECTED)
def test_no_redirect_leads_to_the_canary(outcome: Outcome, case: str) -> None:
    """A download checks every hop, and a webhook follows none."""
    assert outcome[f"to {case}"] == ["forbidden_address", "http_302", "http_302", 0]
