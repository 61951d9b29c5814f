"""The JSON of webhook deliveries."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import UUID, Integer, List, Nested, String
from apiflask.validators import OneOf

from imgproc.api.schemas import ErrorOut, moment, values
from imgproc.db.statuses import DeliveryStatus


class AttemptOut(Schema):
    """One POST to the webhook."""

    number = Integer()
    attemptedAt = moment()
    responseStatus = Integer(allow_none=True)
    error = Nested(ErrorOut, allow_none=True)
    durationMs = Integer(allow_none=True)


class DeliveryOut(Schema):
    """One delivery with its attempts."""

    id = UUID(metadata={"description": "The `webhook-id` of every attempt."})
    url = String()
    type = String()
    status = String(validate=OneOf(values(DeliveryStatus)))
    createdAt = moment()
    nextAttemptAt = moment(allow_none=True)
    lastResponseStatus = Integer(allow_none=True)
    attempts = List(Nested(AttemptOut))


class DeliveriesOut(Schema):
    """Every delivery of a request, newest first."""

    items = List(Nested(DeliveryOut))
