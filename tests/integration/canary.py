"""Runs in a network namespace of its own: adds forbidden addresses to loopback and listens on all of them.

Reads `[addresses, path of a hosts file, {case: [url, allowed networks]}]` as JSON, tries each case by download, by
webhook and by a test ping through the API, and prints `{case: [code of each, …, connections to the canary]}`. A server
at 8.8.8.8, which is a public address, redirects `/?to=URL` to URL.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address, ip_network
from socketserver import ThreadingMixIn
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.core.errors import ImgprocError
from imgproc.pipeline.download import Downloader
from imgproc.pipeline.http.addresses import Network
from imgproc.pipeline.notify import Notifier, generate_secret, sign

SECRETS = (generate_secret(),)
PORTS = (80, 443, 6379, 8080)
REDIRECTOR = "8.8.8.8"
NODAD = {True: ["nodad"], False: []}  # usable at once, without duplicate address detection


class Canary(ThreadingMixIn, HTTPServer):
    """Counts connections, except those to the redirector."""

    daemon_threads = True
    seen: ClassVar[list[Any]] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection."""
        connection, peer = super().get_request()
        if ip_address(connection.getsockname()[0].partition("%")[0]) != ip_address(REDIRECTOR):
            Canary.seen.append(peer)
        return connection, peer


class CanaryV6(Canary):
    """A canary on IPv6 only."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        """Leave IPv4 to `Canary`."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


class Answer(BaseHTTPRequestHandler):
    """Answers 200, or a redirect where the query asks for one."""

    def do_GET(self) -> None:
        """Answer GET and POST alike."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        to = parse_qs(urlsplit(self.path).query).get("to")
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to[0])
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def attempt(call: Any) -> str:
    """`reached`, or the code of the error."""
    try:
        call()
    except ImgprocError as error:
        return error.code
    return "reached"


def open_app() -> Flask:
    """The app; a ping without a key needs neither database nor Redis."""
    settings = {"DATA_DIR": tempfile.mkdtemp(), "WEBHOOK_SECRET": SECRETS[0], "LOG_LEVEL": "ERROR"}
    return create_app(
        load_settings(settings | {"REDIS_URL": "redis://127.0.0.1:1/0", "RATE_LIMIT_ACTIONS": "1000/hour"})
    )


def ping(app: Flask, url: str, *, allowed: list[Network], notifier: Notifier) -> str:
    """`reached`, or the code of the error, of a ping through the API."""
    services = app.extensions["services"]
    settings = replace(services.settings, allowed_networks=tuple(allowed))
    app.extensions["services"] = replace(services, settings=settings, notifier=notifier)
    found: Any = app.test_client().post("/api/webhooks/test", json={"url": url}).json
    return str((found["error"] or {"code": "reached"})["code"] if "delivered" in found else found["code"])


def main() -> None:
    """Set up the namespace, and try every case."""
    addresses, hosts, cases = json.load(sys.stdin)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in [*addresses, REDIRECTOR]:
        length = 128 if ":" in address else 32
        subprocess.run(["ip", "addr", "add", f"{address}/{length}", "dev", "lo", *NODAD[":" in address]], check=True)
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    for port in PORTS:
        for server in (Canary(("", port), Answer), CanaryV6(("::", port), Answer)):
            threading.Thread(target=server.serve_forever, daemon=True).start()
    for address in addresses:  # proves that a plain connection reaches each of them
        socket.create_connection((address, PORTS[0]), timeout=5).close()
    while len(Canary.seen) < len(addresses):
        time.sleep(0.01)
    outcome, app = {}, open_app()
    for case, (url, networks) in cases.items():
        allowed = [ip_network(network) for network in networks]
        before = len(Canary.seen)
        downloader = Downloader(allowed_networks=allowed, timeout=5, max_bytes=1000)
        notifier = Notifier(allowed_networks=allowed, timeout=5)
        download = attempt(lambda: downloader.download(url))  # noqa: B023 - called at once
        webhook = attempt(lambda: notifier.notify(url, sign({}, webhook_id="msg_1", secrets=SECRETS)))  # noqa: B023 - called at once
        outcome[case] = [
            download,
            webhook,
            ping(app, url, allowed=allowed, notifier=notifier),
            len(Canary.seen) - before,
        ]
        with suppress(ImgprocError):
            downloader.close()
            notifier.close()
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
