"""Certificates of authorities and servers that exist in tests only."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def pkcs7(self) -> bytes:
        """The certificate in a certs-only PKCS #7 message."""
        return pkcs7.serialize_certificates([self.certificate], Encoding.DER)

    def server(self, *chain: Issued, into: ssl.SSLContext | None = None) -> ssl.SSLContext:
        """The TLS context of a server, or `into`, that shows this certificate, followed by `chain`."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context = into or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with NamedTemporaryFile(suffix=".pem") as file:
            Path(file.name).write_bytes(private + self.pem + b"".join(each.pem for each in chain))
            context.load_cert_chain(file.name)
        return context

    def file(self, folder: Path) -> str:
        """A file with this certificate, for those who trust it."""
        path = folder / f"{self.certificate.serial_number}.pem"
        path.write_bytes(self.pem)
        return str(path)


def issue(
    name: str,
    *,
    by: Issued | None = None,
    authority: bool = False,
    hosts: Sequence[str] = ("127.0.0.1",),
    aia: Sequence[str] = (),
    days: tuple[int, int] = (-30, 30),
    key: Key | None = None,
) -> Issued:
    """A certificate of `name`, self-signed unless issued `by` another. `days` are its validity, counted from today."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = by.key if by else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        names = [_general_name(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if aia:
        method = AuthorityInformationAccessOID.CA_ISSUERS
        places = [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for url in aia]
        builder = builder.add_extension(x509.AuthorityInformationAccess(places), critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def _general_name(host: str) -> x509.GeneralName:
    if host[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)
