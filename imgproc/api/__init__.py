"""The HTTP API: one blueprint a noun. Views validate, call and return."""

from __future__ import annotations

from apiflask import APIFlask

from imgproc.api import deliveries, health, openapi, problems, requests, status, uploads
from imgproc.config import Settings

FORM_OVERHEAD = 1024 * 1024  # bytes of a multipart body beside the file itself


def init_app(app: APIFlask, settings: Settings) -> None:
    """Register every blueprint, the problem responses and the OpenAPI document."""
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes + FORM_OVERHEAD
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    problems.init_app(app)
    openapi.init_app(app)
    health.init_app(app)
    for module in (uploads, status, requests, deliveries, health):
        app.register_blueprint(module.blueprint)
