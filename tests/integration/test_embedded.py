"""The embedded Redis and S3 are real servers, keep their data, and reveal no secret."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import redis
from botocore.config import Config
from botocore.exceptions import ClientError
from dotenv import dotenv_values
from flask import Flask
from flask.testing import FlaskClient

from imgproc.core.config import Settings, load_settings
from imgproc.embedded.ports import EmbeddedError, local_url, require_free_port
from imgproc.embedded.servers import claim, start_missing
from imgproc.embedded.supervisor import Supervisor
from imgproc.web.outputs import register_outputs
from tests.support.processes import Children, is_alive, wait_until


@contextmanager
def stack(data_dir: Path, **environ: str) -> Iterator[Settings]:
    """Run Redis and S3 on `data_dir`; yields the settings that any other process reads meanwhile."""
    given = {"DATA_DIR": str(data_dir), **environ}
    with claim(data_dir), Supervisor(threading.Event()) as supervisor, start_missing(load_settings(given), supervisor):
        yield load_settings(given)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A difficult path: a space, a quote, a letter beyond ASCII, and great length."""
    return tmp_path / "it's söme folder" / ("long" * 40)


def s3_client(settings: Settings, *, secret: str | None = None) -> Any:
    """An S3 client with the options of the store."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret or settings.s3_secret_access_key,
        region_name=settings.s3_region,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def test_a_second_start_finds_everything_again(data_dir: Path) -> None:
    """Redis keys, objects, addresses and secrets survive a stop."""
    with stack(data_dir) as first:
        redis.Redis.from_url(first.redis_url or "").set("greeting", "hello")
        s3_client(first).put_object(Bucket="outputs", Key="a/1-mug.jpg", Body=b"picture")
    with stack(data_dir) as second:
        assert second == first
        assert redis.Redis.from_url(second.redis_url or "").get("greeting") == b"hello"
        assert s3_client(second).get_object(Bucket="outputs", Key="a/1-mug.jpg")["Body"].read() == b"picture"
    assert (data_dir / "objects/outputs/a/1-mug.jpg").read_bytes() == b"picture"


def test_a_remembered_port_that_is_taken_is_replaced(data_dir: Path) -> None:
    """A server of another program does not prevent the start."""
    with stack(data_dir) as first:
        port = int((first.redis_url or "").rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)), stack(data_dir) as second:
        assert redis.Redis.from_url(second.redis_url or "").ping()
        assert first.redis_url != second.redis_url


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda body: body[:-3], id="tail cut off"),
        pytest.param(lambda body: body + b"\0" * 100, id="tail of zeros"),
        pytest.param(lambda body: body[:20] + b"noise" + body[20:], id="noise in the middle"),
    ],
)
def test_a_damaged_append_only_file_does_not_prevent_the_start(data_dir: Path, harm: Callable[[bytes], bytes]) -> None:
    """Redis may lose its data, as the database has everything."""
    with stack(data_dir) as settings:
        redis.Redis.from_url(settings.redis_url or "").set("greeting", "hello")
    log_file = next((data_dir / "redis/appendonlydir").glob("*.incr.aof"))
    log_file.write_bytes(harm(log_file.read_bytes()))
    with stack(data_dir) as settings:
        assert redis.Redis.from_url(settings.redis_url or "").ping()


def test_starts_only_the_servers_that_are_not_given(data_dir: Path) -> None:
    """A Redis given by URL is used, and no other is started."""
    with stack(data_dir, REDIS_URL="redis://elsewhere:6379/0") as settings:
        assert settings.redis_url == "redis://elsewhere:6379/0"
        assert settings.s3_endpoint_url is not None
        assert not (data_dir / "redis").exists()


def test_both_servers_enforce_their_secrets(data_dir: Path) -> None:
    """A client with a wrong secret is refused."""
    with stack(data_dir) as settings:
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            s3_client(settings, secret="wrong").list_objects_v2(Bucket="outputs")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url((settings.redis_url or "").replace("redis://:", "redis://:wrong")).ping()


def test_secrets_are_private(data_dir: Path) -> None:
    """They are in no command line, and in no file that others may read."""
    with stack(data_dir):
        environ = dotenv_values(data_dir / "embedded.env")
        shown = "\n".join(" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True))
        files = [data_dir / "embedded.env", data_dir / "embedded.json", data_dir / "redis/valkey.conf"]
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
    password = (environ["REDIS_URL"] or "").split("@")[0].removeprefix("redis://:")
    secrets = [password, environ["S3_SECRET_ACCESS_KEY"], environ["S3_ACCESS_KEY_ID"], environ["WEBHOOK_SECRET"]]
    assert "rclone" in shown
    assert [secret for secret in secrets if secret is None or secret in shown] == []


def test_the_addresses_are_removed_at_the_stop(data_dir: Path) -> None:
    """Other processes do not connect to servers that have stopped."""
    children = Children()
    with stack(data_dir):
        assert (data_dir / "embedded.env").exists()
    assert not (data_dir / "embedded.env").exists()
    assert children() == []


def test_a_killed_stack_leaves_no_process_and_can_start_again(data_dir: Path) -> None:
    """After SIGKILL its servers end, and the next start works."""
    program = f"""
import threading
from pathlib import Path
from imgproc.core.config import load_settings
from imgproc.embedded.servers import claim, start_missing
from imgproc.embedded.supervisor import Supervisor
data_dir = Path({str(data_dir)!r})
settings = load_settings({{"DATA_DIR": str(data_dir)}})
with claim(data_dir), Supervisor(threading.Event()) as supervisor, start_missing(settings, supervisor):
    print("running", flush=True)
    supervisor.run()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        servers = psutil.Process(process.pid).children()
        process.kill()
    assert len(servers) == 2
    wait_until(lambda: not any(map(is_alive, servers)))
    assert (data_dir / "embedded.env").exists()
    with stack(data_dir) as settings:
        assert redis.Redis.from_url(settings.redis_url or "").ping()


def test_two_stacks_on_one_folder_are_refused(data_dir: Path) -> None:
    """The second start fails with one line."""
    refused = pytest.raises(EmbeddedError, match=r"imgproc already runs on .*choose another DATA_DIR\.$")
    with claim(data_dir), refused, claim(data_dir):
        pass


def test_a_taken_port_is_reported_in_one_line() -> None:
    """The line names the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EmbeddedError) as caught:
        require_free_port("127.0.0.1", taken.getsockname()[1])
    message = str(caught.value)
    assert "Address already in use" in message
    assert "PORT=" in message
    assert "\n" not in message


def test_a_folder_that_cannot_be_used_is_reported_in_one_line(tmp_path: Path) -> None:
    """A file in place of the folder is an error without a traceback."""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(EmbeddedError, match="cannot be used: File exists"), claim(in_the_way):
        pass


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:8000", id="loopback"),
        pytest.param("0.0.0.0", "http://127.0.0.1:8000", id="every IPv4 address"),
        pytest.param("::", "http://[::1]:8000", id="every address"),
        pytest.param("::1", "http://[::1]:8000", id="IPv6"),
        pytest.param("shop.example", "http://shop.example:8000", id="a name"),
    ],
)
def test_the_public_address_is_one_a_browser_can_open(host: str, expected: str) -> None:
    """An address to listen on is not always one to connect to."""
    assert expected == local_url(load_settings({"HOST": host}))


@pytest.fixture
def public(tmp_path: Path) -> FlaskClient:
    """A client of the outputs folder `tmp_path/outputs`, which has a secret file next to it."""
    (tmp_path / "embedded.json").write_text("secret")
    folder = tmp_path / "outputs/a"
    folder.mkdir(parents=True)
    (folder / "1-mug.jpg").write_bytes(b"picture")
    (folder / "page.html").write_text("<script>")
    (folder / "output.csv").write_text("S. No.\r\n")
    (folder / ".rclone_temp_put_1").write_text("half")
    app = Flask("outputs")
    register_outputs(app, load_settings({"EMBEDDED_OUTPUTS_DIR": str(tmp_path / "outputs")}))
    return app.test_client()


def test_an_image_is_public_and_may_be_cached(public: FlaskClient) -> None:
    """It is shown inline, cached for an hour, and revalidated by its ETag."""
    response = public.get("/outputs/a/1-mug.jpg", buffered=True)
    assert (response.data, response.content_type) == (b"picture", "image/jpeg")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.cache_control.max_age == 3600
    assert response.headers["Content-Disposition"].startswith("inline")
    known = {"If-None-Match": response.headers["ETag"]}
    assert public.get("/outputs/a/1-mug.jpg", headers=known, buffered=True).status_code == 304
    assert public.get("/outputs/a/1-mug.jpg", headers={"Range": "bytes=0-2"}, buffered=True).data == b"pic"


def test_a_csv_is_downloaded_and_not_cached(public: FlaskClient) -> None:
    """Its charset is named, search engines do not list it, and its links send no referrer."""
    response = public.get("/outputs/a/output.csv", buffered=True)
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment"
    assert response.cache_control.no_store
    assert response.cache_control.private
    assert response.cache_control.max_age is None
    assert (response.headers["X-Robots-Tag"], response.headers["Referrer-Policy"]) == ("noindex", "no-referrer")


@pytest.mark.parametrize("path", ["", "/", "/a", "/a/", "/a/.", "/a/%2e", "/a/?list-type=2", "/?list-type=2&prefix=a"])
def test_no_folder_is_listed(public: FlaskClient, path: str) -> None:
    """A key that cannot be guessed cannot be looked up either."""
    response = public.get(f"/outputs{path}", buffered=True)
    assert response.status_code == 404
    assert b"mug" not in response.data


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        pytest.param("jpg", "image/jpeg", id="jpeg"),
        pytest.param("png", "image/png", id="png"),
        pytest.param("webp", "image/webp", id="webp"),
        pytest.param("avif", "image/avif", id="avif"),
    ],
)
def test_every_format_we_write_is_served_with_its_type(
    public: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, content_type: str
) -> None:
    """The type does not depend on the system's list of types."""
    monkeypatch.setattr("mimetypes.guess_type", lambda *_args, **_kwargs: (None, None))
    (tmp_path / f"outputs/a/1-mug.{extension}").write_bytes(b"picture")
    response = public.get(f"/outputs/a/1-mug.{extension}", buffered=True)
    assert response.content_type == content_type
    assert response.headers["Content-Disposition"].startswith("inline")


def test_an_html_page_is_downloaded_not_shown(public: FlaskClient) -> None:
    """A page in the folder therefore never runs in a browser."""
    assert public.get("/outputs/a/page.html", buffered=True).headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="listing of the bucket"),
        pytest.param("a", id="listing of a folder"),
        pytest.param("a/", id="listing of a folder, with a slash"),
        pytest.param("a/absent.jpg", id="absent"),
        pytest.param("a/.rclone_temp_put_1", id="an unfinished object"),
        pytest.param("../embedded.json", id="outside"),
        pytest.param("%2e%2e/embedded.json", id="outside, encoded"),
        pytest.param("a/..%2f..%2f../embedded.json", id="outside, slashes encoded"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("a/1-mug.jpg%00.csv", id="NUL"),
    ],
)
def test_nothing_else_is_public(public: FlaskClient, path: str) -> None:
    """Listings, unfinished objects and files outside the folder get 404."""
    assert public.get(f"/outputs/{path}", follow_redirects=True).status_code == 404
