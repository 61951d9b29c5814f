"""The OpenAPI 3.1 document: what APIFlask cannot see from the views is added here."""

from __future__ import annotations

from typing import Any

from apiflask import APIFlask

PROBLEM = "application/problem+json"
DESCRIPTION = (
    "A CSV of product image URLs in, the same CSV with public URLs of compressed images out. "
    "Errors are RFC 9457 problems with a stable `code`."
)
TAGS = ["Uploads", "Status", "Requests", "Webhooks", "Health"]
UPLOAD = {
    400: "No file.",
    409: "The idempotency key was reused.",
    413: "Too large.",
    415: "Not a CSV.",
    422: "Invalid.",
}
PROBLEMS = {
    ("/api/upload", "post"): UPLOAD,
    ("/api/validate", "post"): {status: text for status, text in UPLOAD.items() if status != 409},
    ("/api/requests", "get"): {422: "Invalid query."},
    ("/api/requests/{request_id}/products", "get"): {422: "Invalid query."},
    ("/api/requests/{request_id}/output.csv", "get"): {409: "Not finished."},
    ("/api/requests/{request_id}/failed.csv", "get"): {409: "Not finished."},
    ("/api/requests/{request_id}/cancel", "post"): {409: "Already ended."},
    ("/api/requests/{request_id}/retry", "post"): {409: "Not finished, or nothing failed."},
    ("/api/requests/{request_id}/deliveries/{delivery_id}/redeliver", "post"): {409: "Being sent."},
}


def init_app(app: APIFlask) -> None:
    """Describe the API, and its problems as problems."""
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
    app.spec_processor(_complete)  # type: ignore[arg-type]  # ours is never a YAML text


def _complete(spec: dict[str, Any]) -> dict[str, Any]:
    """Add the problems each operation may answer with, and the bodies that are not JSON."""
    spec["components"]["schemas"]["Problem"] = _problem_schema()
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            statuses = dict(PROBLEMS.get((path, method), {}))
            if "{request_id}" in path:
                statuses[404] = "Not found."
            if path.startswith("/api"):
                statuses[503] = "A service of ours is away."
            operation["responses"] |= {str(status): _problem(text) for status, text in statuses.items()}
            for response in operation["responses"].values():
                if not response.get("content", True):
                    del response["content"]
    spec["paths"]["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    ready = spec["paths"]["/readyz"]["get"]["responses"]
    ready["503"]["content"] = ready["200"]["content"]
    return spec


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _problem_schema() -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "code")},
        "required": ["type", "title", "status", "detail", "code"],
    }
    schema["properties"] |= {
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "errorsTruncated": {"type": "boolean"},
    }
    return schema
