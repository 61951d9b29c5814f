"""The commands about the webhooks of a request: what was sent and answered, and sending one again."""

from __future__ import annotations

import sys

import click

from imgproc.cli.listing import print_json, print_json_list, print_rows
from imgproc.cli.server_options import calls_api
from imgproc.client import Attempt, Client, Delivery


@click.command()
@click.argument("request_id")
@calls_api
def deliveries(client: Client, request_id: str, *, as_json: bool) -> None:
    """List the webhooks of a request, newest first, with their latest answer; `--json` has every attempt in full."""
    found = client.deliveries(request_id)
    if as_json:
        print_json_list(delivery.json for delivery in found)
    else:
        headings = ("DELIVERY", "STATUS", "CREATED", "ATTEMPTS", "LATEST ANSWER")
        print_rows(map(_row, found), headings, empty="No webhooks: the request has no webhook URL, or has not ended.")


def _row(delivery: Delivery) -> tuple[str, ...]:
    latest = delivery.attempts[-1:]
    made = str(latest[0].number) if latest else "0"
    answer = _answer(latest[0]) if latest else ""
    return delivery.id, delivery.status, f"{delivery.created_at:%Y-%m-%d %H:%M}", made, answer


def _answer(attempt: Attempt) -> str:
    parts = [
        str(attempt.response_status or ""),
        f"after {attempt.duration_ms} ms" if attempt.duration_ms is not None else "",
        f"- {attempt.error.detail}" if attempt.error else "",
        f"- {attempt.note}" if attempt.note else "",
    ]
    return " ".join(filter(None, parts))


@click.command()
@click.argument("request_id")
@click.argument("delivery_id", required=False)
@calls_api
def redeliver(client: Client, request_id: str, delivery_id: str | None, *, as_json: bool) -> None:
    """Send a webhook again under the same `webhook-id`; the newest, unless DELIVERY_ID names another."""
    if delivery_id is None:
        newest = next(client.deliveries(request_id, limit=1), None)
        if newest is None:
            raise click.ClickException(
                "There is no webhook to send again: no webhook URL was given, or the request has not ended."
            )
        delivery_id = newest.id
    started = client.redeliver(request_id, delivery_id)
    print_json(started.json) if as_json else click.echo("It is sent again; imgproc deliveries shows the answer.")


@click.command("webhook-test")
@click.argument("receiver", metavar="URL")
@calls_api
def webhook_test(client: Client, receiver: str, *, as_json: bool) -> None:
    """Let the server send a signed ping to URL, and show the answer. The exit status is 1 where it did not arrive."""
    ping = client.test_webhook(receiver)
    if as_json:
        print_json(ping.json)
    else:
        status = (ping.response or {}).get("status")
        answer = f"HTTP {status}" if status else "no answer"
        click.echo(f"{'Arrived' if ping.delivered else 'Did not arrive'}: {answer} after {ping.duration_ms} ms.")
        for text in filter(None, (ping.error and ping.error.detail, ping.note)):
            click.echo(text)
    if not ping.delivered:
        sys.exit(1)
