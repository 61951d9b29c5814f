"""Refuses options that do not exist, and names the nearest one that does."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from flask import current_app, request
from marshmallow import Schema

from imgproc.api.missing_file import SHOWN, shown
from imgproc.api.problems import Problem

MAX_EXPLAINED = 20  # unknown names of one call; each costs a search
# Other names for an option, in lower case without punctuation.
SYNONYMS = {
    "webhookUrl": ("webhook", "hook", "callback", "callbackurl", "callbackuri", "notify", "notifyurl"),
    "quality": ("q", "jpegquality", "imagequality", "compression", "compressionlevel"),
    "scale": ("resize", "size", "factor", "ratio", "scalefactor", "percent"),
    "format": ("fmt", "type", "imageformat", "outputtype", "ext", "extension"),
    "maxWidth": ("width", "w", "maxw", "targetwidth", "resizewidth"),
    "maxHeight": ("height", "h", "maxh", "targetheight", "resizeheight"),
    "minSide": ("minsize", "minimumsize", "minwidth", "minheight", "minedge", "shortside", "smallestside"),
    "larger": ("iflarger", "onlarger", "keeplarger", "allowlarger", "bigger"),
    "invalidRows": ("skipinvalid", "skiperrors", "ignoreerrors", "onerror", "skip", "invalid"),
    "columns": ("column", "mapping", "columnmapping", "fields", "headers", "cols"),
    "encoding": ("charset", "codepage", "enc", "characterset"),
    "sheet": ("worksheet", "sheetname", "tab", "sheetindex"),
    "outputFormat": ("output", "outformat", "fileformat", "resultformat"),
    "bom": ("utf8bom", "byteordermark", "withbom"),
    "serialNumber": ("serial", "sku", "id", "number", "no", "code"),
    "productName": ("name", "title", "product"),
    "inputImageUrls": ("image", "images", "imageurls", "imageurl", "urls", "url", "photos"),
    "file": ("csv", "upload", "files", "document", "attachment", "data", "csvfile", "input"),
    "filename": ("name", "fname"),
    "limit": ("perpage", "pagesize", "size", "count", "max", "top"),
    "cursor": ("page", "after", "offset", "next", "nextcursor", "pagetoken"),
    "status": ("state",),
}


def refuse_unknown() -> None:
    """Refuse query parameters that the operation does not have. An upload's schema checks its query with its parts.

    Raises:
        Problem: 422 `unknown_option`.
    """
    if not request.args or not request.path.startswith("/api/") or request.endpoint is None:
        return
    described = getattr(current_app.view_functions[request.endpoint], "_spec", {})
    if getattr(described.get("body"), "reads_query", False):
        return
    queries: Iterable[Schema] = [schema for schema, location in described.get("args", []) if location == "query"]
    require_known(request.args, known=[name for schema in queries for name in schema.fields])


def require_known(given: Collection[str], *, known: Collection[str]) -> None:
    """Refuse names that are not known.

    Raises:
        Problem: 422 `unknown_option`; `errors` has the first 20.
    """
    unknown = [name for name in given if name not in known][:MAX_EXPLAINED]
    if not unknown:
        return
    errors = [{"option": str(name), "code": "unknown_option", "detail": _explain(str(name), known)} for name in unknown]
    raise Problem(422, "unknown_option", " ".join(error["detail"] for error in errors), errors=errors)


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name closest to `name` in spelling or meaning, if any."""
    plain = _plain(name)
    spellings = {_plain(each): each for each in known}
    for each in known:
        spellings |= dict.fromkeys(SYNONYMS.get(each, ()), each)
    close = [plain] if plain in spellings else get_close_matches(plain, spellings, n=1, cutoff=0.7)
    return spellings[close[0]] if close else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name[:SHOWN].lower())


def _explain(name: str, known: Collection[str]) -> str:
    if meant := nearest(name, known):
        return f"There is no option {shown(name)}. Did you mean {meant}? Rename it, or leave it out."
    if not known:
        return f"There is no option {shown(name)}; this call has no options in its query."
    return f"There is no option {shown(name)}; the options are {', '.join(known)}."
