"""The callers: they upload on schedule, send again if they get no answer, and cancel, retry or delete some requests."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.chaos.cluster import Cluster
from tests.chaos.pictures import ChaosHost
from tests.chaos.uploads import Upload

AT_ONCE = 32  # callers
TIMEOUT = 30.0  # seconds
PAUSE = 0.25  # seconds before a caller tries again
SENT_TWICE = 0.15  # of all uploads: an impatient caller sends them again while the first upload runs
ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


@dataclass
class Sent:
    """The API's answers to one upload: all request ids, the number of failures, the refusals."""

    upload: Upload
    answers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    failures: int = 0
    acted: bool = False  # the action after it was accepted, even if the answer was lost


class Callers:
    """Sends `uploads`, each by a caller of its own."""

    def __init__(self, cluster: Cluster, image_host: ChaosHost, uploads: Sequence[Upload], *, seed: int) -> None:
        self.sent = [Sent(upload) for upload in uploads]
        self.stopped = threading.Event()
        self._cluster = cluster
        self._image_host = image_host
        self._chance = random.Random(f"callers {seed}")

    def run(self) -> None:
        """Send everything; return when every upload is answered and its action done, or `stopped` is set."""
        started = time.monotonic()
        futures: list[Future[None]] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="caller") as threads:
            for sent in self.sent:
                if self.stopped.wait(max(0.0, started + sent.upload.at - time.monotonic())):
                    break
                futures.append(threads.submit(self._send, sent, self._chance.random() < SENT_TWICE))
        for future in futures:
            future.result()

    def _send(self, sent: Sent, twice: bool) -> None:
        impatient = threading.Thread(target=self._upload, args=(sent,))
        if twice:
            impatient.start()
        self._upload(sent)
        if twice:
            impatient.join()
        if sent.answers and sent.upload.action:
            {"cancel": self._cancel, "delete": self._delete, "retry": self._retry}[sent.upload.action](sent)

    def _upload(self, sent: Sent) -> None:
        """Send the file with its idempotency key until the API answers."""
        content = sent.upload.csv(self._image_host.urls)

        def post() -> requests.Response:
            files = {"file": ("products.csv", content)}
            form = {"webhookUrl": self._cluster.webhook_url}
            headers = {"Idempotency-Key": sent.upload.key}
            return requests.post(
                f"{self._cluster.url}/api/upload", files=files, data=form, headers=headers, timeout=TIMEOUT
            )

        response = self._until_answered(sent, post)
        if response is None:
            return
        if response.status_code == 202:
            sent.answers.append(response.json()["requestId"])
        else:
            sent.refusals.append(f"upload: {response.status_code} {response.text}")

    def _cancel(self, sent: Sent) -> None:
        self._act(sent, "post", "/cancel", allowed={409})

    def _delete(self, sent: Sent) -> None:
        if self._chance.random() < 0.5:
            self._wait_for_end(sent)
        self._act(sent, "delete", "", allowed={404})

    def _retry(self, sent: Sent) -> None:
        """Repair the broken pictures once the request has ended, and retry the request."""
        self._wait_for_end(sent)
        self._image_host.repaired.add(sent.upload.key)
        self._act(sent, "post", "/retry", allowed={409})

    def _act(self, sent: Sent, method: str, path: str, *, allowed: set[int]) -> None:
        """Call until the API answers; `allowed` are the statuses that mean it was already done."""
        url = f"{self._cluster.url}/api/requests/{sent.answers[0]}{path}"
        response = self._until_answered(sent, lambda: requests.request(method, url, timeout=TIMEOUT))
        if response is None:
            return
        sent.acted = response.ok or response.status_code in allowed
        if not sent.acted:
            sent.refusals.append(f"{sent.upload.action}: {response.status_code} {response.text}")

    def _wait_for_end(self, sent: Sent) -> None:
        status: dict[str, Any] = {}
        while status.get("status") not in ENDED and not self.stopped.wait(PAUSE):
            with suppress(requests.RequestException, ValueError):
                status = requests.get(f"{self._cluster.url}/api/status/{sent.answers[0]}", timeout=TIMEOUT).json()

    def _until_answered(self, sent: Sent, call: Callable[[], requests.Response]) -> requests.Response | None:
        """The first answer below 500; None if `stopped` is set first."""
        while not self.stopped.is_set():
            with suppress(requests.RequestException):
                response = call()
                if response.status_code < 500:
                    return response
                if response.status_code != 503:
                    sent.refusals.append(f"{response.status_code} {response.text[:200]}")
            sent.failures += 1
            self.stopped.wait(PAUSE)
        return None
