"""The compose file, checked without running it: start order, secrets, hardening and policies."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from imgproc.core.config import SettingsSchema
from imgproc.queue.enqueue import TAKEN

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = ("migrate", "web", "worker", "deliveries", "sweeper")
ENV_EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
SECRETS = {name for name in ENV_EXAMPLE if re.search("PASSWORD|SECRET", name)}
BUCKETS = {"originals", "outputs"}
ONE_SHOT = {"minio-owner", "minio-init", "postgres-init", "migrate"}
CONNECTIONS_OF_A_WORKER = 2  # one of the job, one of the thread that renews its lease

# Fixed by the container, or only for the embedded stack or the command line.
NOT_PASSED_ON = {"HOST", "PORT", "DATA_DIR", "EMBEDDED_OUTPUTS_DIR", "SAMPLES_URL", "API_KEY", "IMGPROC_URL"}
NOT_PASSED_ON |= {"IMGPROC_API_KEY"}


def statements(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy file."""
    statements: list[dict[str, Any]] = json.loads((ROOT / "minio" / policy).read_text())["Statement"]
    return statements


def test_every_variable_is_documented_and_used() -> None:
    """`.env.example` and the compose file have the same variables; compose itself reads COMPOSE_PROFILES."""
    assert set(ENV_EXAMPLE) == {*re.findall(r"\$\{(\w+)", COMPOSE_TEXT), "COMPOSE_PROFILES"}


def test_no_secret_has_a_default() -> None:
    """Every secret is a placeholder in the example, and compose refuses to start without it."""
    assert len(SECRETS) == 5
    for name in SECRETS:
        assert re.fullmatch("__GENERATE(_WHSEC)?__", ENV_EXAMPLE[name])
        uses = re.findall(rf"\$\{{{name}\b[^}}]*}}", COMPOSE_TEXT)
        assert set(uses) == {f"${{{name}:?run make env}}"}


def test_only_the_store_has_its_administrators_password() -> None:
    """The other containers use a user with the fewest rights."""
    with_password = {
        name for name, service in SERVICES.items() if "MINIO_ROOT_PASSWORD" in service.get("environment", {})
    }
    assert with_password == {"minio", "minio-init"}


@pytest.mark.parametrize("role", ROLES)
def test_every_setting_reaches_every_role(role: str) -> None:
    """A setting in .env reaches all of our containers, which share one image."""
    assert set(SettingsSchema().fields) - NOT_PASSED_ON == set(SERVICES[role]["environment"])
    assert SERVICES[role]["image"] == SERVICES["web"]["image"]


@pytest.mark.parametrize(
    ("service", "waits_for"),
    [
        pytest.param("minio", {"minio-owner": "service_completed_successfully"}, id="minio"),
        pytest.param("minio-init", {"minio": "service_healthy"}, id="minio-init"),
        pytest.param("postgres-init", {"postgres": "service_healthy"}, id="postgres-init"),
        pytest.param("migrate", {"postgres-init": "service_completed_successfully"}, id="migrate"),
        pytest.param("proxy", {"web": "service_healthy"}, id="proxy"),
        *(
            pytest.param(
                role,
                {
                    "migrate": "service_completed_successfully",
                    "minio-init": "service_completed_successfully",
                    "redis": "service_healthy",
                },
                id=role,
            )
            for role in ("web", "worker", "deliveries", "sweeper")
        ),
    ],
)
def test_services_start_in_order(service: str, waits_for: dict[str, str]) -> None:
    """A service starts after the services that it needs are healthy or have completed."""
    conditions = {name: needed["condition"] for name, needed in SERVICES[service]["depends_on"].items()}
    assert conditions == waits_for
    assert all("healthcheck" in SERVICES[name] for name, needed in conditions.items() if needed == "service_healthy")


@pytest.mark.parametrize("role", ["worker", "deliveries", "web"])
def test_roles_can_be_scaled(role: str) -> None:
    """No fixed name or port prevents a second container of the role."""
    assert not {"container_name", "ports", "hostname"} & SERVICES[role].keys()


def test_only_the_proxy_and_the_store_are_published() -> None:
    """Clients of web reach only the proxy, which web trusts and which does not run as root."""
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy", "minio"}
    proxy = SERVICES["proxy"]
    assert proxy["user"].split(":")[0] != "0"
    assert proxy["environment"]["UPSTREAM"] == "web:8000"
    assert SERVICES["web"]["environment"]["TRUSTED_PROXIES"] == proxy["environment"]["TRUSTED_PROXIES"]
    assert "./nginx:/nginx:ro" in proxy["volumes"]
    subprocess.run(["sh", "-n", str(ROOT / "nginx" / "start.sh")], check=True)


def test_every_process_is_watched() -> None:
    """Each service that goes on running has a health check."""
    running = {name for name, service in SERVICES.items() if service.get("restart") != "no"}
    assert running - ONE_SHOT == {name for name, service in SERVICES.items() if "healthcheck" in service}


def test_pools_and_the_sweeper_touch_the_file_that_is_checked() -> None:
    """The file is in the memory of each container, so that another one cannot touch it."""
    for role in ("worker", "deliveries", "sweeper"):
        assert SERVICES[role]["environment"]["HEARTBEAT_FILE"] in SERVICES[role]["healthcheck"]["test"][1]
        assert not any("/dev/shm" in volume for volume in SERVICES[role].get("volumes", ()))


@pytest.mark.parametrize("service", SERVICES)
def test_containers_have_limits(service: str) -> None:
    """No container takes all memory or processes, fills the disk with its log, or leaves a volume without a name."""
    found = SERVICES[service]
    assert {"mem_limit", "pids_limit"} <= found.keys()
    assert {"max-size", "max-file"} <= found["logging"]["options"].keys()
    volumes = [volume.partition(":")[0] for volume in found.get("volumes", ())]
    assert all(volume.startswith("./") or volume in COMPOSE["volumes"] for volume in volumes)


def test_without_the_profile_the_object_store_is_left_out() -> None:
    """Then nothing waits for it, and the variables of .env name another."""
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {
        "minio-owner",
        "minio",
        "minio-init",
    }
    assert ENV_EXAMPLE["COMPOSE_PROFILES"] == "minio"
    for role in ("web", "worker", "deliveries", "sweeper"):
        assert SERVICES[role]["depends_on"]["minio-init"]["required"] is False


def test_the_app_is_no_superuser_of_the_database() -> None:
    """The role of .env has its own name, and the superuser has no password that could be stolen."""
    script = (ROOT / "postgres" / "role.sql").read_text()
    user = SERVICES["worker"]["environment"]["DATABASE_URL"].partition("//")[2].partition(":")[0]
    assert f"ALTER ROLE {user} LOGIN NOSUPERUSER" in script
    assert f"ALTER ROLE {SERVICES['postgres']['environment']['POSTGRES_USER']} PASSWORD NULL" in script


def test_the_connections_of_the_documented_scale_fit() -> None:
    """Four pools, a pool of deliveries, two web containers and a sweeper leave some for administrators."""
    default = SettingsSchema().fields
    of_pools = 4 * int(ENV_EXAMPLE["WORKERS"]) * CONNECTIONS_OF_A_WORKER
    of_process = default["WEB_THREADS"].load_default + 10  # SQLAlchemy's overflow
    assert of_pools + of_process * (2 * 2 + 2) < int(ENV_EXAMPLE["POSTGRES_MAX_CONNECTIONS"]) - 10


def test_the_proxy_has_the_limits_of_web() -> None:
    """The start script fills in every name of nginx.conf from variables that compose sets."""
    templates = ((ROOT / "nginx" / name).read_text() for name in ("nginx.conf", "outputs.conf"))
    names = set(re.findall(r"@([A-Z_]+)@", "".join(templates)))
    script = (ROOT / "nginx" / "start.sh").read_text()
    assert names == set(re.findall(r"@([A-Z_]+)@", script))
    given = {*SERVICES["proxy"]["environment"], "RUN_DIR", "LISTEN", "TLS_LISTEN"}
    assert set(re.findall(r"\$\{?\(*\$?\{?([A-Z_]+)", script)) == given
    assert f":-{SettingsSchema().fields['MAX_UPLOAD_BYTES'].load_default}}}" in script


def test_web_listens_for_the_proxy() -> None:
    """Web listens on all addresses of its container; the default is loopback."""
    assert re.search(r"^\s+HOST=0\.0\.0\.0$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("service", SERVICES)
def test_containers_are_hardened(service: str) -> None:
    """No container can write to its image or have capabilities; its image is pinned, or ours.

    One may give a volume to its user. It is the only one that runs as root, and it has no network.
    """
    if service == "minio-owner":
        assert (SERVICES[service]["network_mode"], SERVICES[service]["restart"]) == ("none", "no")
    else:
        assert "cap_add" not in SERVICES[service]
        assert SERVICES[service].get("user", "10001").split(":")[0] not in {"0", "root"}
        assert service in ROLES or "user" in SERVICES[service]
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert service in ROLES or not SERVICES[service]["image"].endswith(":latest")


def test_api_keys_are_required_by_default() -> None:
    """A compose stack may be on a network, so it needs keys."""
    assert SERVICES["web"]["environment"]["API_KEYS_REQUIRED"] == "${API_KEYS_REQUIRED:-true}"
    assert ENV_EXAMPLE["API_KEYS_REQUIRED"] == "true"


@pytest.mark.parametrize("service", ["postgres", "redis"])
def test_internal_servers_have_no_way_out(service: str) -> None:
    """The database and Redis publish no port and have no way out."""
    assert "ports" not in SERVICES[service]
    assert SERVICES[service]["networks"] == ["inside"]
    assert yaml.safe_load(COMPOSE_TEXT)["networks"]["inside"]["internal"] is True


def test_the_public_may_only_get_outputs() -> None:
    """Anonymous callers may get an output by its key, but not list, write or delete."""
    [statement] = statements("outputs-public-read.json")
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["s3:GetObject"])
    assert statement["Resource"] == ["arn:aws:s3:::outputs/*"]


def test_workers_may_only_use_objects_of_the_two_buckets() -> None:
    """Workers may put, get, delete and list objects, but not change buckets, policies or users."""
    allowed = {action: set(each["Resource"]) for each in statements("worker-policy.json") for action in each["Action"]}
    objects = {f"arn:aws:s3:::{bucket}/*" for bucket in BUCKETS}
    multipart = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
    actions = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject", *multipart)
    buckets = {f"arn:aws:s3:::{bucket}" for bucket in BUCKETS}
    on_buckets = dict.fromkeys(("s3:ListBucket", "s3:ListBucketVersions"), buckets)
    assert allowed == dict.fromkeys(actions, objects) | on_buckets


def test_the_buckets_are_those_of_the_policies() -> None:
    """The policies name the buckets that the containers use and the init script makes."""
    environment = SERVICES["worker"]["environment"]
    named = {environment["S3_ORIGINALS_BUCKET"], environment["S3_OUTPUTS_BUCKET"]}
    assert named == {f"${{S3_{bucket.upper()}_BUCKET:-{bucket}}}" for bucket in BUCKETS}


def test_the_init_script_applies_every_policy() -> None:
    """A plain sh can parse the script, and the script uses each policy file."""
    script = ROOT / "minio" / "init.sh"
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert {path.name for path in script.parent.glob("*.json")} == set(re.findall(r"[\w-]+\.json", script.read_text()))


def test_the_image_does_not_run_as_root() -> None:
    """The last USER is a number other than 0, so that Kubernetes' `runAsNonRoot` can check it."""
    users = re.findall(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert int(users[-1]) > 0


def test_the_build_context_has_only_what_is_copied() -> None:
    """.dockerignore lets through exactly what the Dockerfile copies: no .env, no data, no tests."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(let_through) == sorted(" ".join(copied).split())


def test_every_queue_has_workers() -> None:
    """The pools of compose take the jobs of all queues, each of one pool."""
    commands = [service["command"] for service in SERVICES.values() if "--queue" in service.get("command", [])]
    taken = [word for command in commands for before, word in pairwise(command) if before == "--queue"]
    assert sorted(taken) == sorted(TAKEN)
