"""The sample catalogue: only the embedded stack serves it, and downloads may reach it at its private address."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.core.errors import DownloadError, InvalidWebhookUrl
from imgproc.journey.accept import check_webhook_url
from imgproc.journey.services import services
from imgproc.pipeline.download import Downloader
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file

SAMPLES = "http://127.0.0.1:8000/samples/"
MOST_BYTES = 150_000  # of all pictures together: the package contains them


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a server that serves the samples."""
    return {"DATA_DIR": str(tmp_path), "SAMPLES_URL": SAMPLES, "API_KEYS_REQUIRED": "true"}


@pytest.fixture
def downloader(shop: ImageHost) -> Iterator[Downloader]:
    """A downloader that may reach nothing private but the samples."""
    shop.says("/samples/mug.jpg", Answer(body=photo_file("chelsea.jpg")))
    downloader = Downloader(allowed_networks=(), timeout=5, max_bytes=10**6, samples_url=f"{shop.url}/samples/")
    yield downloader
    downloader.close()


def test_every_picture_of_the_catalogue_is_served(environ: dict[str, str]) -> None:
    """No API key is needed, as workers have none. The pictures are small and cover JPEG, PNG and WebP."""
    client = create_app(load_settings(environ)).test_client()
    text = client.get("/samples/", follow_redirects=True).text
    urls = [url for row in csv.DictReader(io.StringIO(text)) for url in row["Input Image Urls"].split(",")]
    assert all(url.startswith(SAMPLES) for url in urls)
    types, size = set(), 0
    for url in urls:
        with client.get(url) as picture:
            assert Image.open(io.BytesIO(picture.data)).get_format_mimetype() == picture.content_type
            types.add(picture.content_type)
            size += len(picture.data)
    assert (types, size < MOST_BYTES) == ({"image/jpeg", "image/png", "image/webp"}, True)


def test_no_other_file_is_served(environ: dict[str, str]) -> None:
    """Unknown names and paths outside the folder answer 404."""
    client = create_app(load_settings(environ)).test_client()
    for path in ("nothing.jpg", "..%2fdocs.py", "%2e%2e/docs.py", "../docs.py"):
        assert client.get(f"/samples/{path}").status_code == 404


def test_the_catalogue_does_not_depend_on_the_host_header(environ: dict[str, str]) -> None:
    """The catalogue's URLs do not depend on the Host header, and an unknown host is refused as everywhere."""
    client = create_app(load_settings(environ)).test_client()
    assert "evil" not in client.get("/samples/catalogue.csv", headers={"Host": "evil.localhost"}).text
    assert client.get("/samples/catalogue.csv", headers={"Host": "evil.example"}).status_code == 400


def test_other_servers_have_no_samples(environ: dict[str, str]) -> None:
    """The samples answer 404 where SAMPLES_URL is unset, as in production."""
    client = create_app(load_settings(environ | {"SAMPLES_URL": ""})).test_client()
    assert client.get("/samples/catalogue.csv").status_code == 404


def test_downloads_a_sample_although_it_is_private(shop: ImageHost, downloader: Downloader) -> None:
    """The first upload works without ALLOWED_NETWORKS."""
    assert downloader.download(f"{shop.url}/samples/mug.jpg").body == photo_file("chelsea.jpg")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("{shop}/chelsea.jpg", id="another path"),
        pytest.param("{shop}/samples", id="the folder without its slash"),
        pytest.param("{shop}/samplesX/chelsea.jpg", id="a path that begins alike"),
        pytest.param("{shop}/samples/../chelsea.jpg", id="dots"),
        pytest.param("{shop}/samples/%2e%2e/chelsea.jpg", id="encoded dots"),
        pytest.param("{shop}/samples/./../chelsea.jpg", id="more dots"),
        pytest.param("http://127.0.0.1:1/samples/mug.jpg", id="another port"),
        pytest.param("http://127.0.0.2/samples/mug.jpg", id="another address"),
        pytest.param("http://10.0.0.1/samples/mug.jpg", id="a private address"),
    ],
)
def test_allows_no_private_address_but_the_samples(url: str, shop: ImageHost, downloader: Downloader) -> None:
    """The rest of the server and every other private address are refused without a request."""
    with pytest.raises(DownloadError) as caught:
        downloader.download(url.format(shop=shop.url))
    assert caught.value.code == "forbidden_address"
    assert sum(shop.asked.values()) == 0


def test_a_redirect_from_a_sample_to_a_private_address_is_refused(shop: ImageHost, downloader: Downloader) -> None:
    """The address of every redirect is checked on its own."""
    shop.says("/samples/moved.jpg", Answer(302, headers={"Location": "/chelsea.jpg"}))
    with pytest.raises(DownloadError) as caught:
        downloader.download(f"{shop.url}/samples/moved.jpg")
    assert (caught.value.code, shop.asked["/chelsea.jpg"]) == ("forbidden_address", 0)


def test_a_webhook_may_not_go_to_the_samples(environ: dict[str, str]) -> None:
    """Only downloads may reach the samples."""
    app = create_app(load_settings(environ | {"WEBHOOK_SECRET": "whsec_" + "a" * 32}))
    with app.app_context(), pytest.raises(InvalidWebhookUrl):
        check_webhook_url(services(), f"{SAMPLES}mug-front.jpg", owner="")
