"""The JSON of webhook deliveries and of test pings."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import UUID, Boolean, Dict, Integer, List, Nested, String
from apiflask.validators import OneOf

from imgproc.api.schemas import ErrorOut, moment, values
from imgproc.db.statuses import DeliveryStatus


class SentOut(Schema):
    """What was signed to be sent."""

    headers = Dict(keys=String(), values=String(), metadata={"description": "Those of Standard Webhooks."})
    body = String(metadata={"description": "The exact body, over which the signature was made."})


class AnswerOut(Schema):
    """What the receiver answered."""

    status = Integer()
    headers = Dict(keys=String(), values=String(), metadata={"description": "Those that help to find a fault."})
    body = String(metadata={"description": "The first 1,024 bytes as text; never render it as HTML."})


NOTE = {"description": "What is doubtful about a success, such as an HTML page as the answer."}


class AttemptOut(Schema):
    """One POST to the webhook."""

    number = Integer()
    attemptedAt = moment()
    responseStatus = Integer(allow_none=True)
    error = Nested(ErrorOut, allow_none=True)
    durationMs = Integer(allow_none=True)
    request = Nested(SentOut, allow_none=True, metadata={"description": "Null if the worker died."})
    response = Nested(AnswerOut, allow_none=True, metadata={"description": "Null without an answer."})
    note = String(allow_none=True, metadata=NOTE)


class DeliveryOut(Schema):
    """One delivery with its attempts."""

    id = UUID(metadata={"description": "The `webhook-id` of every attempt."})
    url = String()
    type = String()
    status = String(validate=OneOf(values(DeliveryStatus)))
    createdAt = moment()
    nextAttemptAt = moment(allow_none=True)
    lastResponseStatus = Integer(allow_none=True)
    attempts = List(Nested(AttemptOut), metadata={"description": "The newest 25, oldest first."})


class DeliveriesOut(Schema):
    """A page of a request's deliveries, newest first."""

    items = List(Nested(DeliveryOut))
    nextCursor = String(allow_none=True)


class PingIn(Schema):
    """The receiver to test."""

    url = String(required=True, metadata={"description": "A webhook URL, as an upload takes it."})


class PingOut(Schema):
    """What came back from the receiver."""

    delivered = Boolean(metadata={"description": "Whether it answered 2xx, as a webhook needs it."})
    durationMs = Integer()
    request = Nested(SentOut, allow_none=True)
    response = Nested(AnswerOut, allow_none=True, metadata={"description": "Null without an answer."})
    error = Nested(ErrorOut, allow_none=True)
    note = String(allow_none=True, metadata=NOTE)
