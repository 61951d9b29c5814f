"""Run the compose file for real: a journey through its ports, more workers, faults, a new password, a removal.

`make compose-check` needs an engine that `docker info` reaches, and `docker compose`; it is skipped without them.
It uses a project, ports and a .env of its own, and removes them. Where no registry of images can be reached,
`make compose-images` makes the images.
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config
from PIL import Image

from imgproc.embedded.ports import DEMO_PORTS, free_port
from scripts import make_env

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "imgproc-check"
PATIENCE = 300  # seconds for a start or a journey; machines of CI are slow
PRODUCTS = 60
PRIVATE = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
ONE_SHOT = {"minio-owner", "minio-init", "postgres-init", "migrate"}
PASSWORDS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "S3_SECRET_ACCESS_KEY", "MINIO_ROOT_PASSWORD")
CONNECTIONS = "SELECT usename, count(*) FROM pg_stat_activity WHERE usename LIKE 'imgproc%' GROUP BY usename"


class Failed(Exception):
    """What was expected did not happen."""


def why_not() -> str:
    """Why the check cannot run here; empty if it can."""
    if not shutil.which("docker"):
        return "docker is missing"
    for command, problem in ((["info"], "no engine answers"), (["compose", "version"], "docker compose is missing")):
        if subprocess.run(["docker", *command], capture_output=True, check=False).returncode:
            return problem
    return ""


class Stack:
    """The compose project, with a .env of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.env_file = folder / "env"
        make_env.main(ROOT / ".env.example", self.env_file)
        self.ports = {name: free_port(DEMO_PORTS) for name in ("WEB_PUBLISH", "TLS_PUBLISH", "S3_PUBLISH")}
        self.set(ALLOWED_NETWORKS=PRIVATE, IMGPROC_IMAGE="imgproc:check")
        self.url = f"http://127.0.0.1:{self.ports['WEB_PUBLISH']}"
        self.set(S3_PUBLIC_URL=f"{self.url}/outputs")
        self.set(**{name: f"127.0.0.1:{port}" for name, port in self.ports.items()})
        self.volumes_before = volumes()
        self.session = requests.Session()
        self.session.trust_env = False

    def set(self, **values: str) -> None:
        """Set variables of .env; the last line of a variable counts."""
        with self.env_file.open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())

    def values(self) -> dict[str, str]:
        """The variables of .env."""
        lines = (line.partition("=") for line in self.env_file.read_text().splitlines() if not line.startswith("#"))
        return {name: value for name, _, value in lines}

    def compose(self, *arguments: str) -> str:
        """Run `docker compose`; its output."""
        command = ["docker", "compose", "-p", PROJECT, "-f", "docker-compose.yml", "--env-file", str(self.env_file)]
        done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"docker compose {' '.join(arguments)}: {done.stderr[-2000:]}")
        return done.stdout

    def up(self, *arguments: str) -> None:
        """Start what is not running, and wait until every service is healthy."""
        self.compose("up", "--detach", *arguments)
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Wait until every container is healthy, and each that runs once has ended well."""
        wait(lambda: not self.unwell(), "all services are healthy", self.unwell)

    def unwell(self) -> list[str]:
        """The containers that are not healthy."""
        listed = [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]
        good = {each["Name"] for each in listed if each["Health"] == "healthy"}
        good |= {each["Name"] for each in listed if each["Service"] in ONE_SHOT and each["ExitCode"] == 0}
        return [f"{each['Name']} {each['State']} {each['Health']}" for each in listed if each["Name"] not in good]

    def log_in(self) -> None:
        """Create an API key and use it from now on."""
        key = self.compose("exec", "-T", "web", "python", "-m", "imgproc", "keys", "create", "check").split()[-1]
        self.session.headers["Authorization"] = f"Bearer {key}"

    def upload(self, images: str) -> str:
        """Upload a catalogue; the id of the request."""
        rows = [f"{row},Mug {row},{images}/{row}-{time.monotonic_ns()}.jpg" for row in range(1, PRODUCTS + 1)]
        csv = "\n".join(["S. No.,Product Name,Input Image Urls", *rows])
        answer = self.session.post(f"{self.url}/api/upload", files={"file": ("check.csv", csv)}, timeout=30)
        if answer.status_code != 202:
            raise Failed(f"An upload was answered with {answer.status_code}: {answer.text}")
        return str(answer.json()["requestId"])

    def status(self, request_id: str) -> dict[str, Any]:
        """The status of a request; empty while a server restarts."""
        try:
            answer = self.session.get(f"{self.url}/api/status/{request_id}", timeout=30)
        except requests.RequestException:
            return {}
        return dict(answer.json()) if answer.ok else {}

    def finish(self, request_id: str) -> dict[str, Any]:
        """Wait until a request has ended, and check that no product failed."""
        ended = {"completed", "completed_with_errors", "failed"}
        wait(lambda: self.status(request_id).get("status") in ended, "a request ends", lambda: self.status(request_id))
        status = self.status(request_id)
        if status["status"] != "completed":
            raise Failed(f"A request ended as {status}")
        return status

    def peak_connections(self) -> str:
        """The connections of each role at this moment."""
        query = ("psql", "-U", "imgproc", "-d", "imgproc", "-tAc", CONNECTIONS)
        return self.compose("exec", "-T", "postgres", *query).strip().replace("\n", ", ")

    def s3(self) -> Any:
        """A client of the store with the rights of its administrator."""
        values = self.values()
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.ports['S3_PUBLISH']}",
            aws_access_key_id=values["MINIO_ROOT_USER"],
            aws_secret_access_key=values["MINIO_ROOT_PASSWORD"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )


def wait(condition: Callable[[], bool], what: str, state: Callable[[], Any]) -> None:
    """Wait until a condition holds.

    Raises:
        Failed: it did not within PATIENCE; the message has the state.
    """
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise Failed(f"After {PATIENCE} seconds it is still not so that {what}: {state()}")
        time.sleep(0.5)


@lru_cache
def picture(shade: int) -> bytes:
    """A JPEG of a shade, so that pictures differ."""
    made = io.BytesIO()
    Image.effect_mandelbrot((800, 600), (-2, -1, 1, 1), 60 + shade).convert("RGB").save(made, "JPEG", quality=90)
    return made.getvalue()


class Pictures(BaseHTTPRequestHandler):
    """Serves a picture for every path."""

    def do_GET(self) -> None:
        """Answer with a picture after half a second, as shops do."""
        time.sleep(0.5)
        body = picture(int(Path(self.path).name.partition("-")[0]) % 8)
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def pictures() -> Iterator[str]:
    """The URL of a host of pictures, as containers reach it."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), Pictures)  # noqa: S104 - containers are not on loopback
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    gateway = docker("network", "inspect", f"{PROJECT}_outside", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    try:
        yield f"http://{gateway}:{server.server_port}"
    finally:
        server.shutdown()


def docker(*arguments: str) -> str:
    """Run docker; its output."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def volumes() -> set[str]:
    """The names of all volumes of the engine."""
    return set(docker("volume", "ls", "--quiet").split())


def kill_a_container(stack: Stack, service: str) -> None:
    """Kill all processes of a container, as the kernel may where memory runs out; docker starts it again."""
    container = stack.compose("ps", "--quiet", service).split()[0]
    restarts = ("inspect", "--format", "{{.RestartCount}}", container)
    before = docker(*restarts)
    subprocess.run(["docker", "exec", container, "sh", "-c", "kill -9 -1"], capture_output=True, check=False)
    wait(lambda: docker(*restarts) != before, f"{service} is started again", lambda: docker(*restarts))


def check_outputs(stack: Stack, status: dict[str, Any]) -> None:
    """Strangers get the images and the CSV through the proxy, with the time that each may be kept."""
    csv = requests.get(status["outputCsvUrl"], timeout=30)
    urls = [word for word in csv.text.replace(",", " ").split() if "/outputs/" in word]
    image = requests.get(urls[0], timeout=30)
    found = (csv.status_code, csv.headers["Cache-Control"], image.status_code, image.headers["Cache-Control"])
    if found != (200, "private, no-store", 200, "public, max-age=86400") or len(urls) != PRODUCTS:
        raise Failed(f"The outputs were answered with {found}, {len(urls)} URLs.")
    if requests.put(urls[0], data=b"x", timeout=30).ok or requests.get(f"{stack.url}/outputs/", timeout=30).ok:
        raise Failed("Strangers can write or list outputs.")


def check_journey(stack: Stack, images: str) -> None:
    """A catalogue goes in, and comes out with images that everyone can get."""
    check_outputs(stack, stack.finish(stack.upload(images)))


def check_faults(stack: Stack, images: str) -> None:
    """With three pools, a container is killed and the servers restart while requests run; every product is made."""
    stack.up("--no-recreate", "--scale", "worker=3")
    running = [stack.upload(images) for _ in range(3)]
    time.sleep(2)
    print(f"  connections with three pools at work: {stack.peak_connections()}")
    kill_a_container(stack, "worker")
    stack.compose("restart", "postgres", "redis")
    kill_a_container(stack, "web")
    for request_id in running:
        stack.finish(request_id)
    stack.wait_until_healthy()


def check_new_passwords(stack: Stack, images: str) -> None:
    """Passwords that changed in .env are those of the servers after `up`; a request that runs meanwhile ends well."""
    running = stack.upload(images)
    stack.set(**{name: secrets.token_urlsafe() for name in PASSWORDS})
    stack.up("--scale", "worker=3")
    stack.finish(running)
    check_journey(stack, images)


def check_versions(stack: Stack, images: str) -> None:
    """From buckets that keep versions, a removal deletes all of them."""
    s3 = stack.s3()
    for bucket in ("originals", "outputs"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    request_id = stack.upload(images)
    stack.finish(request_id)
    stack.session.delete(f"{stack.url}/api/requests/{request_id}", timeout=30).raise_for_status()

    def left() -> list[Any]:
        pages = [s3.list_object_versions(Bucket=bucket, Prefix=request_id) for bucket in ("originals", "outputs")]
        return [each for page in pages for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]

    wait(lambda: not left(), "no version is left", left)


def check_idle(stack: Stack, _images: str) -> None:
    """Print what the containers take without work."""
    time.sleep(5)
    print(f"  connections without work: {stack.peak_connections()}")
    ours = stack.compose("ps", "--quiet").split()
    for line in sorted(
        docker("stats", "--no-stream", "--format", "{{.Name}}: {{.MemUsage}}, {{.PIDs}} pids", *ours).splitlines()
    ):
        print(f"  {line}")


def check_volumes(stack: Stack, _images: str) -> None:
    """`down` leaves only the volumes that the compose file names, besides those that were there before."""
    stack.compose("down")
    left = {name for name in volumes() - stack.volumes_before if not name.startswith(f"{PROJECT}_")}
    if left:
        raise Failed(f"`down` left {len(left)} anonymous volumes.")


CHECKS = (check_journey, check_idle, check_faults, check_new_passwords, check_versions, check_idle, check_volumes)


def main() -> int:
    """Run every check; 0 if all are green or none can run here."""
    if reason := why_not():
        print(f"compose-check: skipped, because {reason}.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            started = time.monotonic()
            stack.up("--build")
            print(f"compose-check: built and up in {time.monotonic() - started:.0f} s")
            stack.log_in()
            with pictures() as images:
                for check in CHECKS:
                    started = time.monotonic()
                    check(stack, images)
                    name = check.__name__.removeprefix("check_")
                    print(f"compose-check: {name} ok, {time.monotonic() - started:.0f} s", flush=True)
        except Failed as failure:
            print(f"compose-check: {failure}", file=sys.stderr)
            print(stack.compose("logs", "--tail", "30"), file=sys.stderr)
            return 1
        finally:
            stack.compose("down", "--volumes", "--timeout", "5")
    print("compose-check: all green.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
