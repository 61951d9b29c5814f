"""If a host breaks off or announces another length, the image stage decides whether the picture is whole."""

from __future__ import annotations

import pytest

from tests.integration.driver import codes_of, drain, products_of, submit
from tests.support.csv_files import csv_of
from tests.support.hostile_servers import answer, serving
from tests.support.photographs import photo_file
from tests.support.scripted_server import Script, reply

pytestmark = pytest.mark.usefixtures("app")

JPEG, PNG, WEBP = (photo_file(name) for name in ("astronaut.jpg", "coffee.png", "rocket.webp"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(reply(JPEG, length=str(len(JPEG) + 2)), None, id="JPEG, length two too large"),
        pytest.param(reply(JPEG, length=str(len(JPEG) - 2)), None, id="JPEG, length two too small"),
        pytest.param(reply(PNG, length=str(len(PNG) + 500_000)), None, id="PNG, length far too large"),
        pytest.param(reply(WEBP, length=str(len(WEBP) - 1)), None, id="WebP, length one too small"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(JPEG), JPEG),
            None,
            id="JPEG, missing last chunk",
        ),
        pytest.param(reply(JPEG[:-9000], length=str(len(JPEG))), "truncated_image", id="JPEG, a part"),
        pytest.param(reply(PNG[:-9000], length=str(len(PNG))), "truncated_image", id="PNG, a part"),
        pytest.param(reply(WEBP[:-9000], length=str(len(WEBP))), "truncated_image", id="WebP, a part"),
        pytest.param(reply(b"<html>", length="99"), "not_an_image", id="no picture"),
    ],
)
def test_takes_a_whole_picture_however_it_is_framed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, code: str | None
) -> None:
    """A part of a picture is never taken for all of it."""
    monkeypatch.setattr("imgproc.journey.settle._backoff", lambda attempt: 0.0)
    with serving(answer(sent)) as host:
        request_id = submit(csv_of(host.url))
        drain(request_id)
    assert codes_of(request_id) == [[code]]


def test_names_a_compression_that_it_cannot_undo() -> None:
    """We ask for none, so its host is told to switch it off; a picture that only bears the label is taken."""
    script = Script(reply(b"\x0b\x02\x80", "Content-Encoding: br"), reply(JPEG, "Content-Encoding: br"))
    with serving(script) as host:
        request_id = submit(csv_of(f"{host.url}1", f"{host.url}2"))
        drain(request_id)
    images = [image for product in products_of(request_id) for image in product["images"]]
    assert [image["error"] and image["error"]["code"] for image in images] == ["not_an_image", None]
    assert "compressed by br" in images[0]["error"]["detail"]
