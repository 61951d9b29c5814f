"""Logging: events with ids, as readable lines or as JSON, without bodies, secrets or signed URLs."""

from __future__ import annotations

import logging

import structlog

from imgproc.core.redaction import redact, redact_all
from imgproc.core.terminal import printable_lines


def configure(*, log_format: str, level: str) -> None:
    """Send our events and those of the libraries through one handler on stderr."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer() if log_format == "json" else _render_text
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, renderer],
        )
    )
    root = logging.getLogger()
    for earlier in list(root.handlers):
        if isinstance(earlier.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    _limit_libraries()


def _limit_libraries() -> None:
    """Keep only the warnings of chatty libraries, and stop gunicorn's own handler."""
    for name in ("rq", "rq.worker", "rq.worker_pool", "botocore", "alembic"):
        logging.getLogger(name).setLevel("WARNING")
    logging.getLogger("urllib3").setLevel("ERROR")
    # gunicorn prints the URLs of failed requests, with their queries, through a handler of its own.
    server = logging.getLogger("gunicorn.error")
    server.handlers.clear()
    server.propagate = True


def _redact(
    _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Remove credentials from every value: messages and tracebacks of libraries contain URLs too."""
    redacted: structlog.types.EventDict = redact_all(event)
    return redacted


class TextFormatter(logging.Formatter):
    """Writes the records of loggers that have handlers of their own, such as gunicorn's."""

    def format(self, record: logging.LogRecord) -> str:
        """The record without credentials and without control characters."""
        return _one_entry(redact(super().format(record)))


_console = structlog.dev.ConsoleRenderer(colors=False)


def _render_text(logger: structlog.types.WrappedLogger, method: str, event: structlog.types.EventDict) -> str:
    return _one_entry(_console(logger, method, event))


def _one_entry(text: str) -> str:
    """Indent all lines but the first, so that none of them looks like another entry."""
    return printable_lines(text).replace("\n", "\n    ")
