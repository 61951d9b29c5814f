"""Parses requests more strictly than waitress: refuses what a proxy and this server could read differently."""

from __future__ import annotations

import logging
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

from imgproc.server.tasks import NoRoom

log = logging.getLogger(__name__)

CHUNKED_PIECE = 8 * 1024  # bytes given to waitress at a time; it copies them once for each chunk
MAX_CHUNK_LINE = 16 * 1024  # bytes of a chunk's size line or of the trailers
ONCE = (b"host", b"content-length", b"transfer-encoding")


class Parser(HTTPRequestParser):
    """One request; `error` says why it is refused."""

    completed: bool
    error: Any

    def received(self, data: bytes) -> int:
        """Parse `data` and return the number of bytes used.

        Limits the size lines and trailers of a chunked body. waitress joins them again with every packet, which takes
        quadratic time for one without an end.
        """
        try:
            return self._read(data)
        except OSError as error:  # bodies are on disk, which may be full
            log.error("The body of a request cannot be stored: %s", error)
            self.error = NoRoom("The server has no disk space left for this upload. Try again in a few seconds.")
            self.completed = True
            return len(data)

    def _read(self, data: bytes) -> int:
        receiver = self.body_rcv
        if not isinstance(receiver, ChunkedReceiver):
            return int(super().received(data))
        consumed: int = super().received(data[:CHUNKED_PIECE])
        if not self.completed and len(receiver.control_line) + len(receiver.trailer) > MAX_CHUNK_LINE:
            self.error = BadRequest("A chunk's size line or the trailers are too long.")
            self.completed = True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and the header fields.

        Raises:
            ParsingError: they can be read in more than one way.
        """
        line = header_plus.partition(b"\r\n")[0]
        if b" HTTP/" in line and not line.isascii():
            raise ParsingError("The address has letters beyond ASCII: percent-encode them in UTF-8, as %C3%BC for ü.")
        fields = _fields(header_plus)
        names = [name for name, _ in fields]
        for name in ONCE:
            if names.count(name) > 1:
                raise ParsingError(f"{name.decode().title()} is given more than once.")
        if b"transfer-encoding" in names and b"content-length" in names:
            raise ParsingError("Content-Length and Transfer-Encoding exclude each other (RFC 9112, 6.1).")
        if b"," in dict(fields).get(b"transfer-encoding", b""):
            raise ParsingError("The only supported Transfer-Encoding is chunked.")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a target such as http://[ or a length of 5,000 digits
            raise ParsingError("The request line or the Content-Length cannot be read.") from error
        self._require_version(names)
        if self.proxy_netloc:  # RFC 9112, 3.2.2: the host of the request line overrides Host
            self.headers["HOST"] = self.proxy_netloc

    def _require_version(self, names: list[bytes]) -> None:
        if self.version not in {"1.0", "1.1"}:
            raise ParsingError("The supported versions are HTTP/1.0 and HTTP/1.1.")
        if self.version == "1.1" and b"host" not in names:
            raise ParsingError("The Host header is missing (RFC 9112, 3.2).")
        if self.version == "1.0" and b"transfer-encoding" in names:
            raise ParsingError("HTTP/1.0 has no Transfer-Encoding.")


def _fields(header_plus: bytes) -> list[tuple[bytes, bytes]]:
    """The names in lower case, and the text behind each colon.

    Raises:
        ParsingError: a line continues the one before (RFC 9112, 5.2).
    """
    lines = [line for line in header_plus.split(b"\r\n")[1:] if line]
    if any(line[:1] in {b" ", b"\t"} for line in lines):
        raise ParsingError("A header line may not begin with white space.")
    parts = [line.partition(b":") for line in lines]
    return [(name.strip().lower(), value) for name, _, value in parts]
