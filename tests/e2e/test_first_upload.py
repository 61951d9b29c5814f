"""The first upload of the README: the sample catalogue, sent to a stack that has just started."""

from __future__ import annotations

import io
from pathlib import Path

import requests
from PIL import Image

from tests.support.stack import running_stack


def test_the_sample_catalogue_completes(tmp_path: Path) -> None:
    """Without any setting the workers reach the samples, and each picture gets a rendition."""
    with running_stack(tmp_path / "var", ALLOWED_NETWORKS="") as stack:
        catalogue = requests.get(f"{stack.url}/samples/catalogue.csv", timeout=30).text
        status = stack.wait(stack.submit(catalogue)["requestId"])
        assert (status["status"], status["progress"]["percent"]) == ("completed", 100)
        images = [image for product in stack.products(status["requestId"]) for image in product["images"]]
        assert len(images) == catalogue.count("/samples/")
        for image in images:
            rendition = requests.get(image["outputUrl"], timeout=30)
            assert Image.open(io.BytesIO(rendition.content)).format == "JPEG"
