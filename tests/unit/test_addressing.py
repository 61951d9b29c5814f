"""Where the bucket stands in the address of an object, for both clients of the store."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import botocore.session
import pytest

from imgproc.core.config import ConfigError, load_settings
from imgproc.pipeline.storage.clients import _loader, preload
from imgproc.pipeline.storage.store import Store


def store_at(endpoint_url: str | None, *, region: str, addressing: Literal["path", "virtual"] = "path") -> Store:
    """A store that is never asked for anything."""
    return Store(
        endpoint_url=endpoint_url,
        access_key_id="key",
        secret_access_key="secret",
        region=region,
        addressing=addressing,
        originals_bucket="originals",
        outputs_bucket="outputs",
        public_url="https://cdn.example",
    )


@pytest.mark.parametrize(
    ("addressing", "files", "images"),
    [
        pytest.param("path", "s3.example:9000/outputs/a.jpg", "https://s3.example:9000", id="path"),
        pytest.param("virtual", "outputs.s3.example:9000/a.jpg", "https://outputs.s3.example:9000", id="virtual"),
    ],
)
def test_both_clients_address_objects_alike(addressing: Literal["path", "virtual"], files: str, images: str) -> None:
    """boto3 puts the bucket where the setting says; obstore expects it in the endpoint."""
    store = store_at("https://s3.example:9000", region="us-east-1", addressing=addressing)
    clients = store._clients.get()
    url = urlsplit(clients.s3.generate_presigned_url("get_object", Params={"Bucket": "outputs", "Key": "a.jpg"}))
    assert f"{url.netloc}{url.path}" == files
    config = clients.outputs._store.config
    assert (config.get("endpoint"), str(config["virtual_hosted_style_request"]).lower()) == (
        images,
        str(addressing == "virtual").lower(),
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "s3.amazonaws.com"),
        ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_addresses_of_aws_are_known_after_a_preload(region: str, host: str) -> None:
    """Only those of services that we do not use are dropped."""
    preload()
    session = botocore.session.get_session()
    session.register_component("data_loader", _loader(None))
    store = store_at(None, region=region)
    url = urlsplit(store.client().generate_presigned_url("get_object", Params={"Bucket": "outputs", "Key": "a.jpg"}))
    assert url.netloc + url.path == f"{host}/outputs/a.jpg"
    assert session.create_client("sts", region_name=region).meta.endpoint_url.startswith("https://sts.")


def test_another_word_is_refused() -> None:
    """The message names the setting."""
    assert load_settings({"S3_ADDRESSING": "virtual"}).s3_addressing == "virtual"
    with pytest.raises(ConfigError, match="S3_ADDRESSING"):
        load_settings({"S3_ADDRESSING": "dns"})
