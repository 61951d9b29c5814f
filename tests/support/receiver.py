"""The webhook receiver, a process of its own: it keeps a log of what came, and answers as the file `mode` tells it."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

PATIENCE = 60.0  # seconds it hangs at most


@dataclass(frozen=True)
class Receipt:
    """One webhook as it came; `accepted` where it was answered 2xx, `valid` where its signature is right."""

    webhook_id: str
    payload: dict[str, Any]
    valid: bool
    accepted: bool


def read_log(file: Path) -> list[Receipt]:
    """All that came, in order."""
    return [Receipt(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def serve(address: str, port: int, folder: Path) -> None:
    """Listen until killed."""
    webhook = Webhook(os.environ["WEBHOOK_SECRET"])
    log = os.open(folder / "received.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    mode_file = folder / "mode"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            mode = mode_file.read_text()
            receipt = Receipt(self.headers["webhook-id"], json.loads(body), self._is_valid(body), mode == "ok")
            # On record before it is answered: whoever was told 204 has been heard, even if we are killed now.
            os.write(log, json.dumps(vars(receipt)).encode() + b"\n")
            if mode == "hang":
                self._hang()
                return
            with suppress(ConnectionError):
                self.send_response(204 if mode == "ok" else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _is_valid(self, body: bytes) -> bool:
            try:
                webhook.verify(body, {name.lower(): value for name, value in self.headers.items()})
            except WebhookVerificationError:
                return False
            return True

        def _hang(self) -> None:
            """Say nothing for longer than anybody waits."""
            time.sleep(PATIENCE)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer((address, port), Handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
