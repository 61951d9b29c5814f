"""What the page of a chosen file shows: its reading with the faults in their places, the fields, and an estimate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import render_template

from imgproc.api import auth
from imgproc.core.errors import InvalidInput
from imgproc.db import request_list
from imgproc.db.models import ProcessingRequest
from imgproc.web import display
from imgproc.web.curl import upload_command
from imgproc.web.option_fields import changed_options, option_fields
from imgproc.web.texts import N_, gettext

MAX_HEADINGS = 100  # that a select offers
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"  # so that the narrow column parts no number from its unit
MAX_HOSTS = 5  # that the page names
COLUMN_LABELS = {
    "serialNumber": N_("Serial number"),
    "productName": N_("Product name"),
    "inputImageUrls": N_("Image addresses"),
}


def render(draft: ProcessingRequest, *, given: Mapping[str, str], faults: Mapping[str, str], **context: Any) -> str:
    """The page, with the options as they were given and what is wrong with them."""
    shown: dict[str, Any] = draft.reading or {}
    main, others = option_fields(given, faults)
    reading = shown["reading"] or {}
    stored = draft.file_options or {}
    chosen = columns_of(reading) or {name: tuple(each) for name, each in (stored.get("columns") or {}).items()}
    return render_template(
        "draft.html",
        draft=draft,
        shown=shown,
        reading=reading,
        estimate=_estimate(shown["counts"]["images"]),
        faults_of_line=_by_line(shown["errors"]),
        fault=faults.get("file"),
        encoding=given.get("encoding", "") if "encoding" in faults else stored.get("encoding", ""),
        encoding_fault=faults.get("encoding"),
        headings=_headings(shown["header"], chosen),
        chosen=chosen,
        column_labels=display.translated(COLUMN_LABELS),
        stored=stored,
        hosts=[host for host, _ in shown.get("hosts", [])],
        main_options=main,
        other_options=others,
        are_others_open=any(each.fault or each.name in changed_options(given) for each in others),
        command=upload_command(draft.filename, _command_options(stored, given, shown)),
        is_startable=bool(shown["counts"]["products"]),
        **context,
    )


def _headings(header: list[str], chosen: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The headings to choose from: the first of the file, and those that are chosen."""
    wanted = [heading for headings in chosen.values() for heading in headings]
    listed = dict.fromkeys(each.strip() for each in header if each.strip())
    return list(dict.fromkeys([*list(listed)[:MAX_HEADINGS], *wanted]))


def _by_line(errors: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for error in errors:
        found.setdefault(error["line"], []).append(error)
    return found


def _estimate(images: int) -> str | None:
    """How long the images take and what they save, by the last requests of the caller; None without any."""
    pace = request_list.pace(auth.owner())
    if not pace or not images:
        return None
    duration = display.duration(max(1, pace.seconds * images)).replace(" ", NO_BREAK_SPACE)
    size = display.size(round(pace.saved_bytes * images)).replace(" ", NO_BREAK_SPACE)
    return gettext(
        "By your last requests this takes about %(duration)s and saves %(size)s.", duration=duration, size=size
    )


def _command_options(stored: Mapping[str, Any], given: Mapping[str, str], shown: Mapping[str, Any]) -> dict[str, str]:
    options = {name: value if isinstance(value, str) else json.dumps(value) for name, value in stored.items()}
    options |= changed_options(given)
    return options | ({"invalidRows": "skip"} if shown["errors"] else {})


def unreadable(error: InvalidInput) -> dict[str, Any]:
    """What is shown of a file that cannot be read at all."""
    fault = {"line": 1, "column": None, "code": error.code, "detail": error.detail}
    return {
        "valid": False,
        "header": [],
        "reading": None,
        "counts": dict.fromkeys(("rows", "products", "images", "skippedRows"), 0),
        "errors": [fault],
        "errorsTruncated": False,
    }


def columns_of(reading: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The headings that a reading has used, by our names of columns."""
    found = reading.get("columns") or {}
    return {name: tuple([each] if isinstance(each, str) else each) for name, each in found.items()}
