"""Reads request bodies: one file, few and short fields, and no temporary file left behind."""

from __future__ import annotations

from typing import IO, Any, cast
from urllib.parse import parse_qsl

from flask import Flask, Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, default_stream_factory

from imgproc.core.errors import InvalidOption
from imgproc.core.spool import HashedSpool

MAX_FIELD_BYTES = 256 * 1024  # of all fields together, and of the headers of one part
MAX_PARTS = 100
MAX_FILES = 2  # a second file is refused by its name later; a third is refused at once


def init_app(app: Flask) -> None:
    """Limit the bodies of all requests."""
    app.request_class = BoundedRequest
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FIELD_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_PARTS


class _Forms(FormDataParser):
    """Limits URL-encoded forms too. werkzeug reads them as a whole, so 100 MiB would take gigabytes of memory."""

    def _parse_urlencoded(self, stream: IO[bytes], _mimetype: str, _length: int | None, _options: Any) -> Any:
        body = b""
        while piece := stream.read(MAX_FIELD_BYTES):
            body += piece
            if len(body) > MAX_FIELD_BYTES or body.count(b"&") >= MAX_PARTS:
                raise RequestEntityTooLarge
        items = parse_qsl(body.decode(), keep_blank_values=True, errors="werkzeug.url_quote")
        return stream, self.cls(items), self.cls()


class BoundedRequest(Request):
    """A request whose file is spooled to disk and hashed on the way.

    The temporary file is deleted when the request ends, even in the middle of the upload.
    """

    form_data_parser_class = _Forms

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._spooled: list[HashedSpool] = []

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
