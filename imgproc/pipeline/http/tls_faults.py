"""What a failed TLS handshake means, by the reasons that OpenSSL gives."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from imgproc.pipeline.http.host_gate import Trouble


class TLSFault(NamedTuple):
    """The end of a sentence about the host, with the remedy, and whether trying again may help."""

    what: str
    retryable: bool = False
    trouble: Trouble | None = None


class IncompleteChain(ssl.SSLError):
    """No trusted authority was found above the host's certificate; `what` is the end of a sentence."""

    def __init__(self, what: str, *, retryable: bool) -> None:
        super().__init__(what)
        self.fault = TLSFault(what, retryable)


FULL_CHAIN = "let it send the whole chain (fullchain.pem), signed by a public authority"
_SELF_SIGNED = TLSFault("has a self-signed certificate; give it one of a public authority, such as Let's Encrypt")
_UNKNOWN = TLSFault(f"has a certificate of an authority that is not trusted; {FULL_CHAIN}")
_WRONG_NAME = TLSFault("has a certificate for another name; give it one of its own")
_WEAK = TLSFault(
    "has a certificate with a weak key or signature; give it a new one with RSA 2048 and SHA-256 or better"
)

# https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_BY_VERIFY_CODE = {
    2: _UNKNOWN,
    9: TLSFault("has a certificate that is not valid yet; set its clock, or wait until it is"),
    10: TLSFault("has a certificate that has expired; renew it"),
    18: _SELF_SIGNED,
    19: TLSFault(f"has a certificate of a private authority; {FULL_CHAIN}"),
    20: _UNKNOWN,
    21: _UNKNOWN,
    23: TLSFault("has a certificate that was revoked; give it a new one"),
    26: TLSFault("has a certificate that is not for servers; give it one for a web server"),
    62: _WRONG_NAME,
    64: _WRONG_NAME,
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}

_OLD = TLSFault("speaks only an outdated version of TLS; enable TLS 1.2 or 1.3 on it")
_NO_CIPHER = TLSFault("has no cipher in common with us, or does not serve this name; enable current ciphers for it")
_NO_TLS = TLSFault("does not speak TLS on this port; write http://, or correct the port")
_CLIENT = TLSFault("asks for a certificate of the client, which we have not; give the picture from another host")
_OTHER = TLSFault("failed to open TLS; check its certificate and enable TLS 1.2 or 1.3 on it")
_FAULTY = TLSFault("had a fault of its own while opening TLS; try again later", True, Trouble.AWAY)
_CUT = TLSFault("closed the connection while opening TLS; try again later", True, Trouble.AWAY)
_CORRUPTED = TLSFault("sent data that was damaged on its way; try again later", True)
_NAME_UNKNOWN = TLSFault("says that it does not serve this name over TLS; check the host, or add the name to it")

# The reason of an ssl.SSLError, or a part of it. The first match counts.
_BY_REASON = (
    ("UNEXPECTED_EOF", _CUT),
    ("INTERNAL_ERROR", _FAULTY),
    ("USER_CANCELLED", _FAULTY),
    ("BAD_RECORD_MAC", _CORRUPTED),
    ("BAD_RECORD_TYPE", _CORRUPTED),
    ("DECRYPT", _CORRUPTED),
    ("RECORD_LAYER_FAILURE", _CORRUPTED),
    ("DIGEST_CHECK_FAILED", _CORRUPTED),
    ("BAD_SIGNATURE", _CORRUPTED),
    ("UNSUPPORTED_PROTOCOL", _OLD),
    ("PROTOCOL_VERSION", _OLD),
    ("NO_PROTOCOLS_AVAILABLE", _OLD),
    ("UNSAFE_LEGACY_RENEGOTIATION", _OLD),
    ("VERSION_TOO_LOW", _OLD),
    ("KEY_TOO_SMALL", _WEAK),
    ("MD_TOO_WEAK", _WEAK),
    ("CA_KEY_TOO", _WEAK),
    ("WRONG_SIGNATURE_TYPE", _WEAK),
    ("UNRECOGNIZED_NAME", _NAME_UNKNOWN),
    ("CERTIFICATE_REQUIRED", _CLIENT),
    ("ALERT_BAD_CERTIFICATE", _CLIENT),
    ("ALERT_ACCESS_DENIED", _CLIENT),
    ("HANDSHAKE_FAILURE", _NO_CIPHER),
    ("NO_SHARED_CIPHER", _NO_CIPHER),
    ("INSUFFICIENT_SECURITY", _NO_CIPHER),
    ("NO_CIPHERS", _NO_CIPHER),
    ("WRONG_CIPHER_RETURNED", _NO_CIPHER),
    ("WRONG_VERSION_NUMBER", _NO_TLS),
    ("HTTP_REQUEST", _NO_TLS),
    ("PACKET_LENGTH_TOO_LONG", _NO_TLS),
)


def tls_fault(error: ssl.SSLError) -> TLSFault:
    """What `error` means for the owner of the host."""
    if isinstance(error, IncompleteChain):
        return error.fault
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(error.verify_code, _OTHER)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _CUT
    reason = error.reason or ""
    return next((fault for part, fault in _BY_REASON if part in reason), _OTHER)


def lacks_issuer(error: ssl.SSLError) -> bool:
    """Whether an intermediate certificate may be missing (20 and 21: the issuer of a certificate was not found)."""
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in {20, 21}
