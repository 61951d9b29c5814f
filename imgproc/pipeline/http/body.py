"""An answer -> the bytes of its body, within limits on their number and their speed."""

from __future__ import annotations

import http.client
import zlib
from dataclasses import dataclass

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import IncompleteRead

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.failures import NETWORK_ERRORS, causes_of
from imgproc.pipeline.http.host_gate import Trouble
from imgproc.pipeline.http.response import MAX_SURPLUS

# We ask for no compression, but some hosts compress anyway, and some twice. Other values are ignored: some hosts label
# plain pictures "aws-chunked" or "utf-8".
COMPRESSIONS = {"gzip", "x-gzip", "deflate"}
UNREADABLE = {"br", "zstd", "compress", "x-compress"}
GZIP = b"\x1f\x8b"
MAX_LAYERS = 2
CHUNK_BYTES = 256 * 1024  # of a body of unknown length, so that one that is too large is noticed early
EITHER = zlib.MAX_WBITS | 32  # zlib tells gzip from its own format
MAX_MEMBERS = 16  # of one gzip file


@dataclass(frozen=True)
class Pace:
    """The patience with a host: `seconds` until its answer begins and for each piece of a body after that.

    A piece is what comes in that time at `least_speed` bytes a second.
    """

    seconds: float = 10.0
    least_speed: float = 50_000.0

    @property
    def piece_bytes(self) -> int:
        """The bytes of a piece, at least 1."""
        return max(1, int(self.seconds * self.least_speed))


@dataclass(frozen=True)
class Body:
    """The bytes that came. `broken` is why the end may be missing: the host broke off, or announced more."""

    data: bytes
    broken: BaseException | None = None


def receive(response: BaseHTTPResponse, host: str, *, pace: Pace, max_bytes: int) -> Body:
    """Read the body of `response`, for as long as it keeps the pace.

    Raises:
        DownloadError: `file_too_large` or `too_slow`.
    """
    announced = response.length_remaining
    if (announced or 0) > max_bytes:
        raise too_large(host, max_bytes)
    deadline = Deadline.current()
    chunks: list[bytes] = []
    size, broken = 0, None
    try:
        deadline.receive(pace.seconds, least=pace.piece_bytes, most=2 * max_bytes)  # chunks have lines between them
        while True:
            # A body of known length is read in one piece, so nothing has to be joined.
            chunk = response.read((announced or CHUNK_BYTES + size) - size, decode_content=False)
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                raise too_large(host, max_bytes)
            if not chunk or (announced and size >= announced):
                break
    except NETWORK_ERRORS as error:
        broken = error
        chunks += _partial_chunks(error)
    data = b"".join(chunks)
    if deadline.expired and not (announced and announced - len(data) <= MAX_SURPLUS):
        raise _too_slow(host, pace)
    return Body(data, broken)


def _partial_chunks(error: BaseException) -> list[bytes]:
    """The bytes of a chunked body that came before it broke off; http.client hands them over in its errors."""
    errors = [each for each in causes_of(error) if isinstance(each, http.client.IncompleteRead)]
    return [each.partial for each in errors if not isinstance(each, IncompleteRead)]


def is_compressed(response: BaseHTTPResponse) -> bool:
    """Whether the host says that it compressed the body in a way that we can undo."""
    return bool(COMPRESSIONS & set(codings_of(response)))


def codings_of(response: BaseHTTPResponse) -> list[str]:
    """The codings that the host names for the body (RFC 9110, 8.4), in lower case."""
    return [coding.strip().lower() for coding in response.headers.get("Content-Encoding", "").split(",")]


def decompress(body: Body, response: BaseHTTPResponse, host: str, *, max_bytes: int) -> Body:
    """Undo the compressions that the host names, and one of gzip that it does not name: no picture begins like it.

    Bytes that were never compressed are returned as they are.

    Raises:
        DownloadError: `file_too_large`, or `corrupt_image`: the compressed bytes are damaged.
    """
    for layer in range(MAX_LAYERS):
        is_gzip = body.data.startswith(GZIP)
        if not is_gzip and (layer or not is_compressed(response)):
            break
        body = _decompressed(body, host, max_bytes=max_bytes)
    return body


def unreadable_coding(response: BaseHTTPResponse, host: str) -> DownloadError | None:
    """The error of a body in a compression that we cannot undo; some hosts name one and send plain pictures."""
    coding = next((coding for coding in codings_of(response) if coding in UNREADABLE), None)
    if coding is None:
        return None
    detail = f"{host} sent the picture compressed by {coding}, although we ask for none; switch that off for pictures."
    return DownloadError(detail, code="not_an_image")


def _decompressed(body: Body, host: str, *, max_bytes: int) -> Body:
    rest, pieces, size, whole = body.data, [], 0, False
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(EITHER)
        try:
            pieces.append(unpacker.decompress(rest, max_bytes + 1 - size))
        except zlib.error as error:
            if not pieces:
                return _not_zlib(body, host, max_bytes, error)
            break  # garbage after the last member
        size, whole = size + len(pieces[-1]), unpacker.eof
        if size > max_bytes:
            raise too_large(host, max_bytes)
        rest = unpacker.unused_data
        if not rest:
            break
    return Body(b"".join(pieces), body.broken or (None if whole else http.client.IncompleteRead(b"")))


def _not_zlib(body: Body, host: str, max_bytes: int, error: zlib.error) -> Body:
    """The body of a host that labels plain pictures as compressed, or sends raw DEFLATE as some do."""
    if body.data.startswith(GZIP):
        raise DownloadError(
            f"{host} sent compressed data that is damaged; correct its Content-Encoding.", code="corrupt_image"
        ) from error
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(body.data, max_bytes + 1)
    except zlib.error:
        return body
    if len(data) > max_bytes:
        raise too_large(host, max_bytes) from None
    return Body(data, body.broken) if unpacker.eof else body


def too_large(host: str, max_bytes: int) -> DownloadError:
    """The error of a body that is, or announces to be, larger than allowed."""
    return DownloadError(
        f"{host} sends more than the {max_bytes:,} bytes an image may have; give a smaller one.", code="file_too_large"
    )


def _too_slow(host: str, pace: Pace) -> DownloadError:
    return DownloadError(
        f"{host} sends fewer than {pace.least_speed:,.0f} bytes a second; give the picture from a faster host.",
        code="too_slow",
        retryable=True,
        trouble=Trouble.SLOW,
    )
