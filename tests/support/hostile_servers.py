"""Servers on loopback that misbehave on purpose, each a few lines over a bare socket."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3.util import parse_url

from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, explain
from imgproc.pipeline.http.session import GuardedSession

Behaviour = Callable[[socket.socket, "Server"], None]


class Server:
    """A listening socket; every connection it accepts is counted and handed to `behaviour` in a thread of its own."""

    def __init__(self, behaviour: Behaviour, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.connections = 0
        self.stopped = threading.Event()
        self._tls = tls
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}/"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(10)
            with self._stream(connection) as stream:
                if isinstance(stream, ssl.SSLSocket):
                    stream.do_handshake()
                self.behaviour(stream, self)

    def _stream(self, connection: socket.socket) -> socket.socket:
        """The connection, or the TLS socket that takes it over: `stop` hangs up that one."""
        if self._tls is None:
            return connection
        stream = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.append(stream)
        return stream

    def drip(self, connection: socket.socket, piece: bytes) -> None:
        """Send `piece` every 20 ms until the other side hangs up or the server stops."""
        while not self.stopped.wait(0.02):
            connection.sendall(piece)

    def stop(self) -> None:
        """Stop listening, hang up, and wait for every thread."""
        self.stopped.set()
        for endpoint in (self._listener, *self._open):
            with suppress(OSError):
                socket.socket.shutdown(endpoint, socket.SHUT_RDWR)  # an SSLSocket's own drops what its thread reads
        self._listener.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def serving(behaviour: Behaviour, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A running `Server`, stopped at the end."""
    server = Server(behaviour, host=host, tls=tls)
    try:
        yield server
    finally:
        server.stop()


def read_request(connection: socket.socket) -> bytes:
    """The bytes of one request's head; empty when the other side hung up."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


def answer(*pieces: bytes) -> Behaviour:
    """Send `pieces` to the first request, then hang up."""

    def behave(connection: socket.socket, _server: Server) -> None:
        read_request(connection)
        connection.sendall(b"".join(pieces))

    return behave


def answer_then_drip(head: bytes, piece: bytes) -> Behaviour:
    """Send `head`, then `piece` again and again without end."""

    def behave(connection: socket.socket, server: Server) -> None:
        read_request(connection)
        connection.sendall(head)
        server.drip(connection, piece)

    return behave


def answer_then_flood(head: bytes, piece: bytes) -> Behaviour:
    """Send `head`, then `piece` as fast as the other side takes it."""

    def behave(connection: socket.socket, server: Server) -> None:
        read_request(connection)
        connection.sendall(head)
        while not server.stopped.is_set():
            connection.sendall(piece)

    return behave


def answer_then_reset(head: bytes) -> Behaviour:
    """Send `head`, then tear the connection down with a TCP reset."""

    def behave(connection: socket.socket, _server: Server) -> None:
        read_request(connection)
        connection.sendall(head)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def never_answer(_connection: socket.socket, server: Server) -> None:
    """Accept the connection and send nothing."""
    server.stopped.wait()


def keep_alive(connection: socket.socket, _server: Server) -> None:
    """Answer every request of a connection with the same two bytes."""
    while read_request(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\nok")


def self_signed(folder: Path, *, name: str = "127.0.0.1", days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for `name`, valid for `days` more days, and the file that makes a client trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.IPAddress(ipaddress.ip_address(name))] if name[0].isdigit() else [x509.DNSName(name)]
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted, chain = folder / "trusted.pem", folder / "chain.pem"
    trusted.write_bytes(pem)
    chain.write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, trusted


def failure_over_tls(behaviour: Behaviour, tls: ssl.SSLContext, trusted: Path, *, seconds: float) -> str:
    """GET a page from a TLS server of this `behaviour`, whose certificate is trusted; the code of the failure."""
    session = GuardedSession(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),), ca_certs=str(trusted))
    with (
        session,
        serving(behaviour, tls=tls) as server,
        Deadline(seconds) as deadline,
        pytest.raises(NETWORK_ERRORS) as caught,
    ):
        session.request("GET", parse_url(server.url), headers={}).read()
    return explain(caught.value, host="127.0.0.1", deadline=deadline).code
