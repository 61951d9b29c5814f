"""What a person can do to a request from its page. Actions end with a redirect, so that a reload repeats nothing."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from imgproc.api.deliveries import send_again
from imgproc.api.pings import send_ping
from imgproc.api.problems import Problem
from imgproc.api.requests import cancel, retry
from imgproc.api.views import find_request
from imgproc.core.errors import InvalidWebhookUrl, TooManyPings
from imgproc.journey import delete
from imgproc.journey.services import services
from imgproc.web.request_page import render_webhook
from imgproc.web.texts import N_

blueprint = APIBlueprint("request_actions", __name__, enable_openapi=False, url_prefix="/requests/<request_id>")


@blueprint.post("/retry")
def retry_failed(request_id: str) -> Response:
    """Try the failed and cancelled images again: all, or those of one cause at one host."""
    found = find_request(request_id)
    code, host = request.form.get("code"), request.form.get("host")
    retry(found, code=code, host=host)
    return _to_page(request_id, did="retried")


@blueprint.post("/cancel")
def cancel_request(request_id: str) -> Response:
    """Cancel what has not started."""
    cancel(find_request(request_id))
    return _to_page(request_id, did="cancelled")


@blueprint.post("/delete")
def delete_request(request_id: str) -> Any:
    """Delete the request with its files and pictures, once its name was typed."""
    found = find_request(request_id)
    if request.form.get("name", "").strip() != found.filename.strip():
        return redirect(url_for("request_page.show_request", request_id=request_id, name="wrong") + "#delete", 303)
    delete.remove(services(), found.id)
    return redirect(url_for("start.show_start"), 303)


@blueprint.post("/webhook/<delivery_id>/send")
def send_webhook_again(request_id: str, delivery_id: str) -> Response:
    """Send a webhook again, under the same id."""
    send_again(find_request(request_id), delivery_id)
    return redirect(url_for("request_page.show_webhook", request_id=request_id, did="resent"), 303)


@blueprint.post("/webhook/test")
def test_webhook(request_id: str) -> str:
    """Send a ping to the webhook of the request, and show what came back."""
    found = find_request(request_id)
    if found.webhook_url is None:
        raise Problem(409, "no_webhook", N_("This request has no webhook."))
    try:
        return render_webhook(found, ping=send_ping(found.webhook_url))
    except (InvalidWebhookUrl, TooManyPings) as error:
        return render_webhook(found, ping_fault=error.detail)


def _to_page(request_id: str, *, did: str) -> Response:
    return redirect(url_for("request_page.show_request", request_id=request_id, did=did), 303)
