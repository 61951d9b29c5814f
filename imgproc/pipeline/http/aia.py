"""The intermediate certificates that a host leaves out, fetched from where its certificate says (RFC 5280, 4.2.2.1).

They only help to build a chain: none of them is trusted, and the chain must still end at a trusted authority.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imgproc.pipeline.http.failures import NETWORK_ERRORS
from imgproc.pipeline.http.tls_faults import FULL_CHAIN, IncompleteChain

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_INTERMEDIATES = 3  # of one chain; public chains have one or two
MAX_LOCATIONS = 2  # of one issuer that are tried
MAX_CERTIFICATES = 10  # of one answer
KEPT_SECONDS, KEPT_FAILURE_SECONDS = 24 * 3600.0, 300.0
MAX_KEPT = 256
# The URLs are those of strangers' certificates, so no host gets many requests because of them.
MOST_FETCHES, FETCHES_SECONDS = 6, 60.0

Fetch = Callable[[str], bytes]
Name = tuple[str, ...]  # the values of a distinguished name, in order


class Intermediates:
    """Finds the intermediate certificates above a host's own; keeps what it fetched. Several threads may use it.

    `fetch` downloads an http URL; it raises one of `NETWORK_ERRORS`, or ValueError where no certificate came.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, list[Certificate] | None]] = OrderedDict()
        self._fetches: OrderedDict[str, deque[float]] = OrderedDict()

    def above(self, certificate: bytes, *, trusted: Collection[Name]) -> tuple[bytes, ...]:
        """The chain above `certificate`, in DER and without the root; `trusted` are the names of the roots.

        Raises:
            IncompleteChain: it cannot be completed.
        """
        from cryptography import x509  # noqa: PLC0415 - 10 MB that most processes never need

        try:
            below = x509.load_der_x509_certificate(certificate)
            chain: list[Certificate] = []
            while len(chain) < MAX_INTERMEDIATES and _name_of_issuer(below) not in trusted:
                below = self._issuer_of(below)
                chain.append(below)
        except ValueError as error:  # of a certificate that cannot be read
            raise IncompleteChain(f"has a certificate that cannot be read; {FULL_CHAIN}", retryable=False) from error
        return tuple(map(_der, chain))

    def _issuer_of(self, certificate: Certificate) -> Certificate:
        locations = list(_locations(certificate))[:MAX_LOCATIONS]
        unreachable: BaseException | None = None
        for location in locations:
            try:
                found = self._certificates_at(location)
            except (*NETWORK_ERRORS, ValueError) as error:
                unreachable = error
                continue
            for candidate in found:
                if _has_issued(candidate, certificate):
                    return candidate
        if unreachable:
            where = urlsplit(locations[-1]).hostname
            what = f"leaves out an intermediate certificate, which {where} did not give either; {FULL_CHAIN}"
            raise IncompleteChain(what, retryable=True) from unreachable
        issuer = "".join(filter(str.isprintable, certificate.issuer.rfc4514_string()))[:80]
        what = f"has a certificate of an authority that is not trusted ({issuer}), or sends an incomplete chain"
        raise IncompleteChain(f"{what}; {FULL_CHAIN}", retryable=False)

    def _certificates_at(self, url: str) -> list[Certificate]:
        now = time.monotonic()
        with self._lock:
            expires, kept = self._kept.get(url, (0.0, None))
            if now < expires:
                if kept is None:
                    raise ValueError("no certificate came a moment ago")
                return kept
            self._count_fetch(urlsplit(url).hostname or "", now)
        try:
            found = list(read_certificates(self._fetch(url)))
        except (*NETWORK_ERRORS, ValueError):
            self._keep(url, now + KEPT_FAILURE_SECONDS, None)
            raise
        self._keep(url, now + KEPT_SECONDS, found)
        return found

    def _count_fetch(self, host: str, now: float) -> None:
        times = self._fetches.setdefault(host, deque(maxlen=MOST_FETCHES))
        self._fetches.move_to_end(host)
        if len(times) == MOST_FETCHES and now - times[0] < FETCHES_SECONDS:
            raise ValueError(f"{host} was asked for many certificates already")
        times.append(now)
        while len(self._fetches) > MAX_KEPT:
            self._fetches.popitem(last=False)

    def _keep(self, url: str, expires: float, certificates: list[Certificate] | None) -> None:
        with self._lock:
            self._kept[url] = expires, certificates
            self._kept.move_to_end(url)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)


def read_certificates(body: bytes) -> Iterator[Certificate]:
    """The certificates of an answer: one in DER or PEM, or a certs-only PKCS #7 message.

    Raises:
        ValueError: it holds none.
    """
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import pkcs7  # noqa: PLC0415 - see above

    is_pem = re.match(rb"\s*-----BEGIN (?:PKCS7|CMS)", body)
    try:
        if is_pem:
            yield from pkcs7.load_pem_pkcs7_certificates(body)[:MAX_CERTIFICATES]
        elif body.lstrip().startswith(b"-----BEGIN"):
            yield from x509.load_pem_x509_certificates(body)[:MAX_CERTIFICATES]
        elif b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in body[:64]:  # the object identifier of signed data
            yield from pkcs7.load_der_pkcs7_certificates(body)[:MAX_CERTIFICATES]
        else:
            yield x509.load_der_x509_certificate(body)
    except UnsupportedAlgorithm as error:
        raise ValueError("not a certificate") from error


def _locations(certificate: Certificate) -> Iterator[str]:
    """The http URLs of the issuer's certificate. Others are skipped: https would need another chain (RFC 5280, 8)."""
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.x509.oid import AuthorityInformationAccessOID  # noqa: PLC0415 - see above

    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return
    for description in access:
        where = description.access_location
        is_issuer = description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        if is_issuer and isinstance(where, x509.UniformResourceIdentifier) and where.value.startswith("http://"):
            yield where.value


def _has_issued(candidate: Certificate, certificate: Certificate) -> bool:
    """Whether `candidate` signed `certificate`. A self-signed one is no intermediate, and would be taken for a root."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - see above

    if candidate.subject == candidate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(candidate)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _name_of_issuer(certificate: Certificate) -> Name:
    return tuple(str(part.value) for part in certificate.issuer)


def _der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - see above

    return certificate.public_bytes(Encoding.DER)
