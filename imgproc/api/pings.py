"""Testing a webhook's receiver: one signed ping, and what came back."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from apiflask import APIBlueprint
from flask import Flask, current_app

from imgproc.api import auth
from imgproc.api.delivery_schemas import PingIn, PingOut
from imgproc.api.json_bodies import require_json
from imgproc.api.slots import Slots
from imgproc.core.config import Settings
from imgproc.core.errors import ServerBusy, TooManyPings, TooManyUploads
from imgproc.journey import webhook
from imgproc.journey.accept import check_webhook_url
from imgproc.journey.services import services
from imgproc.journey.summary import error_json
from imgproc.pipeline.http.receiver_faults import note_of

THREADS_PER_PING = 4  # a silent receiver holds a thread for 15 s, so most threads stay free for other calls
MOST_PINGS = 2  # at a time in a process, and one of a caller

blueprint = APIBlueprint("pings", __name__, url_prefix="/api/webhooks", tag="Webhooks")


def init_app(app: Flask, settings: Settings) -> None:
    """Limit how many pings a process sends at a time."""
    app.extensions["ping_slots"] = Slots(most_pings(settings), waiting=0, patience=0)


def most_pings(settings: Settings) -> int:
    """How many threads of a process may send pings at a time."""
    return max(1, min(MOST_PINGS, settings.web_threads // THREADS_PER_PING))


@blueprint.before_request
def require_receiver() -> None:
    """Refuse what is not a short JSON text."""
    require_json('{"url": "https://shop.example/hooks/images"}')


@blueprint.post("/test")
@blueprint.input(PingIn, arg_name="receiver")
@blueprint.output(PingOut, description="The ping was sent, or could not be; `error` says why it did not succeed.")
@blueprint.doc(summary="Test a webhook's receiver")
def ping_receiver(receiver: dict[str, Any]) -> dict[str, Any]:
    """Send `{"type":"ping"}` once, signed as your webhooks are, and say what came back within 15 seconds."""
    return send_ping(receiver["url"])


def send_ping(url: str) -> dict[str, Any]:
    """Send a ping to a receiver of the caller; the JSON of what came back.

    Raises:
        InvalidWebhookUrl: we may not post to it.
        TooManyPings: as many receivers as possible are being tested.
    """
    check_webhook_url(services(), url, owner=auth.owner())
    with ExitStack() as held:
        try:
            held.enter_context(current_app.extensions["ping_slots"].hold(auth.bucket()))
        except (TooManyUploads, ServerBusy) as error:
            detail = "As many receivers as possible are being tested; try again when one has answered."
            raise TooManyPings(detail) from error
        made = webhook.ping(services(), url, owner=auth.owner())
    return _result(made)


def _result(made: webhook.Attempt) -> dict[str, Any]:
    answer = made.answer
    return {
        "delivered": made.error is None,
        "durationMs": made.duration_ms,
        "request": made.webhook and asdict(made.webhook),
        "response": answer and asdict(answer),
        "error": made.error and error_json(made.error.code, made.error.detail),
        "note": answer and note_of(answer.status, answer.headers),
    }
