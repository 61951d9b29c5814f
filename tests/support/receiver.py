"""The webhook receiver: it keeps webhooks in memory, or in a process of its own in a log on disk.

`python -m tests.support.receiver ADDRESS PORT FOLDER` answers as the file `FOLDER/mode` says, and can be killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.http_server import Answer, Call, serve

PATIENCE = 60.0  # the longest time that a call hangs, in seconds
ANSWERS = {"ok": Answer(204), "500": Answer(500), "hang": Answer(0, delay=PATIENCE)}


@dataclass(frozen=True)
class Announcement:
    """One webhook as received; the names of its headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Keeps every webhook in `announcements`."""

    def __init__(self) -> None:
        self.announcements: list[Announcement] = []

    def receive(self, call: Call) -> None:
        """Keep the webhook."""
        self.announcements.append(Announcement(call.headers, call.body))


@dataclass(frozen=True)
class Receipt:
    """One webhook in the log; `accepted` where it was answered 2xx, `valid` where its signature is right."""

    webhook_id: str
    payload: dict[str, Any]
    valid: bool
    accepted: bool


def read_log(file: Path) -> list[Receipt]:
    """All receipts in the log, in order."""
    return [Receipt(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


class LoggingReceiver:
    """Writes a receipt of every webhook to `received.jsonl`, then answers as the file `mode` says."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._mode = folder / "mode"
        self._log = os.open(folder / "received.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def respond(self, call: Call) -> Answer:
        """Write the log before answering, so that every webhook answered with 204 is in it."""
        mode = self._mode.read_text()
        receipt = Receipt(call.headers["webhook-id"], json.loads(call.body), self._is_valid(call), mode == "ok")
        os.write(self._log, json.dumps(vars(receipt)).encode() + b"\n")
        return ANSWERS[mode]

    def _is_valid(self, call: Call) -> bool:
        try:
            self._webhook.verify(call.body, dict(call.headers))
        except WebhookVerificationError:
            return False
        return True


def main(address: str, port: str, folder: str) -> None:
    """Listen until killed."""
    receiver = LoggingReceiver(Path(folder), os.environ["WEBHOOK_SECRET"])
    with serve(receiver.respond, address=address, port=int(port)):
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
