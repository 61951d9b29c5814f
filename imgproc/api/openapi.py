"""Completes the OpenAPI 3.1 document with what APIFlask cannot derive from the views."""

from __future__ import annotations

from functools import partial
from typing import Any

from apiflask import APIFlask

from imgproc.api import openapi_examples, openapi_parts
from imgproc.api.openapi_parts import PROBLEM, TEXT
from imgproc.api.webhook_schemas import add_webhooks
from imgproc.core.config import Settings
from imgproc.pipeline.storage.downloads import XLSX_TYPE

DESCRIPTION = (
    "Upload a CSV of product image URLs; get the same CSV with public URLs of compressed images. "
    "Errors are RFC 9457 problems with a stable `code`."
)
TAGS = {
    "Uploads": "Send a CSV, or check one.",
    "Status": "How far a request is.",
    "Requests": "The list of requests, their products and files, and what you can do with them.",
    "Keys": "API keys, for callers with an admin key.",
    "Webhooks": "How the end of a request was announced.",
    "Health": "Whether the server works.",
}
UPLOAD = {
    400: "`missing_file`, or `bad_request` if the body cannot be decompressed.",
    413: "`file_too_large`.",
    415: "`unsupported_file_type`.",
    422: "`invalid_csv`, `unknown_option`, `invalid_option` or `invalid_webhook_url`; `errors` lists what to change.",
}
KEYS = "/api/keys"
SHARES = "/api/requests/{request_id}/shares"
PROBLEMS = {
    ("/api/upload", "post"): UPLOAD | {409: "`idempotency_key_reused`."},
    ("/api/validate", "post"): UPLOAD,
    ("/api/requests/{request_id}/deliveries", "get"): {422: "`unknown_option`, `invalid_option` or `invalid_cursor`."},
    ("/api/requests", "get"): {422: "`unknown_option`, `invalid_option` or `invalid_cursor`."},
    ("/api/requests/{request_id}/products", "get"): {422: "`unknown_option`, `invalid_option` or `invalid_cursor`."},
    ("/api/requests/{request_id}/output.csv", "get"): {404: "`no_output`.", 409: "`not_finished`."},
    ("/api/requests/{request_id}/failed.csv", "get"): {404: "`nothing_failed`.", 409: "`not_finished`."},
    ("/api/requests/{request_id}/output.xlsx", "get"): {404: "`no_output`.", 409: "`not_finished`."},
    ("/api/requests/{request_id}/cancel", "post"): {409: "`already_ended`."},
    ("/api/requests/{request_id}/retry", "post"): {409: "`not_finished` or `nothing_to_retry`."},
    ("/api/requests/{request_id}/deliveries/{delivery_id}/redeliver", "post"): {
        404: "`delivery_not_found`.",
        409: "`delivery_in_progress`.",
    },
    (SHARES, "post"): {
        400: "`bad_request`: the body is not JSON.",
        409: "`too_many_links`.",
        413: "`file_too_large`.",
        422: "`invalid_option`.",
    },
    (f"{SHARES}/{{share_id}}", "delete"): {404: "`share_not_found`."},
    (KEYS, "get"): {422: "`unknown_option`, `invalid_option` or `invalid_cursor`."},
    (KEYS, "post"): {
        400: "`bad_request`: the body is not JSON.",
        413: "`file_too_large`.",
        422: "`invalid_option`.",
    },
    (f"{KEYS}/{{key_id}}", "delete"): {404: "`key_not_found`."},
    (f"{KEYS}/{{key_id}}/rotate", "post"): {
        400: "`bad_request`: the body is not JSON.",
        404: "`key_not_found`.",
        409: "`key_revoked` or `key_changed`.",
        413: "`file_too_large`.",
        422: "`invalid_option`.",
    },
    ("/api/webhooks/test", "post"): {
        400: "`bad_request`: the body is not JSON.",
        413: "`file_too_large`.",
        422: "`invalid_webhook_url` or `invalid_option`.",
    },
    ("/readyz", "get"): {503: "`not_ready`; `checks` says which service cannot be reached."},
}
WITH_KEY = ("/api/", "/metrics")
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "imgproc_…"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
REDELIVER = "/api/requests/{request_id}/deliveries/{delivery_id}/redeliver"
QUOTAS = dict.fromkeys(("/api/upload", "/api/requests/{request_id}/retry", REDELIVER), "quota_exceeded")
QUOTAS["/api/webhooks/test"] = "too_many_pings"
UNSAFE = {"post", "delete"}
OPTIONAL_OF = {("ImageOut", name) for name in ("notes", "likeness", "stagesMs")}  # the same, of one schema alone
OPTIONAL = {
    "errors",
    "errorsTruncated",
    "checks",
    "errorId",
    "outputXlsx",
    "outputXlsxUrl",
    "larger",
    "maxWidth",
    "maxHeight",
    "minSide",
}  # members of a response that may be missing
INPUTS = {"UploadIn", "KeyIn", "RotateIn", "ShareIn"}  # schemas of bodies that say themselves what they need
OPTIONAL_BODIES = {SHARES, f"{KEYS}/{{key_id}}/rotate"}
UPLOADS = ("/api/upload", "/api/validate")


def init_app(app: APIFlask, settings: Settings) -> None:
    """Configure the OpenAPI document."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        SPEC_FORMAT="json",
        DESCRIPTION=DESCRIPTION,
        TAGS=[{"name": name, "description": text} for name, text in TAGS.items()],
        SERVERS=[{"url": "/"}],
        AUTO_SERVERS=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
    )
    app.spec_processor(partial(_complete, app=app, keys_required=settings.api_keys_required))


def _complete(spec: dict[str, Any], *, app: APIFlask, keys_required: bool) -> dict[str, Any]:
    spec["components"]["securitySchemes"] = SECURITY_SCHEMES
    security: list[dict[str, Any]] = [{name: []} for name in SECURITY_SCHEMES]
    if not keys_required:
        security.append({})
    add_webhooks(spec)
    schemas = spec["components"]["schemas"]
    schemas["Problem"] = _problem_schema()
    for name in schemas.keys() - INPUTS:
        _complete_output(schemas[name], name)
    _require_above_zero(schemas["UploadIn"]["properties"]["scale"])
    for path in UPLOADS:
        openapi_parts.describe_upload(spec["paths"][path]["post"], schemas["UploadIn"])
    _describe_files(spec["paths"])
    openapi_parts.identify(spec, app)
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _complete_operation(operation, path=path, method=method)
            if path.startswith(WITH_KEY):
                operation["security"] = security
    return spec


def _complete_output(schema: dict[str, Any], name: str) -> None:
    """Require the members that every answer has, and allow others, because a later version adds some."""
    schema["required"] = [
        member for member in schema["properties"] if member not in OPTIONAL and (name, member) not in OPTIONAL_OF
    ]
    schema.pop("additionalProperties", None)


def _describe_files(paths: dict[str, Any]) -> None:
    """Describe the answers that are not JSON."""
    for name, example in (("output", openapi_examples.OUTPUT), ("failed", openapi_examples.FAILED)):
        paths[f"/api/requests/{{request_id}}/{name}.csv"]["get"]["responses"]["200"] = {
            "description": "The file, if CSVs are private.",
            "content": {"text/csv": {"schema": TEXT, "example": example}},
        }
    paths["/api/requests/{request_id}/output.xlsx"]["get"]["responses"]["200"] = {
        "description": "The workbook, if CSVs are private.",
        "content": {XLSX_TYPE: {"schema": TEXT | {"format": "binary"}}},
    }
    paths["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": TEXT}}


def _require_above_zero(scale: dict[str, Any]) -> None:
    """Make the lower bound exclusive; APIFlask writes it as inclusive."""
    scale["exclusiveMinimum"] = scale.pop("minimum")


def _complete_operation(operation: dict[str, Any], *, path: str, method: str) -> None:
    """Add the operation's problems, headers and examples, and require UUIDs as ids and a body."""
    statuses = dict(PROBLEMS.get((path, method), {}))
    if "{request_id}" in path:
        statuses[404] = f"`request_not_found`. {statuses.get(404, '')}".rstrip()
    if path.startswith("/api"):
        statuses.setdefault(422, "`unknown_option`: this call has no options in its query.")
        statuses[503] = "A service is away, such as `storage_unavailable`; `Retry-After` says when to try again."
    if path.startswith(WITH_KEY):
        statuses[401] = "`missing_api_key` or `invalid_api_key`."
        quota = f" or `{QUOTAS[path]}`" if path in QUOTAS else ""
        statuses[429] = f"`rate_limited`{quota}; `Retry-After` says when to go on."
    if method in UNSAFE:
        statuses[403] = (
            "`cross_site`: a browser sent the call from a page of another site; `insufficient_scope`: the key may not "
            "do this."
        )
    elif path.startswith(KEYS):
        statuses[403] = "`insufficient_scope`: the key is no admin key."
    responses = operation["responses"]
    responses |= {str(status): _problem(text) for status, text in statuses.items()}
    for status, response in responses.items():
        if status.startswith("3") or not response.get("content", True):
            response.pop("content", None)
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["schema"] = TEXT | {"format": "uuid"}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = path not in OPTIONAL_BODIES
    openapi_parts.add_headers(operation, path=path, method=method)
    openapi_parts.add_examples(operation)


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _problem_schema() -> dict[str, Any]:
    fault = {
        "type": "object",
        "properties": {
            "line": {"type": "integer", "description": "Of a file: the line, counted from 1."},
            "column": {"type": ["string", "null"], "description": "Of a file: the column."},
            "option": {"type": "string", "description": "Of a call: the part, header or query parameter."},
            "code": TEXT,
            "detail": TEXT,
        },
        "required": ["code", "detail"],
    }
    properties: dict[str, Any] = dict.fromkeys(("type", "title", "detail"), TEXT)
    properties["code"] = TEXT | {"description": "Stable; programs should look at this.", "examples": ["invalid_csv"]}
    properties |= {
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": fault},
        "errorsTruncated": {"type": "boolean"},
        "checks": {"type": "object", "additionalProperties": TEXT},
        "errorId": TEXT | {"description": "Of an internal error: the log has it, with the reason."},
    }
    return {"type": "object", "properties": properties, "description": "An error (RFC 9457)."}
