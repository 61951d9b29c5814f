"""Reads request bodies: a form or a bare file, few and short fields, and no temporary file left behind."""

from __future__ import annotations

import shutil
from typing import IO, Any, cast
from urllib.parse import parse_qsl

from flask import Flask, Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, default_stream_factory

from imgproc.api import missing_file
from imgproc.api.gunzip import decoded
from imgproc.core.errors import InvalidOption
from imgproc.core.spool import HashedSpool

MAX_FIELD_BYTES = 256 * 1024  # of all fields together, and of the headers of one part
MAX_PARTS = 100
MAX_FILES = 2  # a second file is refused by its name later; a third is refused at once
PIECE = 64 * 1024  # bytes copied at a time


def init_app(app: Flask) -> None:
    """Limit the bodies of all requests."""
    app.request_class = BoundedRequest
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FIELD_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_PARTS


class _Forms(FormDataParser):
    """Reads a bare file as a form whose only part is `file`, and says what is wrong with a broken form."""

    def parse(self, stream: IO[bytes], mimetype: str, content_length: int | None, options: Any = None) -> Any:
        """The rest of the stream, the fields and the files."""
        if mimetype in missing_file.BARE_TYPES:
            return stream, self.cls(), self._one_file(stream, content_length)
        return super().parse(stream, mimetype, content_length, options)

    def _one_file(self, stream: IO[bytes], length: int | None) -> Any:
        spool = self.stream_factory(length, None, None, None)
        shutil.copyfileobj(stream, spool, PIECE)
        if not spool.tell():
            return self.cls()
        spool.seek(0)
        missing_file.require_bare(spool.read(PIECE))
        spool.seek(0)
        return self.cls({"file": FileStorage(spool, filename="")})

    def _parse_multipart(self, stream: IO[bytes], mimetype: str, length: int | None, options: Any) -> Any:
        """Parse the form.

        Raises:
            Problem: 400 `missing_file` says why it cannot be read. werkzeug would return an empty form.
        """
        beginning = _Beginning(stream)
        try:
            return super()._parse_multipart(cast("IO[bytes]", beginning), mimetype, length, options)
        except ValueError as error:
            boundary = options.get("boundary", "")
            raise missing_file.broken_form(error, boundary=boundary, beginning=beginning.bytes) from error

    def _parse_urlencoded(self, stream: IO[bytes], _mimetype: str, _length: int | None, _options: Any) -> Any:
        """Limit URL-encoded forms too. werkzeug reads them as a whole, so 100 MiB would take gigabytes of memory.

        Raises:
            Problem: 400 `missing_file`, as the body has several lines: it is a file that curl has labelled as a form.
        """
        body = b""
        while piece := stream.read(MAX_FIELD_BYTES):
            if b"\n" in piece:
                raise missing_file.labelled_as_form()
            body += piece
            if len(body) > MAX_FIELD_BYTES or body.count(b"&") >= MAX_PARTS:
                raise RequestEntityTooLarge
        items = parse_qsl(body.decode(), keep_blank_values=True, errors="werkzeug.url_quote")
        return stream, self.cls(items), self.cls()


class _Beginning:
    """A stream that remembers the first piece read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.bytes = b""

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        piece = self._stream.read(size)
        self.bytes = self.bytes or piece
        return piece


class BoundedRequest(Request):
    """A request whose file is spooled to disk and hashed on the way.

    The temporary file is deleted when the request ends, even in the middle of the upload.
    """

    form_data_parser_class = _Forms
    want_form_data_parsed = True  # without a Content-Type too: the body may be a bare file

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._spooled: list[HashedSpool] = []

    def _get_stream_for_parsing(self) -> IO[bytes]:
        coding = self.headers.get("Content-Encoding", "")
        return decoded(super()._get_stream_for_parsing(), coding=coding, limit=self.max_content_length or 0)

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if len(self._spooled) >= MAX_FILES:
            raise InvalidOption("Send one file; more than two were sent.", option="file")
        stream = HashedSpool(default_stream_factory(total_content_length, content_type, filename, content_length))
        self._spooled.append(stream)
        return cast("IO[bytes]", stream)

    def close(self) -> None:
        """Delete the temporary files, also those of a form that was not read to its end."""
        super().close()
        for stream in self._spooled:
            stream.close()
