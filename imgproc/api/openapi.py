"""Completes the OpenAPI 3.1 document with what APIFlask cannot derive from the views."""

from __future__ import annotations

from functools import partial
from typing import Any

from apiflask import APIFlask

from imgproc.api.webhook_schemas import add_webhooks
from imgproc.core.config import Settings

PROBLEM = "application/problem+json"
DESCRIPTION = (
    "Upload a CSV of product image URLs; get the same CSV with public URLs of compressed images. "
    "Errors are RFC 9457 problems with a stable `code`."
)
TAGS = ["Uploads", "Status", "Requests", "Webhooks", "Health"]
UPLOAD = {
    400: "`missing_file`.",
    413: "`file_too_large`.",
    415: "`unsupported_file_type`.",
    422: "`invalid_csv`, `invalid_option` or `invalid_webhook_url`; `errors` lists what to change.",
}
PROBLEMS = {
    ("/api/upload", "post"): UPLOAD | {409: "`idempotency_key_reused`."},
    ("/api/validate", "post"): UPLOAD,
    ("/api/requests", "get"): {422: "`invalid_option` or `invalid_cursor`."},
    ("/api/requests/{request_id}/products", "get"): {422: "`invalid_option` or `invalid_cursor`."},
    ("/api/requests/{request_id}/deliveries", "get"): {422: "`invalid_option` or `invalid_cursor`."},
    ("/api/requests/{request_id}/output.csv", "get"): {404: "`no_output`.", 409: "`not_finished`."},
    ("/api/requests/{request_id}/failed.csv", "get"): {404: "`nothing_failed`.", 409: "`not_finished`."},
    ("/api/requests/{request_id}/cancel", "post"): {409: "`already_ended`."},
    ("/api/requests/{request_id}/retry", "post"): {409: "`not_finished` or `nothing_to_retry`."},
    ("/api/requests/{request_id}/deliveries/{delivery_id}/redeliver", "post"): {
        404: "`delivery_not_found`.",
        409: "`delivery_in_progress`.",
    },
    ("/api/webhooks/test", "post"): {
        400: "`bad_request`: the body is not JSON.",
        413: "`file_too_large`.",
        422: "`invalid_option` or `invalid_webhook_url`.",
    },
    ("/readyz", "get"): {503: "`not_ready`; `checks` says which service cannot be reached."},
}
STATUS_HEADERS = {
    "ETag": "For `If-None-Match`.",
    "Retry-After": "Seconds until the next poll, while the request has not ended.",
}
HEADERS = {
    ("/api/upload", "post", "202"): {"Location": "The `statusUrl`.", "Idempotent-Replayed": "`true` on a replay."},
    ("/api/status/{request_id}", "get", "200"): STATUS_HEADERS,
    ("/api/requests/{request_id}", "get", "200"): STATUS_HEADERS,
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
OPTIONAL = {"errors", "errorsTruncated", "checks"}  # members of a response that may be missing
TEXT = {"type": "string"}
CSV = {"description": "The file, if CSVs are private.", "content": {"text/csv": {"schema": TEXT}}}


def init_app(app: APIFlask, settings: Settings) -> None:
    """Configure the OpenAPI document."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        SPEC_FORMAT="json",
        DESCRIPTION=DESCRIPTION,
        TAGS=[{"name": name} for name in TAGS],
        SERVERS=[{"url": "/"}],
        AUTO_SERVERS=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
    )
    app.spec_processor(partial(_complete, keys_required=settings.api_keys_required))


def _complete(spec: dict[str, Any], *, keys_required: bool) -> dict[str, Any]:
    spec["components"]["securitySchemes"] = SECURITY_SCHEMES
    security: list[dict[str, Any]] = [{name: []} for name in SECURITY_SCHEMES]
    if not keys_required:
        security.append({})
    add_webhooks(spec)
    schemas = spec["components"]["schemas"]
    schemas["Problem"] = _problem_schema()
    for name, schema in schemas.items():
        if name != "UploadIn":
            schema["required"] = [member for member in schema["properties"] if member not in OPTIONAL]
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _complete_operation(operation, path=path, method=method)
            if path.startswith(WITH_KEY):
                operation["security"] = security
    for name in ("output", "failed"):
        spec["paths"][f"/api/requests/{{request_id}}/{name}.csv"]["get"]["responses"]["200"] = CSV
    spec["paths"]["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": TEXT}}
    return spec


def _complete_operation(operation: dict[str, Any], *, path: str, method: str) -> None:
    """Add the operation's problems and headers, and require UUIDs as ids and a body."""
    statuses = dict(PROBLEMS.get((path, method), {}))
    if "{request_id}" in path:
        statuses[404] = f"`request_not_found`. {statuses.get(404, '')}".rstrip()
    if path.startswith("/api"):
        statuses[503] = "A service is away; `Retry-After` says when to try again."
    if path.startswith(WITH_KEY):
        statuses[401] = "`missing_api_key` or `invalid_api_key`."
        quota = f" or `{QUOTAS[path]}`" if path in QUOTAS else ""
        statuses[429] = f"`rate_limited`{quota}; `Retry-After` says when to go on."
    if method in UNSAFE:
        statuses[403] = "`cross_site`: a browser sent the call from a page of another site."
    responses = operation["responses"]
    responses |= {str(status): _problem(text) for status, text in statuses.items()}
    for status, response in responses.items():
        if not response.get("content", True):
            del response["content"]
        if names := HEADERS.get((path, method, status)):
            response["headers"] = {name: {"description": text, "schema": TEXT} for name, text in names.items()}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["schema"] = TEXT | {"format": "uuid"}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _problem_schema() -> dict[str, Any]:
    properties: dict[str, Any] = dict.fromkeys(("type", "title", "detail", "code"), TEXT)
    properties |= {
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "errorsTruncated": {"type": "boolean"},
        "checks": {"type": "object", "additionalProperties": TEXT},
    }
    return {"type": "object", "properties": properties}
