"""The JSON of the webhooks that imgproc sends, and their part of the OpenAPI document."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import UUID, Dict, Integer, Nested, String
from apiflask.validators import OneOf
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import EXCLUDE

from imgproc.api.schemas import Bytes, ErrorOut, Progress, moment
from imgproc.db.statuses import ENDED

ANSWERS = {
    "2XX": {"description": "Accepted. Only the status counts, and it is awaited for 15 seconds."},
    "410": {"description": "Stops the attempts for good."},
    "429": {"description": "Tried again, not before `Retry-After`. The same holds for 503."},
    "default": {"description": "Tried again by the schedule, also after a redirect, which is not followed."},
}
HEADERS = {
    "webhook-id": "The id of the delivery, the same in every attempt; drop what you have seen.",
    "webhook-timestamp": "When this attempt was signed, in seconds since 1970.",
    "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; several are separated by a space.",
}


class _Open(Schema):
    """Part of a body to which later versions may add members."""

    class Meta:
        """Leave `additionalProperties` out."""

        unknown = EXCLUDE


class RequestEnd(_Open):
    """What a webhook tells about a request that has ended."""

    requestId = UUID()
    status = String(validate=OneOf([status.value for status in ENDED]))
    filename = String()
    reference = String(allow_none=True, metadata={"description": "As the upload gave it."})
    createdAt = moment()
    finishedAt = moment()
    statusUrl = String()
    progress = Nested(Progress)
    bytes = Nested(Bytes)
    outputCsvUrl = String(allow_none=True)
    failedCsvUrl = String(allow_none=True)
    outputXlsxUrl = String(metadata={"description": "With `outputFormat=xlsx`."})
    error = Nested(ErrorOut, allow_none=True, metadata={"description": "Why the request `failed`."})
    failures = Dict(
        keys=String(),
        values=Integer(),
        metadata={"description": "Images that failed, by error code; the 20 most frequent codes."},
    )


class RequestEndedWebhook(_Open):
    """A request has ended."""

    type = String(validate=OneOf([f"request.{status.value}" for status in ENDED]))
    timestamp = moment()
    data = Nested(RequestEnd)


class PingWebhook(_Open):
    """A test of the receiver."""

    type = String(validate=OneOf(["ping"]))


def add_webhooks(spec: dict[str, Any]) -> None:
    """Add the webhooks and the schemas of their bodies to the OpenAPI document."""
    schemas = APISpec("", "", "3.1.0", plugins=[MarshmallowPlugin()])
    schemas.components.schema("RequestEndedWebhook", schema=RequestEndedWebhook)
    schemas.components.schema("PingWebhook", schema=PingWebhook)
    for name, schema in schemas.to_dict()["components"]["schemas"].items():
        spec["components"]["schemas"].setdefault(name, schema)
    spec["webhooks"] = {
        "requestEnded": _webhook("RequestEndedWebhook", "A request has ended"),
        "ping": _webhook("PingWebhook", "A test of the receiver"),
    }


def _webhook(schema: str, summary: str) -> dict[str, Any]:
    parameters = [
        {"in": "header", "name": name, "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in HEADERS.items()
    ]
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    operation = {
        "summary": summary,
        "operationId": f"receive{schema.removesuffix('Webhook')}",
        "tags": ["Webhooks"],
        "parameters": parameters,
        "requestBody": {"required": True, "content": body},
        "responses": ANSWERS,
        "security": [],
    }
    return {"post": operation}
