"""The TLS contexts of a session: whom it trusts, and how hosts with unusual names and incomplete chains are served."""

from __future__ import annotations

import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from urllib3.util import Url
from urllib3.util.ssl_ import create_urllib3_context

from imgproc.pipeline.http.aia import Fetch, Intermediates
from imgproc.pipeline.http.failures import causes_of
from imgproc.pipeline.http.tls_faults import lacks_issuer

MAX_CONTEXTS = 32  # some hundred kB each
MAX_HOSTS = 1024
AGAIN_SECONDS = 60.0  # until the chain of a host is completed once more

Chain = tuple[bytes, ...]


class Trust:
    """Trusts the authorities in the PEM file `ca_certs`. Several threads may use it.

    A host that sends no intermediate certificate has a context of its own that knows the one it left out, so that
    what a stranger's certificate says never touches another host. `fetch` is described at `Intermediates`.
    """

    def __init__(self, ca_certs: str, *, fetch: Fetch) -> None:
        self._ca_certs = ca_certs
        self._intermediates = Intermediates(fetch)
        self._lock = threading.Lock()
        self._contexts: OrderedDict[tuple[Chain, bool], ssl.SSLContext] = OrderedDict()
        self._chains: OrderedDict[tuple[str, int | None], tuple[float, Chain]] = OrderedDict()

    def options(self, url: Url) -> dict[str, Any]:
        """The options of a connection pool for `url`."""
        if url.scheme != "https":
            return {}
        host = url.host or ""
        _, chain = self._chains.get((host, url.port), (0.0, ()))
        if "_" not in host:
            return {"ssl_context": self._context(chain, own_names=False)}
        # OpenSSL matches no wildcard with a label that holds `_`; browsers do. urllib3 then compares the names.
        return {"ssl_context": self._context(chain, own_names=True), "assert_hostname": host}

    def complete(self, error: BaseException, url: Url, certificate: Callable[[], bytes]) -> bool:
        """Whether another connection to `url` may succeed, now that the chain of its certificate is complete.

        `error` is that of the handshake; `certificate` gives the certificate of the host in DER.

        Raises:
            IncompleteChain: the chain cannot be completed.
        """
        if not any(isinstance(cause, ssl.SSLError) and lacks_issuer(cause) for cause in causes_of(error)):
            return False
        key, now = (url.host or "", url.port), time.monotonic()
        since, known = self._chains.get(key, (0.0, ()))
        if known and now - since < AGAIN_SECONDS:
            return False
        roots: list[dict[str, Any]] = self._context((), own_names=False).get_ca_certs()
        names = {tuple(value for parts in root["subject"] for _, value in parts) for root in roots}
        chain = self._intermediates.above(certificate(), trusted=names)
        if not chain:
            return False
        with self._lock:
            self._chains[key] = now, chain
            while len(self._chains) > MAX_HOSTS:
                self._chains.popitem(last=False)
        return True

    def _context(self, chain: Chain, *, own_names: bool) -> ssl.SSLContext:
        with self._lock:
            if found := self._contexts.get((chain, own_names)):
                self._contexts.move_to_end((chain, own_names))
                return found
        made = _new_context(self._ca_certs, chain)
        made.check_hostname = not own_names
        with self._lock:
            self._contexts[chain, own_names] = made
            while len(self._contexts) > MAX_CONTEXTS:
                self._contexts.popitem(last=False)
        return made


def unverified_context() -> ssl.SSLContext:
    """A context that accepts any certificate, to read it. Nothing may be sent over its connections."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_NONE)
    context.check_hostname = False
    return context


def _new_context(ca_certs: str, chain: Chain) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    # Without PARTIAL_CHAIN a chain must end at a self-signed authority, so an intermediate certificate only helps to
    # build it. Without STRICT all versions of Python accept the same certificates. Python 3.13 sets both.
    context.verify_flags &= ~(ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT)
    context.load_verify_locations(cafile=ca_certs)
    for intermediate in chain:
        context.load_verify_locations(cadata=intermediate)
    return context
