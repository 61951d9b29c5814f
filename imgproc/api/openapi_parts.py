"""Parts of the OpenAPI document that every operation or every upload has: ids, headers, examples, kinds of bodies."""

from __future__ import annotations

import re
from typing import Any

from apiflask import APIFlask

from imgproc.api import openapi_examples
from imgproc.pipeline.storage.downloads import XLSX_TYPE

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
ADDRESS = {"type": "string", "format": "uri"}
PROBLEM = "application/problem+json"
# Types of a bare file in the document; `missing_file.BARE_TYPES` has all that are read.
DOCUMENTED_TYPES = ("text/csv", "text/tab-separated-values", XLSX_TYPE, "application/octet-stream")
RETRY_AFTER = {"Retry-After": {"description": "Seconds until the next attempt.", "schema": COUNT}}
STATUS_HEADERS = {
    "ETag": {"description": "For `If-None-Match`.", "schema": TEXT},
    "Retry-After": {"description": "Seconds until the next poll, while the request has not ended.", "schema": COUNT},
}
FILE_HEADERS = {"Content-Disposition": {"description": "`attachment` with the name of the file.", "schema": TEXT}}
REDIRECT_HEADERS = {"Location": {"description": "The file in the bucket of outputs.", "schema": ADDRESS}}
HEADERS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("/api/upload", "post", "202"): {
        "Location": {"description": "The `statusUrl`.", "schema": ADDRESS},
        "Idempotent-Replayed": {
            "description": "`true` if an earlier upload with this `Idempotency-Key` is answered again.",
            "schema": {"type": "string", "enum": ["true"]},
        },
    },
    **{
        (path, "get", status): STATUS_HEADERS
        for path in ("/api/status/{request_id}", "/api/requests/{request_id}")
        for status in ("200", "304")
    },
    **{
        (f"/api/requests/{{request_id}}/{name}", "get", status): headers
        for name in ("output.csv", "failed.csv", "output.xlsx")
        for status, headers in (("200", FILE_HEADERS), ("302", REDIRECT_HEADERS))
    },
}
ERROR_HEADERS: dict[str, dict[str, Any]] = {
    "401": {"WWW-Authenticate": {"description": "The scheme, as RFC 6750 asks.", "schema": TEXT}},
    "429": RETRY_AFTER,
    "503": RETRY_AFTER,
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The last `ETag`: the answer is 304 if nothing has changed.",
    "schema": TEXT,
    "required": False,
}
FILENAME_HEADER = {
    "in": "header",
    "name": "Content-Disposition",
    "description": "The `filename` of a bare file, unless it is in the query.",
    "schema": TEXT,
    "required": False,
}


def identify(spec: dict[str, Any], app: APIFlask) -> None:
    """Give each operation the tag of its blueprint and an id: the name of its view in camelCase."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        blueprint, _, view = rule.endpoint.rpartition(".")
        first, *others = view.split("_")
        for method in {name.lower() for name in rule.methods or ()} & spec["paths"].get(path, {}).keys():
            operation = spec["paths"][path][method]
            operation["operationId"] = first + "".join(word.title() for word in others)
            operation["tags"] = [app.blueprints[blueprint].tag]  # type: ignore[attr-defined]  # an APIBlueprint


def describe_upload(operation: dict[str, Any], form: dict[str, Any]) -> None:
    """Add the bare file as another kind of body, whose options are in the query. `form` is the schema of the parts."""
    content = operation["requestBody"]["content"]
    for kind in DOCUMENTED_TYPES:
        is_text = kind.startswith("text/")
        content[kind] = {"schema": TEXT if is_text else TEXT | {"format": "binary"}}
        if kind == "text/csv":
            content[kind]["example"] = openapi_examples.CSV
    for name, each in form["properties"].items():
        if name != "file":
            # Without its default, which some clients would send in the query and again as a part.
            schema = {key: value for key, value in each.items() if key not in {"default", "description"}}
            option = {"in": "query", "name": name, "required": False, "schema": schema}
            operation["parameters"].append(option | {"description": each["description"]})
    operation["parameters"].append(FILENAME_HEADER)


def add_headers(operation: dict[str, Any], *, path: str, method: str) -> None:
    """Describe the headers of each response."""
    if (path, method, "304") in HEADERS:
        operation["parameters"].append(IF_NONE_MATCH)
    for status, response in operation["responses"].items():
        if headers := HEADERS.get((path, method, status)) or ERROR_HEADERS.get(status):
            response["headers"] = headers


def add_examples(operation: dict[str, Any]) -> None:
    """Give each response a body as an example: of its schema, or a problem with the first code of its description."""
    for status, response in operation["responses"].items():
        for kind, media in response.get("content", {}).items():
            codes = [
                code for code in re.findall(r"`(\w+)`", response["description"]) if code in openapi_examples.DETAILS
            ]
            name = media["schema"].get("$ref", "").rpartition("/")[2]
            if kind == PROBLEM and codes:
                media["example"] = openapi_examples.problem(int(status), codes[0])
            elif name in openapi_examples.BODIES:
                media["example"] = openapi_examples.BODIES[name]
